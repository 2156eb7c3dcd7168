/** How long a new connection through a running forward takes to its first byte back. */
import { LONG_RTT_MS, type Bench } from "../harness/bench.ts";
import type { Figure, Goal } from "../harness/figures.ts";
import { echoLinks, Forwarder, toolsByTurns, type Tool } from "../harness/forwarders.ts";
import { quantile } from "../harness/statistics.ts";

const AT_ONCE = 32;
const LATER_BURSTS = 3;

/** Lets what the last connections set off come to its end, on both sides. */
const SETTLE_MS = 500;

export async function firstByte(bench: Bench): Promise<Figure[]> {
  const near = await measure(bench, {
    rttMs: 0,
    env: bench.env,
    sequential: 200,
    goals: { sequential: atMost(0.65), burst: undefined },
  });
  const far = await measure(bench, {
    rttMs: LONG_RTT_MS,
    env: await bench.longWayEnv(),
    sequential: 40, // kubectl takes three round trips for each
    goals: { sequential: atMost(0.35), burst: atMost(0.45) },
  });
  return [...near, ...far];
}

interface Distance {
  readonly rttMs: number;
  readonly env: NodeJS.ProcessEnv;
  /** Connections one after the other, in each round. */
  readonly sequential: number;
  readonly goals: { readonly sequential: Goal; readonly burst: Goal | undefined };
}

/** Of one round, in ms. A tool may prepare for the first burst less well than for those that follow. */
interface Times {
  readonly p50: number;
  readonly p99: number;
  readonly firstBurst: number;
  readonly laterBursts: number;
}

async function measure(bench: Bench, distance: Distance): Promise<Figure[]> {
  const { kubectl, kfwd } = await toolsByTurns(bench.rounds, (tool) => oneRound(bench, tool, distance));
  const { rttMs, goals } = distance;
  const figure = (name: string, of: keyof Times, goal: Goal | undefined): Figure => ({
    name: `first-byte, RTT ${rttMs} ms, ${name}`,
    unit: "ms",
    theirs: kubectl.map((times) => times[of]),
    ours: kfwd.map((times) => times[of]),
    ...(goal ? { goal } : {}),
  });
  return [
    figure("p50", "p50", goals.sequential),
    figure("p99", "p99", undefined),
    figure(`${AT_ONCE} at once, first time, p50`, "firstBurst", undefined),
    figure(`${AT_ONCE} at once, p50`, "laterBursts", goals.burst),
  ];
}

async function oneRound(bench: Bench, tool: Tool, { env, sequential }: Distance): Promise<Times> {
  const links = await echoLinks(1);
  const port = links[0]?.localPort ?? 0;
  await using forwarder = Forwarder.start(bench, tool, links, env);
  await forwarder.firstEcho();
  const connect = async (count: number, atOnce: number): Promise<readonly number[]> => {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const { ms } = await forwarder.whileItRuns(bench.client.ask("firstBytes", { port, count, atOnce }));
    return ms;
  };
  const single = await connect(sequential, 1);
  const first = await connect(AT_ONCE, AT_ONCE);
  const later: number[] = [];
  for (let burst = 0; burst < LATER_BURSTS; burst++) later.push(...(await connect(AT_ONCE, AT_ONCE)));
  return {
    p50: quantile(single, 0.5),
    p99: quantile(single, 0.99),
    firstBurst: quantile(first, 0.5),
    laterBursts: quantile(later, 0.5),
  };
}

function atMost(limit: number): Goal {
  return { of: "ratio", is: "<=", limit };
}
