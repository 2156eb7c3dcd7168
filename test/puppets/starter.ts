/** Starts a detachee as `kfwd up -d` starts a supervisor, prints its report, and ends. */
import { realClock } from "../../src/runtime/clock.ts";
import { spawnDetached } from "../../src/runtime/daemon/detach.ts";

const [script = "", folder = ""] = process.argv.slice(2);
const report = await spawnDetached(
  realClock,
  { script, args: ["owned", folder], env: process.env, logFile: `${folder}/kfwd.log`, timeoutMs: 10_000 },
  new AbortController().signal,
);
process.stdout.write(JSON.stringify(report));
