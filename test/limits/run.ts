/**
 * What a forward bears, and that nothing is left of it: `npx tsx test/limits/run.ts [--at-once N] [--in-turn N]
 * [--rounds N]`, on the sandbox, or with `--cluster` on that of KFWD_E2E_KUBECONFIG. Needs Linux and a built kfwd.
 * Exits 1 when a client was not served or something is left.
 */
import { parseArgs } from "node:util";
import { ClusterWorld } from "../behaviour/clusterworld.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import type { World } from "../behaviour/world.ts";
import type { Holding } from "../rig/probed.ts";
import { Elsewhere, HEAP_GROWTH_MAX_BYTES, Multitude, sockets, type Outcome } from "./multitude.ts";

/** Descriptors of a process beside those of its clients: a supervisor keeps 256 for itself. */
const OTHER_DESCRIPTORS = 512;

const USAGE = "usage: npx tsx test/limits/run.ts [--at-once N] [--in-turn N] [--rounds N] [--cluster]";

const { values } = parseArgs({
  options: {
    "at-once": { type: "string", default: "10000" },
    "in-turn": { type: "string", default: "100000" },
    rounds: { type: "string", default: "1" },
    cluster: { type: "boolean", default: false },
  },
});
const [atOnce, inTurn, rounds] = [values["at-once"], values["in-turn"], values.rounds].map(Number);
process.exitCode = await main(atOnce ?? Number.NaN, inTurn ?? Number.NaN, rounds ?? Number.NaN);

/** Resolves with the exit status. */
async function main(many: number, more: number, times: number): Promise<number> {
  if (![many, more, times].every((count) => Number.isInteger(count) && count >= 0)) return refuse(USAGE);
  const limit = descriptorLimit();
  if (many + OTHER_DESCRIPTORS > limit) {
    return refuse(
      `${many} clients at once need ${many + OTHER_DESCRIPTORS} open files; \`ulimit -n\` is ${limit}`,
    );
  }
  await using elsewhere = new Elsewhere();
  await using world: World = values.cluster
    ? await ClusterWorld.start()
    : await SandboxWorld.start({ others: { 7001: elsewhere.greet } });
  await using multitude = await Multitude.start(world);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => multitude.breakOff());
  let failures = 0;
  for (let round = 0; round < times; round++) {
    if (many > 0) failures += report(`${many} at once`, many, await multitude.atOnce(many));
    if (more > 0) failures += report(`${more} in turn`, more, await multitude.inTurn(more));
  }
  return failures > 0 ? 1 : 0;
}

/** Prints what came of it; the number of things that are not as they should be. */
function report(name: string, count: number, outcome: Outcome): number {
  const { tallies, tookMs, before, crowded, after, counted, lastError } = outcome;
  const wrong: string[] = [];
  for (const tally of tallies) {
    const entries = Object.entries(tally);
    const fine = ["greeted", "heard", "left"];
    if (entries.length !== 1 || !fine.includes(entries[0]?.[0] ?? "") || entries[0]?.[1] !== count) {
      wrong.push(`clients: ${JSON.stringify(tally)}`);
    }
  }
  if (after.fds > before.fds) wrong.push(`${after.fds - before.fds} file descriptors are left`);
  if (after.timers > before.timers) wrong.push(`${after.timers - before.timers} timers are left`);
  if (sockets(after) > sockets(before)) wrong.push(`${sockets(after) - sockets(before)} sockets are left`);
  const grownBytes = after.heapBytes - before.heapBytes;
  if (grownBytes > HEAP_GROWTH_MAX_BYTES) wrong.push(`the heap has grown by ${mb(grownBytes)}`);
  if (counted > 0) wrong.push(`${counted} connections are counted`);
  console.log(`${name}: ${wrong.length === 0 ? "ok" : "FAILED"}, served in ${(tookMs / 1000).toFixed(1)} s`);
  for (const [when, held] of Object.entries({ before, crowded, after })) console.log(`  ${line(when, held)}`);
  for (const what of wrong) console.log(`  ${what}`);
  if (lastError !== undefined) console.log(`  the last connection that failed: ${lastError}`);
  return wrong.length;
}

function line(when: string, { heapBytes, rssBytes, fds, timers }: Holding): string {
  return `${when.padEnd(8)} heap ${mb(heapBytes)}, RSS ${mb(rssBytes)}, ${fds} file descriptors, ${timers} timers`;
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** What this process may open, and with it those that it starts. */
function descriptorLimit(): number {
  const { userLimits } = process.report.getReport() as unknown as {
    readonly userLimits: { readonly open_files: { readonly soft: number | string } };
  };
  const { soft } = userLimits.open_files;
  return typeof soft === "number" ? soft : Number.POSITIVE_INFINITY;
}

function refuse(why: string): number {
  console.error(why);
  return 2;
}
