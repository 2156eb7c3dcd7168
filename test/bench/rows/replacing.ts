/** What clients notice while the pods behind a forward are replaced, and how soon the new pod serves them. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Bench } from "../harness/bench.ts";
import type { Figure } from "../harness/figures.ts";
import { Forwarder, toolsByTurns, type Link, type Tool } from "../harness/forwarders.ts";
import { ECHO_PORT } from "../harness/manifests.ts";
import { freePorts } from "../harness/ports.ts";
import { quantile } from "../harness/statistics.ts";
import { nowMs, type Tasks } from "../programs/tasks.ts";

type Visits = Tasks["steady"]["answer"]["visits"];

const ROLLED = "rolled";
const REPLACED = "replaced";

const PER_SECOND = 100;

/** Longer than a rolling update of two replicas takes. */
const ROLLOUT_MS = 15_000;

/** The only pod is replaced so often. */
const REPLACEMENTS = 25;

/** Clients are held for so long: a pod that takes longer to come says nothing of the forward. */
const HOLD_MS = 10_000;

/** A pod is replaced in less. */
const REPLACEMENT_MS = 30_000;

export async function rollout(bench: Bench): Promise<Figure[]> {
  await bench.cluster.deployApp(ROLLED, 2);
  const { kubectl, kfwd } = await toolsByTurns(bench.rounds, async (tool) => {
    await using forwarder = await forward(bench, tool, ROLLED);
    const clients = forwarder.clients(ROLLOUT_MS);
    await pause(1_000);
    await bench.cluster.kubectl([...bench.cluster.in(), "rollout", "restart", `deployment/${ROLLED}`]);
    await bench.cluster.kubectl([...bench.cluster.in(), "rollout", "status", `deployment/${ROLLED}`]);
    return failedOf(`${tool}, rolling update`, await clients);
  });
  const name = `rollout, failed of ${(ROLLOUT_MS / 1_000) * PER_SECOND}`;
  return [{ name, unit: "failed", theirs: kubectl, ours: kfwd, goal: { of: "value", is: "<=", limit: 0 } }];
}

/** kubectl is left out: it ends with the pod it forwards to. */
export async function replace(bench: Bench): Promise<Figure[]> {
  await bench.cluster.deployApp(REPLACED, 1);
  const waits: number[] = [];
  const failed: number[] = [];
  for (let round = 0; round < REPLACEMENTS; round++) {
    await using forwarder = await forward(bench, "kfwd", REPLACED);
    await using pods = await Pods.watch(bench, REPLACED);
    const old = [...pods.ready][0] ?? "";
    const clients = forwarder.clients(6_000);
    await pause(500);
    const args = ["delete", "pod", old, "--wait=false"];
    await bench.cluster.kubectl([...bench.cluster.in(), ...args]);
    const deletedAtMs = nowMs();
    const readyAtMs = await pods.another(old);
    const tookMs = Math.round(readyAtMs - deletedAtMs);
    const visits = await clients;
    const lost = failedOf(`kfwd, replacement ${round + 1} in ${tookMs} ms`, visits);
    failed.push(tookMs < HOLD_MS ? lost : 0);
    const served = visits.filter(({ ok }) => ok).map(({ endedAtMs }) => endedAtMs - readyAtMs);
    waits.push(Math.min(...served.filter((ms) => ms > 0)));
  }
  const alone = (name: string, value: number, unit: Figure["unit"], limit: number): Figure => ({
    name: `replace, ${name}`,
    unit,
    peer: "itself",
    theirs: [value],
    ours: [value],
    goal: { of: "value", is: "<=", limit },
  });
  return [
    alone(
      `failed in ${REPLACEMENTS}`,
      failed.reduce((sum, n) => sum + n, 0),
      "failed",
      0,
    ),
    alone("ready to served, p50", quantile(waits, 0.5), "ms", 100),
    alone("ready to served, p99", quantile(waits, 0.99), "ms", 1_000),
  ];
}

interface Forwarded extends AsyncDisposable {
  readonly clients: (forMs: number) => Promise<Visits>;
}

async function forward(bench: Bench, tool: Tool, service: string): Promise<Forwarded> {
  const [localPort = 0] = await freePorts(1);
  const link: Link = { service, port: ECHO_PORT, localPort };
  const forwarder = Forwarder.start(bench, tool, [link], bench.env);
  await forwarder.firstEcho();
  return {
    // Not only while it runs: that kubectl ends is a finding, too.
    clients: async (forMs) =>
      (await bench.client.ask("steady", { port: localPort, perSecond: PER_SECOND, forMs })).visits,
    [Symbol.asyncDispose]: () => forwarder[Symbol.asyncDispose](),
  };
}

function failedOf(what: string, visits: Visits): number {
  const failed = visits.filter(({ ok }) => !ok).length;
  const longest = Math.max(...visits.filter(({ ok }) => ok).map(({ atMs, endedAtMs }) => endedAtMs - atMs));
  console.error(
    `  ${what}: ${failed} of ${visits.length} failed, the longest wait ${Math.round(longest)} ms`,
  );
  return failed;
}

/** The pods of an app, by a watch of the bench's own. */
class Pods implements AsyncDisposable {
  readonly ready = new Set<string>();
  readonly #end: () => void;
  #look: () => void = () => {};

  static async watch(bench: Bench, app: string): Promise<Pods> {
    const selector = `labelSelector=app%3D${app}&watch=true&timeoutSeconds=600`;
    const path = `/api/v1/namespaces/${bench.cluster.namespace}/pods?${selector}`;
    const child = spawn("kubectl", ["get", "--raw", path], {
      env: bench.env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    bench.cleanup.own({ [Symbol.asyncDispose]: async () => void child.kill() });
    const pods = new Pods(() => void child.kill());
    createInterface(child.stdout).on("line", (line) => pods.#take(JSON.parse(line) as PodEvent));
    await pods.#until(() => pods.ready.size > 0);
    return pods;
  }

  private constructor(end: () => void) {
    this.#end = end;
  }

  /** When another pod than this one is ready, by {@link nowMs}. */
  async another(than: string): Promise<number> {
    await this.#until(() => [...this.ready].some((name) => name !== than));
    return nowMs();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
  }

  #take({ type, object: { metadata, status } }: PodEvent): void {
    const isReady = status.conditions?.some((one) => one.type === "Ready" && one.status === "True") ?? false;
    if (type !== "DELETED" && isReady && metadata.deletionTimestamp === undefined)
      this.ready.add(metadata.name);
    else this.ready.delete(metadata.name);
    this.#look();
  }

  #until(met: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("no pod became ready")), REPLACEMENT_MS);
      this.#look = () => {
        if (!met()) return;
        clearTimeout(late);
        resolve();
      };
      this.#look();
    });
  }
}

interface PodEvent {
  readonly type: string;
  readonly object: {
    readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
    readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
