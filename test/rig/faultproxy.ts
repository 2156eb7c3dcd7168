import { once } from "node:events";
import { connect, createServer, isIP, type Server, type Socket } from "node:net";
import { realClock } from "../../src/runtime/clock.ts";
import type { Clock, Random } from "../../src/runtime/deps.ts";
import { diceOf } from "../puppets/app.mjs";
import { Lane, type Fault } from "./faultlane.ts";
import { freePort } from "./freeport.ts";

/** So much is read ahead of a lane that is slow or shut. */
const READ_AHEAD_BYTES = 1024 * 1024;

/** `up` is towards the server. */
export type Direction = "up" | "down";

/** What a fault applies to; without more words: both directions of all connections, also of those to come. */
export interface Scope {
  readonly direction?: Direction;
  /** By the number of the connection, which count from 1. */
  readonly only?: (connection: number) => boolean;
}

interface Rule {
  readonly fault: Fault;
  readonly scope: Scope;
}

/** What has gone through a proxy; connections that are open now, and all there have been. */
export interface Counters {
  readonly open: number;
  readonly accepted: number;
  /** Connections that the proxy itself reset, or cut. */
  readonly resets: number;
  readonly cuts: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly pieces: number;
  readonly lostBytes: number;
}

/** How a proxy gets its numbers and its time. */
export interface FaultProxyOptions {
  readonly host: string;
  readonly port: number;
  /** The same seed makes the same pieces and delays. Default 1. */
  readonly seed?: number;
  readonly clock?: Clock;
}

/** A TCP proxy that passes TLS through, and does to it what networks do. Faults come and go while it runs. */
export class FaultProxy implements AsyncDisposable {
  readonly clock: Clock;
  readonly random: Random;
  readonly #to: { readonly host: string; readonly port: number };
  readonly #port: number;
  readonly #rules = new Set<Rule>();
  readonly #links = new Map<number, Link>();
  readonly #past = { accepted: 0, resets: 0, cuts: 0, bytesUp: 0, bytesDown: 0, pieces: 0, lostBytes: 0 };
  #server: Server | undefined;

  private constructor({ host, port, seed = 1, clock = realClock }: FaultProxyOptions, ownPort: number) {
    this.#to = { host, port };
    this.#port = ownPort;
    this.clock = clock;
    this.random = diceOf(seed);
  }

  /** Listens on a port of 127.0.0.1 when it resolves. */
  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options, await freePort()); // nobody takes it while the proxy refuses
    await proxy.open();
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  get counters(): Counters {
    const sum = { ...this.#past, open: this.#links.size };
    for (const link of this.#links.values()) link.addTo(sum);
    return sum;
  }

  /** The fault is in force until it is disposed. */
  add(fault: Fault, scope: Scope = {}): Disposable {
    const rule = { fault, scope };
    this.#rules.add(rule);
    this.#lookAgain();
    return {
      [Symbol.dispose]: () => {
        this.#rules.delete(rule);
        this.#lookAgain();
      },
    };
  }

  /** Takes all faults away. */
  clear(): void {
    this.#rules.clear();
    this.#lookAgain();
  }

  /** Resets connections that stand now, all unless it says which. */
  reset(only: (connection: number) => boolean = () => true): void {
    for (const [number, link] of this.#links) if (only(number)) link.reset();
  }

  /** The server is gone: its connections are reset, new ones refused. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
    this.reset();
  }

  /** The server is back, on the same port. */
  async open(): Promise<void> {
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#pass(client));
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#rules.clear();
    const server = this.#server;
    const closed = server && once(server, "close");
    this.refuse();
    await closed;
  }

  /** The faults in force for one direction of a connection. */
  faultsOf(connection: number, direction: Direction): readonly Fault[] {
    return [...this.#rules]
      .filter(
        ({ scope }) => (scope.direction ?? direction) === direction && (scope.only?.(connection) ?? true),
      )
      .map(({ fault }) => fault);
  }

  #lookAgain(): void {
    for (const link of this.#links.values()) link.look();
  }

  #pass(client: Socket): void {
    const number = ++this.#past.accepted;
    const server = connect({ ...this.#to, noDelay: true, allowHalfOpen: true });
    const link = new Link(this, number, client, server, (ended) => {
      this.#links.delete(number);
      if (ended.by === "reset") this.#past.resets++;
      if (ended.by === "cut") this.#past.cuts++;
      link.addTo(this.#past);
    });
    this.#links.set(number, link);
    link.look();
  }
}

type Sum = { bytesUp: number; bytesDown: number; pieces: number; lostBytes: number };

/** Two sockets and the lanes between them. */
class Link {
  readonly #proxy: FaultProxy;
  readonly #number: number;
  readonly #sockets: readonly [client: Socket, server: Socket];
  readonly #lanes: Readonly<Record<Direction, Lane>>;
  readonly #onEnd: (ended: { readonly by: "itself" | "reset" | "cut" }) => void;
  /** Since when each fault with a time of its own is known here. */
  readonly #metMs = new Map<Fault, number>();
  #lastByteMs: number;
  #timer: Disposable | undefined;
  #by: "itself" | "reset" | "cut" = "itself";
  #openSockets = 2;

  constructor(
    proxy: FaultProxy,
    number: number,
    client: Socket,
    server: Socket,
    onEnd: (ended: { readonly by: "itself" | "reset" | "cut" }) => void,
  ) {
    this.#proxy = proxy;
    this.#number = number;
    this.#sockets = [client, server];
    this.#onEnd = onEnd;
    this.#lastByteMs = proxy.clock.now();
    this.#lanes = { up: this.#lane(server, "up"), down: this.#lane(client, "down") };
    this.#join(client, this.#lanes.up, this.#lanes.down);
    this.#join(server, this.#lanes.down, this.#lanes.up);
  }

  addTo(sum: Sum): void {
    const { up, down } = this.#lanes;
    sum.bytesUp += up.counters.bytes;
    sum.bytesDown += down.counters.bytes;
    sum.pieces += up.counters.pieces + down.counters.pieces;
    sum.lostBytes += up.counters.lostBytes + down.counters.lostBytes;
  }

  /** The faults have changed, or a time has come. */
  look(): void {
    this.#timer?.[Symbol.dispose]();
    const nowMs = this.#proxy.clock.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const fault of this.#proxy.faultsOf(this.#number, "up")) {
      if (fault.kind !== "reset" && fault.kind !== "idleCut") continue;
      if (!this.#metMs.has(fault)) this.#metMs.set(fault, nowMs);
      const dueMs =
        fault.kind === "reset"
          ? (this.#metMs.get(fault) ?? nowMs) + fault.afterMs
          : this.#lastByteMs + fault.ms;
      if (dueMs <= nowMs) return fault.kind === "reset" ? this.reset() : this.#cut();
      nextMs = Math.min(nextMs, dueMs);
    }
    if (Number.isFinite(nextMs)) this.#timer = this.#proxy.clock.timer(nextMs - nowMs, () => this.look());
    for (const lane of Object.values(this.#lanes)) lane.look();
    this.#readOn();
  }

  reset(): void {
    this.#by = "reset";
    this.#dropLanes();
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #cut(): void {
    this.#by = "cut";
    this.#dropLanes();
    for (const socket of this.#sockets) socket.end(); // whoever does not end in turn has half of a connection
    this.#readOn();
  }

  #dropLanes(): void {
    for (const lane of Object.values(this.#lanes)) lane[Symbol.dispose]();
  }

  #readOn(): void {
    const [client, server] = this.#sockets;
    const { up, down } = this.#lanes;
    if (up.queuedBytes < READ_AHEAD_BYTES) client.resume();
    if (down.queuedBytes < READ_AHEAD_BYTES) server.resume();
  }

  #lane(to: Socket, direction: Direction): Lane {
    const { clock, random } = this.#proxy;
    const faults = (): readonly Fault[] => this.#proxy.faultsOf(this.#number, direction);
    return new Lane(
      { clock, random, faults },
      {
        write: (bytes) => {
          this.#readOn();
          return to.destroyed || to.write(bytes);
        },
        end: () => to.end(),
        reset: () => to.resetAndDestroy(),
        cut: () => this.#cut(),
      },
    );
  }

  #join(socket: Socket, away: Lane, towards: Lane): void {
    socket.on("data", (chunk: Buffer) => {
      this.#lastByteMs = this.#proxy.clock.now();
      away.push(chunk);
      if (away.queuedBytes >= READ_AHEAD_BYTES) socket.pause();
    });
    socket.on("end", () => away.push("end"));
    socket.on("drain", () => towards.drained());
    socket.on("error", () => {}); // `close` follows
    socket.on("close", () => {
      towards[Symbol.dispose]();
      if (!socket.readableEnded || !socket.writableFinished) away.push("broken");
      this.#readOn(); // what comes for one who is gone is nobody's
      if (--this.#openSockets > 0) return;
      this.#timer?.[Symbol.dispose]();
      this.#dropLanes();
      this.#onEnd({ by: this.#by });
    });
  }
}

/** In the certificate of every API server that is reached by address. */
const NAME_IN_EVERY_CERTIFICATE = "kubernetes";

/** The part of a kubeconfig that is changed. */
interface Kubeconfig {
  readonly clusters: readonly {
    readonly name: string;
    readonly cluster: Readonly<Record<string, unknown>>;
  }[];
}

/** Where the only cluster of a kubeconfig in JSON is. */
export function serverOf(kubeconfig: string): { readonly host: string; readonly port: number } {
  const { clusters } = JSON.parse(kubeconfig) as Kubeconfig;
  const server = clusters[0]?.cluster["server"];
  if (clusters.length !== 1 || typeof server !== "string")
    throw new Error("a kubeconfig of one cluster is wanted");
  const url = new URL(server);
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port || 443) };
}

/** The same kubeconfig by way of a proxy on 127.0.0.1; the server's certificate is still looked at. */
export function kubeconfigThrough(kubeconfig: string, proxyPort: number): string {
  const config = JSON.parse(kubeconfig) as Kubeconfig;
  const { host } = serverOf(kubeconfig);
  const clusters = config.clusters.map(({ name, cluster }) => {
    const server = new URL(String(cluster["server"]));
    server.host = `127.0.0.1:${proxyPort}`;
    const known = cluster["tls-server-name"] ?? (isIP(host) === 0 ? host : NAME_IN_EVERY_CERTIFICATE);
    const ofServer = host === "127.0.0.1" ? {} : { "tls-server-name": known };
    return { name, cluster: { ...cluster, server: server.href.replace(/\/$/, ""), ...ofServer } };
  });
  return JSON.stringify({ ...config, clusters }, null, 2);
}
