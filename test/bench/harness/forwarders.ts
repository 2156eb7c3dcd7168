/** The contestants: what forwards the bench's services, ours and the peer. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nowMs } from "../programs/tasks.ts";
import type { Bench } from "./bench.ts";
import { Child } from "./child.ts";
import { ECHO_PORT, serviceName } from "./manifests.ts";
import { freePorts } from "./ports.ts";
import { byTurns } from "./statistics.ts";

/** One local port to one port of a service. */
export interface Link {
  readonly service: string;
  readonly port: number;
  readonly localPort: number;
  /** What kfwd sends through its relay pod; kubectl has none. */
  readonly through?: "udp" | "relay";
}

export type Tool = "kubectl" | "kfwd";

/** Links on fresh local ports to the first `count` services. */
export async function echoLinks(count: number): Promise<Link[]> {
  const ports = await freePorts(count);
  return ports.map((localPort, index) => ({ service: serviceName(index), port: ECHO_PORT, localPort }));
}

/** A tool that forwards, in one process or in several. Disposing ends it as a user would. */
export class Forwarder implements AsyncDisposable {
  readonly #bench: Bench;
  readonly #children: readonly Child[];
  readonly #links: readonly Link[];
  readonly #startedAtMs: number;

  /** kubectl takes one process a service, kfwd one for all: a foreground `up`. */
  static start(bench: Bench, tool: Tool, links: readonly Link[], env: NodeJS.ProcessEnv): Forwarder {
    const startedAtMs = nowMs();
    const children = tool === "kfwd" ? [startKfwd(bench, links, env)] : startKubectl(bench, links, env);
    return new Forwarder(bench, children, links, startedAtMs);
  }

  /** The same, but kubectl is started again whenever it ends, as people do in a shell. */
  static startForEver(bench: Bench, tool: Tool, links: readonly Link[], env: NodeJS.ProcessEnv): Forwarder {
    if (tool === "kfwd") return Forwarder.start(bench, tool, links, env);
    const startedAtMs = nowMs();
    const children = kubectlCommands(bench, links).map(
      (args) => new Child(bench.cleanup, "sh", ["-c", FOR_EVER, "kubectl", ...args], { env }),
    );
    return new Forwarder(bench, children, links, startedAtMs);
  }

  private constructor(bench: Bench, children: readonly Child[], links: readonly Link[], startedAtMs: number) {
    this.#bench = bench;
    this.#children = children;
    this.#links = links;
    this.#startedAtMs = startedAtMs;
  }

  get pids(): readonly number[] {
    return this.#children.map(({ pid }) => pid);
  }

  /** From its start until every echo port has sent something back, in ms. */
  async firstEcho(): Promise<number> {
    return (await this.firstEchoAt()) - this.#startedAtMs;
  }

  /** When every echo port has sent something back on a new connection, on {@link nowMs}. */
  async firstEchoAt(): Promise<number> {
    const isEcho = ({ port, through }: Link): boolean => port === ECHO_PORT && through !== "udp";
    const ports = this.#links.filter(isEcho).map(({ localPort }) => localPort);
    const { atMs, broken } = await this.whileItRuns(this.#bench.client.ask("firstEcho", { ports }));
    if (broken > 0) console.error(`odd: ${broken} accepted connections broke during a start`);
    return atMs;
  }

  /** From its start until the one UDP port there is has answered a datagram, in ms. */
  async firstDatagram(): Promise<number> {
    const port = this.#links.find(({ through }) => through === "udp")?.localPort ?? 0;
    const { atMs } = await this.whileItRuns(this.#bench.client.ask("firstDatagram", { port }));
    return atMs - this.#startedAtMs;
  }

  /** Resolves when it has printed this. @throws Error when it ends before. */
  printed(text: string): Promise<unknown> {
    return Promise.all(this.#children.map((child) => child.printed(text)));
  }

  /** The outcome of something that goes through it. @throws Error when it ends before. */
  whileItRuns<T>(outcome: Promise<T>): Promise<T> {
    return this.#children.reduce((rest, child) => child.whileItRuns(rest), outcome);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => child[Symbol.asyncDispose]()));
  }
}

/** What each tool does with the same links, measured by turns. */
export function toolsByTurns<T>(
  rounds: number,
  measure: (tool: Tool) => Promise<T>,
): Promise<Readonly<Record<Tool, readonly T[]>>> {
  return byTurns<Tool, T>(rounds, { kubectl: () => measure("kubectl"), kfwd: () => measure("kfwd") });
}

/** Writes a forwards.yaml with a forward for each link, in a folder of its own. Returns its path. */
export function writeForwards(bench: Bench, links: readonly Link[]): string {
  const folder = join(bench.folder, `project-${links[0]?.localPort}`);
  const forwards = Object.fromEntries(
    links.map(({ service, port, localPort, through }) => [
      `f${localPort}`,
      {
        target: `svc/${service}`,
        port,
        local: localPort,
        ...(through === "udp" && { protocol: "udp" }),
        ...(through === "relay" && { via: "relay" }),
      },
    ]),
  );
  const relay = links.some(({ through }) => through) ? { relay: { image: bench.cluster.image } } : {};
  const { namespace } = bench.cluster;
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "forwards.yaml");
  writeFileSync(file, JSON.stringify({ version: 1, namespace, ...relay, forwards }, null, 2));
  return file;
}

function startKfwd(bench: Bench, links: readonly Link[], env: NodeJS.ProcessEnv): Child {
  const args = bench.kfwd(["up", "--file", writeForwards(bench, links)]);
  return new Child(bench.cleanup, process.execPath, args, { env, endSignal: "SIGINT" });
}

/** A shell that ends its kubectl when it is asked to end. */
const FOR_EVER =
  'trap "kill \\$child; exit 0" TERM; while :; do kubectl "$@" & child=$!; wait $child; sleep 0.2; done';

function startKubectl(bench: Bench, links: readonly Link[], env: NodeJS.ProcessEnv): Child[] {
  return kubectlCommands(bench, links).map((args) => new Child(bench.cleanup, "kubectl", args, { env }));
}

function kubectlCommands(bench: Bench, links: readonly Link[]): string[][] {
  const { namespace } = bench.cluster;
  const services = new Set(links.map(({ service }) => service));
  return [...services].map((service) => {
    const ports = links.filter((link) => link.service === service).map((l) => `${l.localPort}:${l.port}`);
    return ["port-forward", "--namespace", namespace, `svc/${service}`, ...ports];
  });
}
