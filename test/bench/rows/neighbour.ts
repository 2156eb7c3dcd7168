/** What a connection costs its neighbours that does not read, or is not read. */
import type { Bench } from "../harness/bench.ts";
import type { Figure } from "../harness/figures.ts";
import { Forwarder, toolsByTurns, type Link, type Tool } from "../harness/forwarders.ts";
import { ECHO_PORT, LATE_PORT, SEND_PORT, serviceName } from "../harness/manifests.ts";
import { freePorts } from "../harness/ports.ts";
import { quantile } from "../harness/statistics.ts";

const BYTES = 64 * 1024 * 1024;

/** A neighbour that had no byte by then is counted with this. */
const DEADLINE_MS = 1_000;

/** All of kubectl's neighbours wait for the deadline. */
const COUNT: Readonly<Record<Tool, number>> = { kubectl: 3, kfwd: 100 };

export async function neighbour(bench: Bench): Promise<Figure[]> {
  return [await besideStalled(bench, "reader", SEND_PORT), await besideStalled(bench, "writer", LATE_PORT)];
}

async function besideStalled(bench: Bench, by: "reader" | "writer", stalledPort: number): Promise<Figure> {
  const { kubectl, kfwd } = await toolsByTurns(bench.rounds, async (tool) => {
    const [echo = 0, stalled = 0] = await freePorts(2);
    const service = serviceName(0);
    const links: Link[] = [
      { service, port: ECHO_PORT, localPort: echo },
      { service, port: stalledPort, localPort: stalled },
    ];
    await using forwarder = Forwarder.start(bench, tool, links, bench.env);
    await forwarder.firstEcho();
    const asked = bench.client.ask("neighbours", {
      port: echo,
      count: COUNT[tool],
      deadlineMs: DEADLINE_MS,
      stalled: { by, port: stalled, bytes: BYTES },
    });
    // kubectl may give up the stalled one; ours may not.
    const { ms } = await forwarder.whileItRuns(
      tool === "kfwd" ? asked : asked.catch(() => ({ ms: [DEADLINE_MS] })),
    );
    return quantile(ms, 0.5);
  });
  return {
    name: `neighbour, one ${by} stalled, p50`,
    unit: "ms",
    theirs: kubectl,
    ours: kfwd,
    goal: { of: "value", is: "<=", limit: 3 },
  };
}
