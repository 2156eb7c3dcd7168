/** How much memory fifty idle forwards take. */
import type { StatusReport } from "../../../src/runtime/core/status.ts";
import type { Bench } from "../harness/bench.ts";
import type { Cleanup } from "../harness/cleanup.ts";
import { execute } from "../harness/execute.ts";
import type { Figure } from "../harness/figures.ts";
import { echoLinks, Forwarder, writeForwards } from "../harness/forwarders.ts";
import { memory, type Memory } from "../harness/procfs.ts";

const FORWARDS = 50;

/** As many kubectl processes are measured; the rest would be like them. */
const KUBECTL_MEASURED = 3;

/** By then both runtimes have given back what a start leaves behind; V8 takes 10 to 20 s for that. */
const IDLE_MS = 30_000;

export async function memoryFifty(bench: Bench): Promise<Figure[]> {
  const kfwd: Memory[] = [];
  const kubectl: Memory[] = [];
  for (let round = 0; round < bench.rounds; round++) {
    // Side by side: memory does not mind, and the waiting is long.
    const [ours, theirs] = await Promise.all([ofSupervisor(bench), ofKubectl(bench)]);
    kfwd.push(ours);
    kubectl.push(theirs);
  }
  return [
    {
      name: "memory-50, RSS",
      unit: "MB",
      theirs: kubectl.map(({ rssMb }) => rssMb),
      ours: kfwd.map(({ rssMb }) => rssMb),
      goal: { of: "value", is: "<=", limit: 65 },
    },
    {
      name: "memory-50, PSS",
      unit: "MB",
      theirs: kubectl.map(({ pssMb }) => pssMb),
      ours: kfwd.map(({ pssMb }) => pssMb),
    },
  ];
}

/** A detached one, as it stays for days. */
async function ofSupervisor(bench: Bench): Promise<Memory> {
  const file = writeForwards(bench, await echoLinks(FORWARDS));
  const kfwd = (args: readonly string[], cleanup?: Cleanup): Promise<string> =>
    execute(process.execPath, bench.kfwd([...args, "--file", file]), {
      env: bench.env,
      ...(cleanup && { cleanup }),
    });
  let down: Promise<string> | undefined;
  const supervisor = bench.cleanup.own({
    [Symbol.asyncDispose]: async () => void (await (down ??= kfwd(["down"]))),
  });
  try {
    await kfwd(["up", "--wait"], bench.cleanup);
    await idle();
    const { supervisor: running } = JSON.parse(
      await kfwd(["status", "--json"], bench.cleanup),
    ) as StatusReport;
    return memory(running.pid);
  } finally {
    await supervisor[Symbol.asyncDispose]();
  }
}

async function ofKubectl(bench: Bench): Promise<Memory> {
  await using forwarder = Forwarder.start(bench, "kubectl", await echoLinks(KUBECTL_MEASURED), bench.env);
  await forwarder.firstEcho();
  await idle();
  const measured = forwarder.pids.map(memory);
  const timesAll = (mb: number[]): number => (mb.reduce((sum, one) => sum + one, 0) / mb.length) * FORWARDS;
  return {
    rssMb: timesAll(measured.map(({ rssMb }) => rssMb)),
    pssMb: timesAll(measured.map(({ pssMb }) => pssMb)),
  };
}

function idle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, IDLE_MS));
}
