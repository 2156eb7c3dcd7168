/** What `via: relay` gives to TCP, and what it costs, against kfwd's direct way. */
import type { Bench } from "../harness/bench.ts";
import type { Figure } from "../harness/figures.ts";
import { Forwarder, type Link } from "../harness/forwarders.ts";
import { ECHO_PORT, PAUSE_MS, PAUSE_PORT, SEND_PORT, serviceName, TAKE_PORT } from "../harness/manifests.ts";
import { freePorts } from "../harness/ports.ts";
import { byTurns, quantile } from "../harness/statistics.ts";

const MIB = 256;
const BYTES = MIB * 1024 * 1024;

const CROWD = 1_000;
const CROWD_BYTES = 16 * 1024;

/** The direct way takes a second for each. */
const CLOSINGS = { direct: 5, relay: 200 } as const;

type Way = keyof typeof CLOSINGS;

interface Costs {
  readonly closingMs: number;
  readonly downRate: number;
  readonly upRate: number;
  readonly crowdMs: number;
  /** From the question to the end of an answer that begins {@link PAUSE_MS} after the client's end. */
  readonly lateMs: number;
}

export async function relay(bench: Bench): Promise<Figure[]> {
  const { direct, relay: relayed } = await byTurns<Way, Costs>(bench.rounds, {
    direct: () => oneRound(bench, "direct"),
    relay: () => oneRound(bench, "relay"),
  });
  const figure = (name: string, unit: Figure["unit"], of: keyof Costs, goal?: Figure["goal"]): Figure => ({
    name: `relay, ${name}`,
    unit,
    peer: of === "lateMs" ? "the application's own pause" : "kfwd direct",
    theirs: direct.map((costs) => costs[of]),
    ours: relayed.map((costs) => costs[of]),
    ...(goal && { goal }),
  });
  return [
    figure("exchange that the server closes, p50", "ms", "closingMs", { of: "value", is: "<=", limit: 5 }),
    figure("answer 5 s after a half-close, whole", "ms", "lateMs", { of: "ratio", is: "<=", limit: 1.1 }),
    figure("down", "MiB/s", "downRate", { of: "ratio", is: ">=", limit: 0.8 }),
    figure("up", "MiB/s", "upRate", { of: "ratio", is: ">=", limit: 0.8 }),
    figure(`${CROWD} at once, every byte`, "ms", "crowdMs"),
  ];
}

async function oneRound(bench: Bench, way: Way): Promise<Costs> {
  const ports = [ECHO_PORT, SEND_PORT, TAKE_PORT, PAUSE_PORT];
  const local = await freePorts(ports.length);
  const links = ports.map((port, i): Link => {
    const link = { service: serviceName(0), port, localPort: local[i] ?? 0 };
    return way === "relay" ? { ...link, through: "relay" } : link;
  });
  const [, send = 0, take = 0, pause = 0] = local;
  await using forwarder = Forwarder.start(bench, "kfwd", links, bench.env);
  await forwarder.firstEcho();
  const { client } = bench;
  const rate = async (task: "download" | "upload", port: number): Promise<number> => {
    const { ms } = await forwarder.whileItRuns(client.ask(task, { port, streams: 1, bytes: BYTES }));
    return MIB / (ms / 1_000);
  };
  const closed = await forwarder.whileItRuns(client.ask("closings", { port: send, count: CLOSINGS[way] }));
  const crowd = { port: send, streams: CROWD, bytes: CROWD_BYTES };
  return {
    closingMs: quantile(closed.ms, 0.5),
    downRate: await rate("download", send),
    upRate: await rate("upload", take),
    crowdMs: (await forwarder.whileItRuns(client.ask("download", crowd))).ms,
    lateMs:
      way === "relay"
        ? (await forwarder.whileItRuns(client.ask("lateAnswer", { port: pause }))).ms
        : PAUSE_MS,
  };
}
