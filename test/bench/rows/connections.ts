/** How many short connections a second a forward takes, and what they cost. */
import type { Bench } from "../harness/bench.ts";
import type { Figure } from "../harness/figures.ts";
import { echoLinks, Forwarder, toolsByTurns, type Tool } from "../harness/forwarders.ts";
import { cpuSeconds, memory } from "../harness/procfs.ts";

const COUNT = 5_000;
const AT_ONCE = 16;

export async function connections(bench: Bench): Promise<Figure[]> {
  const { kubectl, kfwd } = await toolsByTurns(bench.rounds, (tool) => oneRound(bench, tool));
  const figure = (name: string, unit: Figure["unit"], of: keyof Costs): Figure => ({
    name: `connections, ${name}`,
    unit,
    theirs: kubectl.map((costs) => costs[of]),
    ours: kfwd.map((costs) => costs[of]),
  });
  return [
    { ...figure(`${AT_ONCE} at a time`, "per s", "rate"), goal: { of: "ratio", is: ">=", limit: 1.3 } },
    { ...figure("CPU", "CPU s/1000", "cpu"), goal: { of: "ratio", is: "<=", limit: 0.8 } },
    { ...figure(`RSS after ${COUNT}`, "MB", "rssMb"), goal: { of: "value", is: "<=", limit: 85 } },
  ];
}

interface Costs {
  readonly rate: number;
  /** Seconds of the forwarder's process for 1000. */
  readonly cpu: number;
  readonly rssMb: number;
}

async function oneRound(bench: Bench, tool: Tool): Promise<Costs> {
  const links = await echoLinks(1);
  const port = links[0]?.localPort ?? 0;
  await using forwarder = Forwarder.start(bench, tool, links, bench.env);
  await forwarder.firstEcho();
  const [pid = 0] = forwarder.pids;
  const before = cpuSeconds(pid);
  const asked = bench.client.ask("connections", { port, count: COUNT, atOnce: AT_ONCE });
  const { ms, failed } = await forwarder.whileItRuns(asked);
  if (failed > 0) console.error(`odd: ${failed} of ${COUNT} connections through ${tool} failed`);
  return {
    rate: (COUNT - failed) / (ms / 1_000),
    cpu: ((cpuSeconds(pid) - before) / COUNT) * 1_000,
    rssMb: memory(pid).rssMb,
  };
}
