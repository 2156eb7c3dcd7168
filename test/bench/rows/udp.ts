/** Datagrams to an echo and back: what is lost, and how long the rest takes, against the pod's own loopback. */
import { bundle } from "../harness/bundle.ts";
import type { Bench } from "../harness/bench.ts";
import type { Figure } from "../harness/figures.ts";
import { echoLinks, Forwarder, toolsByTurns, type Link } from "../harness/forwarders.ts";
import { appName, ECHO_PORT, serviceName } from "../harness/manifests.ts";
import { freePorts } from "../harness/ports.ts";
import { byTurns } from "../harness/statistics.ts";
import type { Tasks } from "../programs/tasks.ts";

const SECONDS = 3;

type Fate = Tasks["datagrams"]["answer"];

interface Load {
  readonly size: number;
  readonly perSecond: number;
  /** At most, in ms. */
  readonly goals: { readonly p50?: number; readonly p99?: number };
}

const LOADS: readonly Load[] = [
  { size: 200, perSecond: 1_000, goals: { p50: 0.8, p99: 5 } },
  { size: 200, perSecond: 10_000, goals: { p50: 2, p99: 50 } },
  { size: 1_200, perSecond: 10_000, goals: {} },
];

const LIMIT = "loopback in the pod";

export async function udp(bench: Bench): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const load of LOADS) figures.push(...(await measure(bench, load)));
  return figures;
}

/** From `up` to the first answer to a datagram: a relay pod has to be made. */
export async function udpUp(bench: Bench): Promise<Figure[]> {
  const { kubectl, kfwd } = await toolsByTurns(bench.rounds, async (tool) => {
    const links = tool === "kfwd" ? await udpLinks() : await echoLinks(1);
    await using forwarder = Forwarder.start(bench, tool, links, bench.env);
    return tool === "kfwd" ? await forwarder.firstDatagram() : await forwarder.firstEcho();
  });
  const goal = { of: "value", is: "<=", limit: 2_500 } as const;
  const peer = "kubectl's first TCP echo";
  return [{ name: "udp-up, first answer", unit: "ms", peer, theirs: kubectl, ours: kfwd, goal }];
}

async function measure(bench: Bench, { size, perSecond, goals }: Load): Promise<Figure[]> {
  const ask = { size, perSecond, seconds: SECONDS };
  const program = await bundle("loopback");
  const { loopback, kfwd } = await byTurns<"loopback" | "kfwd", Fate>(bench.rounds, {
    loopback: async () => {
      const inPod = ["exec", "--namespace", bench.cluster.namespace, appName(0), "--"];
      const task = JSON.stringify({ port: ECHO_PORT, ...ask });
      return JSON.parse(await bench.cluster.kubectl([...inPod, "node", "-e", program, task])) as Fate;
    },
    kfwd: async () => {
      const links = await udpLinks();
      await using forwarder = Forwarder.start(bench, "kfwd", links, bench.env);
      await forwarder.firstDatagram();
      const port = links[0]?.localPort ?? 0;
      return await forwarder.whileItRuns(bench.client.ask("datagrams", { port, ...ask }));
    },
  });
  const figure = (what: string, unit: Figure["unit"], of: keyof Fate, limit?: number): Figure => ({
    name: `udp, ${size} B at ${perSecond}/s, ${what}`,
    unit,
    peer: LIMIT,
    theirs: loopback.map((fate) => fate[of]),
    ours: kfwd.map((fate) => fate[of]),
    ...(limit === undefined ? {} : { goal: { of: "value", is: "<=", limit } }),
  });
  return [
    figure("lost", "%", "lostPercent", 0),
    figure("p50", "ms", "p50", goals.p50),
    figure("p99", "ms", "p99", goals.p99),
  ];
}

async function udpLinks(): Promise<Link[]> {
  const [localPort = 0] = await freePorts(1);
  return [{ service: serviceName(0), port: ECHO_PORT, localPort, through: "udp" }];
}
