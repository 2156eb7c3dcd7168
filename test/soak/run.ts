/**
 * `npm run soak -- [--seconds N] [--seed S] [--only WORDS] [--haste N] [--foreground] [--sandbox]`: things go wrong, one after the other
 * and two at once, while clients come and go; both ends keep a history, which is checked. Twenty minutes unless it says
 * otherwise, on the cluster of KFWD_E2E_KUBECONFIG. Needs Linux, kubectl and a built kfwd. Exits 1 when something is not
 * as it should be; the same seed makes the same faults in the same order.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { quantile } from "../bench/harness/statistics.ts";
import { CLUSTER_VARIABLE, clusterFaults } from "./clusterfaults.ts";
import { NEMESES } from "./nemeses.ts";
import { soak, type SoakReport, type Strike } from "./soak.ts";

const RESULTS = join(import.meta.dirname, "results");

const USAGE =
  "usage: npm run soak -- [--seconds N] [--seed S] [--only WORDS] [--haste N] [--foreground] [--sandbox] [--cluster-faults [--nodes 2]]";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "1200" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
    only: { type: "string", default: "" },
    haste: { type: "string", default: "1" },
    "cluster-faults": { type: "boolean", default: false },
    nodes: { type: "string", default: "1" },
    foreground: { type: "boolean", default: false },
    sandbox: { type: "boolean", default: false },
  },
});
process.exit(await main(Number(values.seconds), Number(values.seed)));

/** Resolves with the exit status. */
async function main(seconds: number, seed: number): Promise<number> {
  const command = process.env[CLUSTER_VARIABLE];
  if (values["cluster-faults"] && command === undefined) {
    console.error(`--cluster-faults needs ${CLUSTER_VARIABLE}: a program that does things to the cluster`);
    return 2;
  }
  const ofCluster =
    values["cluster-faults"] && command !== undefined
      ? clusterFaults(command, values.nodes === "2" ? 2 : 1)
      : [];
  const nemeses = [...ofCluster, ...NEMESES].filter(({ name }) => name.includes(values.only));
  if (!(seconds > 0) || !Number.isInteger(seed) || nemeses.length === 0) {
    console.error(USAGE);
    return 2;
  }
  const over = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => over.abort());
  console.log(`seed ${seed}, ${seconds} s`);
  const report = await soak({
    where: values.sandbox ? "sandbox" : "cluster",
    mode: values.foreground ? "foreground" : "detached",
    seed,
    seconds,
    nemeses,
    haste: Number(values.haste),
    signal: over.signal,
    say: (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`),
  });
  show(report);
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `${new Date().toISOString().replaceAll(":", "-").slice(0, 19)}.json`);
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`written to ${file}`);
  return report.wrong.length + report.violations.length > 0 ? 1 : 0;
}

function show({ seed, strikes, clients, statusMs, before, after, violations, wrong }: SoakReport): void {
  const byName = new Map<string, Strike[]>();
  for (const strike of strikes) byName.set(strike.name, [...(byName.get(strike.name) ?? []), strike]);
  console.log(`\n${"what went wrong".padEnd(52)} times  served again, ms   ready again, ms`);
  for (const [name, all] of [...byName].toSorted(([a], [b]) => a.localeCompare(b))) {
    const [served, ready] = [all.map(({ servedMs }) => servedMs), all.map(({ readyMs }) => readyMs)];
    console.log(`${name.padEnd(52)} ${String(all.length).padStart(5)}  ${spread(served)}  ${spread(ready)}`);
  }
  console.log("\nclients, by how they ended:");
  for (const [kind, counts] of Object.entries(clients))
    console.log(`  ${kind.padEnd(12)} ${JSON.stringify(counts)}`);
  if (statusMs.length > 0) console.log(`status: ${statusMs.length} looks, ms ${spread(statusMs)}`);
  console.log(`held before: ${JSON.stringify(before)}\nheld after:  ${JSON.stringify(after)}`);
  for (const what of wrong) console.log(`WRONG: ${what}`);
  for (const { rule, id, words } of violations) console.log(`VIOLATION ${rule} ${id}: ${words}`);
  const count = wrong.length + violations.length;
  console.log(`${count === 0 ? "ok" : `FAILED: ${count} things are not as they should be`}, seed ${seed}`);
}

/** Median and most. */
function spread(ms: readonly number[]): string {
  const text = `${Math.round(quantile(ms, 0.5))} .. ${Math.round(quantile(ms, 1))}`;
  return text.padStart(16);
}
