/** How fast one connection and several at once carry a lot, and what that costs the forwarder. */
import type { Bench } from "../harness/bench.ts";
import type { Figure, Goal } from "../harness/figures.ts";
import { Forwarder, toolsByTurns, type Tool } from "../harness/forwarders.ts";
import { ECHO_PORT, SEND_PORT, serviceName, TAKE_PORT } from "../harness/manifests.ts";
import { freePorts } from "../harness/ports.ts";
import { cpuSeconds, memory } from "../harness/procfs.ts";

const MIB = 256;
const BYTES = MIB * 1024 * 1024;
const AT_ONCE = 16;

export async function throughput(bench: Bench): Promise<Figure[]> {
  const { kubectl, kfwd } = await toolsByTurns(bench.rounds, (tool) => oneRound(bench, tool));
  const figure = (name: string, unit: Figure["unit"], of: keyof Costs): Figure => ({
    name: `throughput, ${name}`,
    unit,
    theirs: kubectl.map((costs) => costs[of]),
    ours: kfwd.map((costs) => costs[of]),
  });
  const goal = (is: Goal["is"], limit: number): { readonly goal: Goal } => ({
    goal: { of: "ratio", is, limit },
  });
  return [
    { ...figure("down", "MiB/s", "downRate"), ...goal(">=", 1.4) },
    { ...figure("up", "MiB/s", "upRate"), ...goal(">=", 1.35) },
    { ...figure(`${AT_ONCE} at once, down`, "MiB/s", "manyDownRate"), ...goal(">=", 2) },
    { ...figure(`${AT_ONCE} at once, up`, "MiB/s", "manyUpRate"), ...goal(">=", 2) },
    { ...figure("CPU down", "CPU s/GiB", "downCpu"), ...goal("<=", 0.5) },
    { ...figure("CPU up", "CPU s/GiB", "upCpu"), ...goal("<=", 0.7) },
    figure("RSS after", "MB", "rssMb"),
  ];
}

/** Rates in MiB/s, CPU in seconds a GiB, of the forwarder's process. */
interface Costs {
  readonly downRate: number;
  readonly downCpu: number;
  readonly upRate: number;
  readonly upCpu: number;
  readonly manyDownRate: number;
  readonly manyUpRate: number;
  readonly rssMb: number;
}

async function oneRound(bench: Bench, tool: Tool): Promise<Costs> {
  const service = serviceName(0);
  const [echo = 0, send = 0, take = 0] = await freePorts(3);
  const links = [
    { service, port: ECHO_PORT, localPort: echo },
    { service, port: SEND_PORT, localPort: send },
    { service, port: TAKE_PORT, localPort: take },
  ];
  await using forwarder = Forwarder.start(bench, tool, links, bench.env);
  await forwarder.firstEcho();
  const [pid = 0] = forwarder.pids;
  const measure = async (
    task: "download" | "upload",
    port: number,
    streams = 1,
  ): Promise<{ rate: number; cpu: number }> => {
    const before = cpuSeconds(pid);
    const transfer = { port, streams, bytes: BYTES / streams };
    const { ms } = await forwarder.whileItRuns(bench.client.ask(task, transfer));
    return { rate: MIB / (ms / 1_000), cpu: ((cpuSeconds(pid) - before) * 1024) / MIB };
  };
  const down = await measure("download", send);
  const up = await measure("upload", take);
  const manyDown = await measure("download", send, AT_ONCE);
  const manyUp = await measure("upload", take, AT_ONCE);
  return {
    downRate: down.rate,
    downCpu: down.cpu,
    upRate: up.rate,
    upCpu: up.cpu,
    manyDownRate: manyDown.rate,
    manyUpRate: manyUp.rate,
    rssMb: memory(pid).rssMb,
  };
}
