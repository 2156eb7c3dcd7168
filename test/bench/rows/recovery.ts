/** How soon a forward is back, and what is lost, when what it needs goes away. */
import type { Socket } from "node:net";
import { dial, expectEcho } from "../../rig/client.ts";
import { StreamOfClients } from "../../rig/stream-of-clients.ts";
import { nowMs } from "../programs/tasks.ts";
import type { Bench } from "../harness/bench.ts";
import type { Figure } from "../harness/figures.ts";
import { echoLinks, Forwarder, toolsByTurns, type Tool } from "../harness/forwarders.ts";
import { ECHO_PORT } from "../harness/manifests.ts";
import { freePorts } from "../harness/ports.ts";

/** Who has not noticed by then has not noticed. */
const UNNOTICED_MS = 60_000;

/** Each takes a minute and more. */
const ROUNDS_MAX = 3;

const FORWARDS = 20;

/** How long the API server is away: longer than the first tries. */
const AWAY_MS = 5_000;

const CLIENTS_PER_SECOND = 20;

/** Clients before anything happens, and after it is over. */
const CALM_MS = 2_000;

/** From the moment when nothing comes through any more until the client of an open connection is told. */
export async function deadPeer(bench: Bench): Promise<Figure[]> {
  const { kubectl, kfwd } = await toolsByTurns(rounds(bench), async (tool) => {
    await using way = await bench.faultWay();
    const links = await echoLinks(1);
    await using forwarder = Forwarder.start(bench, tool, links, { ...bench.env, KUBECONFIG: way.kubeconfig });
    await forwarder.firstEcho();
    const socket = await dial(links[0]?.localPort ?? 0);
    await expectEcho(socket);
    way.proxy.add({ kind: "blackhole", forgets: true });
    return await untilTold(socket);
  });
  const goal = { of: "value", is: "<=", limit: 16_000 } as const;
  return [{ name: "dead-peer, client told", unit: "ms", theirs: kubectl, ours: kfwd, goal }];
}

function untilTold(socket: Socket): Promise<number> {
  const startedMs = nowMs();
  return new Promise((resolve) => {
    const late = setTimeout(() => socket.destroy(), UNNOTICED_MS);
    socket.resume().once("end", () => socket.destroy());
    socket.once("close", () => {
      clearTimeout(late);
      resolve(nowMs() - startedMs);
    });
  });
}

/** From the moment when the API server takes connections again until all forwards serve; kubectl is started again when it ends. */
export async function apiRestart(bench: Bench): Promise<Figure[]> {
  const { kubectl, kfwd } = await toolsByTurns(rounds(bench), async (tool) => {
    await using way = await bench.faultWay();
    const links = await echoLinks(FORWARDS);
    const env = { ...bench.env, KUBECONFIG: way.kubeconfig };
    await using forwarder = Forwarder.startForEver(bench, tool, links, env);
    await forwarder.firstEcho();
    way.proxy.refuse();
    await sleep(AWAY_MS);
    await way.proxy.open();
    const backMs = nowMs();
    return (await forwarder.firstEchoAt()) - backMs;
  });
  const name = `api-restart, ${FORWARDS} forwards serve again`;
  return [{ name, unit: "ms", theirs: kubectl, ours: kfwd, goal: { of: "value", is: "<=", limit: 5_000 } }];
}

/** How many of a steady stream of new clients fail when all pods of an app are deleted by force. */
export async function deleteAll(bench: Bench): Promise<Figure[]> {
  const { cluster } = bench;
  const app = "victims";
  await cluster.deployApp(app, 2);
  const settled = [
    "rollout",
    "status",
    `deployment/${app}`,
    `--namespace=${cluster.namespace}`,
    "--timeout=120s",
  ];
  const measure = async (tool: Tool): Promise<number> => {
    await cluster.kubectl(settled);
    const [localPort = 0] = await freePorts(1);
    const links = [{ service: app, port: ECHO_PORT, localPort }];
    await using forwarder = Forwarder.startForEver(bench, tool, links, bench.env);
    await forwarder.firstEcho();
    const clients = new StreamOfClients(localPort, CLIENTS_PER_SECOND);
    try {
      await sleep(CALM_MS);
      const deletedMs = performance.now();
      const all = ["delete", "pods", `--selector=app=${app}`, `--namespace=${cluster.namespace}`];
      await cluster.kubectl([...all, "--force", "--grace-period=0", "--wait=false"]);
      await cluster.kubectl(settled);
      await sleep(CALM_MS);
      const visits = await clients.end();
      const failed = visits.filter(({ failure }) => failure !== undefined);
      const late = failed.filter(({ startedMs }) => startedMs > deletedMs).length;
      console.error(
        `  ${tool}: ${failed.length} of ${visits.length} failed, ${late} of them came after the order`,
      );
      return failed.length;
    } finally {
      await clients.end();
    }
  };
  const { kubectl, kfwd } = await toolsByTurns(rounds(bench), measure);
  const name = `delete-all, of ${CLIENTS_PER_SECOND} new clients a second`;
  return [{ name, unit: "failed", theirs: kubectl, ours: kfwd, goal: { of: "value", is: "<=", limit: 1 } }];
}

function rounds({ rounds: wanted }: Bench): number {
  return Math.min(wanted, ROUNDS_MAX);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
