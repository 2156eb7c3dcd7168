// `npm test`: everything that must hold, in the order of what is quickest to know, and a summary line at the end.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, relative } from "node:path";

const E2E = "KFWD_E2E_KUBECONFIG";

const steps = [
  { name: "format", run: ["oxfmt", "--check", "src", "test", "scripts", "bin"] },
  { name: "lint", run: ["oxlint", "--type-aware", "src", "test", "scripts", "bin"] },
  { name: "types", run: ["tsc", "--noEmit"] },
  { name: "unit", run: ["vitest", "run", "--project", "unit"] },
  { name: "build", run: ["node", "scripts/build.mjs"] },
  { name: "integration", run: ["vitest", "run", "--project", "integration"], again: true },
  { name: "e2e", run: ["vitest", "run", "--project", "e2e"], needs: E2E, again: true },
];

/**
 * Tests with real processes share the machine with each other and with whatever else runs on it. So what failed among
 * them is tried once more by itself, and the summary names it: what is wrong fails again, what was starved does not.
 * When more files than this failed, it was not the machine.
 */
const AGAIN_MAX = 3;

const tools = join(import.meta.dirname, "..", "node_modules", ".bin"); // npm adds it, a bare `node scripts/check.mjs` does not
const env = { ...process.env, PATH: `${tools}${delimiter}${process.env.PATH ?? ""}` };
const only = process.argv.slice(2);
const outcomes = [];
for (const step of steps) {
  if (only.length > 0 && !only.includes(step.name)) continue;
  if (step.needs && !process.env[step.needs]) {
    outcomes.push(`${step.name} LEFT OUT (${step.needs} names no cluster)`);
    continue;
  }
  console.log(`\n=== ${step.name}`);
  const startedAt = performance.now();
  const { status, again } = step.again ? runTwice(step.run) : { status: run(step.run) };
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const alone =
    again === undefined ? "" : ` (${again.join(", ")}: by itself, after a failure among the others)`;
  outcomes.push(`${step.name} ${status === 0 ? "ok" : "FAILED"} ${seconds}s${alone}`);
  if (status !== 0) break;
}

const failed = outcomes.some((outcome) => outcome.includes("FAILED"));
console.log(`\nkfwd tests: ${failed ? "FAILED" : "passed"} · ${outcomes.join(" · ")}`);
process.exitCode = failed ? 1 : 0;

function run([command, ...args]) {
  const { status, error } = spawnSync(command, args, {
    env,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (error) console.error(`${command}: ${error.message}`);
  return status;
}

/** `again`: files that failed the first time, where they were tried a second time. */
function runTwice(words) {
  const folder = mkdtempSync(join(tmpdir(), "kfwd-check-"));
  try {
    const report = join(folder, "report.json");
    const status = run([...words, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`]);
    if (status === 0) return { status };
    const failed = failedFiles(report);
    if (failed.length === 0 || failed.length > AGAIN_MAX) return { status };
    console.log(`\n=== by itself: ${failed.join(", ")}`);
    return { status: run([...words, "--no-file-parallelism", ...failed]), again: failed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** None where there is no report, or something failed that is no test. */
function failedFiles(report) {
  try {
    const { testResults } = JSON.parse(readFileSync(report, "utf8"));
    const failed = testResults.filter(({ status }) => status === "failed");
    return failed.map(({ name }) => relative(process.cwd(), name));
  } catch {
    return [];
  }
}
