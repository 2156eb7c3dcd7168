/** How long it takes from the command to the first byte back through every forward. */
import { LONG_RTT_MS, type Bench } from "../harness/bench.ts";
import type { Figure, Goal } from "../harness/figures.ts";
import { echoLinks, Forwarder, toolsByTurns } from "../harness/forwarders.ts";

export async function upOne(bench: Bench): Promise<Figure[]> {
  const goal = { of: "ratio", is: "<=", limit: 0.7 } as const;
  const near = await start(bench, { name: "up-1, RTT 0 ms", forwards: 1, env: bench.env, goal });
  const env = await bench.longWayEnv();
  const far = await start(bench, { name: `up-1, RTT ${LONG_RTT_MS} ms`, forwards: 1, env, goal });
  return [near, far];
}

/** kubectl needs a process for each, and they are started side by side. */
export async function upTen(bench: Bench): Promise<Figure[]> {
  const goal = { of: "ratio", is: "<=", limit: 0.3 } as const;
  return [await start(bench, { name: "up-10, RTT 0 ms", forwards: 10, env: bench.env, goal })];
}

interface Start {
  readonly name: string;
  readonly forwards: number;
  readonly env: NodeJS.ProcessEnv;
  readonly goal: Goal;
}

async function start(bench: Bench, { name, forwards, env, goal }: Start): Promise<Figure> {
  const { kubectl, kfwd } = await toolsByTurns(bench.rounds, async (tool) => {
    await using forwarder = Forwarder.start(bench, tool, await echoLinks(forwards), env);
    return await forwarder.firstEcho();
  });
  return { name, unit: "ms", theirs: kubectl, ours: kfwd, goal };
}
