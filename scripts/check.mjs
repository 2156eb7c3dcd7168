// `npm test`: everything that must hold, in the order of what is quickest to know, and a summary line at the end.
import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";

const E2E = "KFWD_E2E_KUBECONFIG";

const steps = [
  { name: "format", run: ["oxfmt", "--check", "src", "test", "scripts", "bin"] },
  { name: "lint", run: ["oxlint", "--type-aware", "src", "test", "scripts", "bin"] },
  { name: "types", run: ["tsc", "--noEmit"] },
  { name: "unit", run: ["vitest", "run", "--project", "unit"] },
  { name: "build", run: ["node", "scripts/build.mjs"] },
  { name: "integration", run: ["vitest", "run", "--project", "integration"] },
  { name: "e2e", run: ["vitest", "run", "--project", "e2e"], needs: E2E },
];

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
  const [command, ...args] = step.run;
  const { status, error } = spawnSync(command, args, {
    env,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (error) console.error(`${command}: ${error.message}`);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  outcomes.push(`${step.name} ${status === 0 ? "ok" : "FAILED"} ${seconds}s`);
  if (status !== 0) break;
}

const failed = outcomes.some((outcome) => outcome.includes("FAILED"));
console.log(`\nkfwd tests: ${failed ? "FAILED" : "passed"} · ${outcomes.join(" · ")}`);
process.exitCode = failed ? 1 : 0;
