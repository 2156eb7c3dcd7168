/**
 * Takes a project's lock, holds it a few milliseconds, gives it back, and again, until it is killed. An oracle that
 * knows nothing of the lock watches: a hard link that only one process may have at a time.
 */
import { appendFileSync, linkSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { claimProject, type OwnershipDeps } from "../../src/runtime/daemon/ownership.ts";
import { ownIdentity, sameProcess } from "../../src/runtime/daemon/identity.ts";
import { projectFiles } from "../../src/runtime/daemon/projectfiles.ts";
import { realClock } from "../../src/runtime/clock.ts";
import { idleControl, silentLog } from "./idlecontrol.ts";

const [runtimeFolder = "", id = "", journal = "", oracle = ""] = process.argv.slice(2);
const never = new AbortController().signal;
const here = ownIdentity();
const uid = process.geteuid?.();
const deps: OwnershipDeps = { clock: realClock, log: silentLog, version: "0.0.0", uid, here };
const files = projectFiles(runtimeFolder, id);
const facts = { env: {}, uid, platform: process.platform, home: "/nowhere" };
const about = {
  project: "contended",
  config: { path: null, sha256: "" },
  log: "/nowhere",
  startedAt: "",
  mode: "detached",
} as const;
const self = JSON.stringify(here);
const ownMark = `${oracle}.${process.pid}.${here.startTicks}`;

function note(line: string): void {
  appendFileSync(journal, `${line}\n`);
}

/** The oracle: whoever finds another living process's mark has proven two owners. */
function enter(): void {
  for (;;) {
    try {
      linkSync(ownMark, oracle);
      return;
    } catch {
      const other = readFileSync(oracle, "utf8");
      const same = sameProcess(JSON.parse(other) as typeof here, here);
      if (same !== "gone" && same !== "other") note(`DOUBLE ${self} beside ${other} (${same})`);
      unlinkSync(oracle);
    }
  }
}

function leave(): void {
  const mark = readFileSync(oracle, "utf8");
  if (mark !== self) note(`DOUBLE ${self} found ${mark} in its place`);
  unlinkSync(oracle);
}

writeFileSync(ownMark, self);
for (;;) {
  const claimed = await claimProject(deps, { files, facts, control: idleControl, about }, never);
  if (claimed.kind === "owned") {
    enter();
    note("owned");
    await realClock.sleep(Math.random() * 4, never);
    if (Math.random() < 0.3) await claimed.ownership.update({ state: "ready" });
    const lost = await claimed.ownership.check();
    if (lost !== undefined) note(`LOST ${lost}`);
    leave();
    await claimed.ownership[Symbol.asyncDispose]();
  }
  await realClock.sleep(Math.random() * 100, never);
}
