/**
 * Claims a project, tells its parent so, and keeps it until it is asked to stop or gets SIGTERM. As `deaf` it obeys
 * neither, as `hung` it does not even answer.
 */
import { realClock } from "../../src/runtime/clock.ts";
import { ownIdentity } from "../../src/runtime/daemon/identity.ts";
import { claimProject } from "../../src/runtime/daemon/ownership.ts";
import { projectFiles } from "../../src/runtime/daemon/projectfiles.ts";
import { idleControl, silentLog } from "./idlecontrol.ts";

const [runtimeFolder = "", id = "", manner = ""] = process.argv.slice(2);
const never = new AbortController().signal;
const uid = process.geteuid?.();

let end: () => void = () => {};
const ended = new Promise<void>((resolve) => (end = resolve));
const stop = (): Promise<{ stopped: string[] }> => {
  if (manner !== "deaf") end();
  return Promise.resolve({ stopped: [] });
};
process.on("SIGTERM", () => {
  if (manner !== "deaf") end();
});

const claimed = await claimProject(
  { clock: realClock, log: silentLog, version: "1.2.3", uid, here: ownIdentity() },
  {
    files: projectFiles(runtimeFolder, id),
    facts: { env: {}, uid, platform: process.platform, home: "/nowhere" },
    control: { ...idleControl, stop },
    about: {
      project: "shop",
      config: { path: null, sha256: "" },
      log: "/nowhere",
      startedAt: "",
      mode: "detached",
    },
  },
  never,
);
process.send?.(claimed.kind);
if (claimed.kind === "owned") {
  const awake = setInterval(() => {}, 60_000);
  if (manner === "hung") for (;;);
  await ended;
  clearInterval(awake);
  await claimed.ownership[Symbol.asyncDispose]();
}
process.disconnect?.();
