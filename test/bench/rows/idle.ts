/** What twenty forwards cost that nobody uses. */
import type { StatusReport } from "../../../src/runtime/core/status.ts";
import type { Bench } from "../harness/bench.ts";
import { execute } from "../harness/execute.ts";
import type { Figure } from "../harness/figures.ts";
import { echoLinks, Forwarder, writeForwards } from "../harness/forwarders.ts";
import { cpuSeconds, memory } from "../harness/procfs.ts";

const FORWARDS = 20;

/** As many kubectl processes are measured; the rest would be like them. */
const KUBECTL_MEASURED = 3;

/** By then a start has left nothing behind that goes away. */
const SETTLE_MS = 30_000;

/** Long enough for everything that comes around each minute. */
const MEASURED_MS = 120_000;

interface Cost {
  /** Of one core. */
  readonly cpuPercent: number;
  readonly rssMb: number;
}

export async function idleTwenty(bench: Bench): Promise<Figure[]> {
  // Once, and side by side: neither does much, and the waiting is long.
  const [ours, theirs] = await Promise.all([ofSupervisor(bench), ofKubectl(bench)]);
  return [
    {
      name: `idle-${FORWARDS}, CPU`,
      unit: "%",
      theirs: [theirs.cpuPercent],
      ours: [ours.cpuPercent],
      goal: { of: "value", is: "<=", limit: 0.3 },
    },
    {
      name: `idle-${FORWARDS}, RSS`,
      unit: "MB",
      theirs: [theirs.rssMb],
      ours: [ours.rssMb],
      goal: { of: "value", is: "<=", limit: 60 },
    },
  ];
}

/** A detached one, as it stays for days. */
async function ofSupervisor(bench: Bench): Promise<Cost> {
  const file = writeForwards(bench, await echoLinks(FORWARDS));
  const kfwd = (...args: readonly string[]): Promise<string> =>
    execute(process.execPath, bench.kfwd([...args, "--file", file]), { env: bench.env });
  let down: Promise<string> | undefined;
  const supervisor = bench.cleanup.own({
    [Symbol.asyncDispose]: async () => void (await (down ??= kfwd("down"))),
  });
  try {
    await kfwd("up", "--wait");
    const { supervisor: running } = JSON.parse(await kfwd("status", "--json")) as StatusReport;
    return await costOf([running.pid]);
  } finally {
    await supervisor[Symbol.asyncDispose]();
  }
}

async function ofKubectl(bench: Bench): Promise<Cost> {
  await using forwarder = Forwarder.start(bench, "kubectl", await echoLinks(KUBECTL_MEASURED), bench.env);
  await forwarder.firstEcho();
  const { cpuPercent, rssMb } = await costOf(forwarder.pids);
  const times = FORWARDS / KUBECTL_MEASURED;
  return { cpuPercent: cpuPercent * times, rssMb: rssMb * times };
}

/** Of all processes together. */
async function costOf(pids: readonly number[]): Promise<Cost> {
  const seconds = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  await sleep(SETTLE_MS);
  const before = seconds();
  await sleep(MEASURED_MS);
  const cpuPercent = ((seconds() - before) / (MEASURED_MS / 1_000)) * 100;
  return { cpuPercent, rssMb: pids.reduce((sum, pid) => sum + memory(pid).rssMb, 0) };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
