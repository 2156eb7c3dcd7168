import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { PodAddress } from "./addresses.ts";
import type { App, Apps, PodName, UdpApp, UdpApps } from "./apps.ts";
import { NodeProcess, type NodeCommand } from "./nodeprocess.ts";

/** Many tests send a burst. */
const UDP_BUFFER_BYTES = 4 * 1024 * 1024;

/** What came of dialling a port inside a pod. */
export type Dialled =
  | { readonly kind: "open"; readonly socket: Socket }
  /** Nothing listens there. */
  | { readonly kind: "refused" }
  /** The pod and its network are gone. */
  | { readonly kind: "gone" };

/** What runs in a pod. */
export interface PodPrograms {
  readonly apps: Apps;
  readonly udp?: UdpApps | undefined;
  readonly process?: NodeCommand | undefined;
  /** Why its image cannot be pulled, if so. */
  readonly pull?: string | undefined;
}

/** What a {@link PodHost} tells. */
export interface PodHostEvents {
  /** The number of its connections has changed. */
  onChange(): void;
  /** Its process has ended by itself. */
  onExit(status: number): void;
}

/**
 * The inside of one pod: each port that listens is a socket on 127.0.0.1 with a port of its own, and every connection
 * is real TCP, so that resets, refusals and full buffers are the kernel's. What other pods reach, datagrams among it,
 * listens on the pod's own address, where the system has one for it. Killed with the pod.
 */
export class PodHost {
  readonly pod: PodName;
  /** The pod's sandbox, as the container runtime's messages name it. */
  readonly sandboxId = randomBytes(32).toString("hex");
  readonly networkNamespace = `/var/run/netns/cni-${randomBytes(8).toString("hex")}`;
  readonly #programs: PodPrograms;
  readonly #address: PodAddress | undefined;
  readonly #events: PodHostEvents;
  /** On the pod's address. */
  readonly #reachable = new Map<string, Server | UdpSocket>();
  #process: NodeProcess | undefined;
  readonly #servers = new Map<number, Server>();
  readonly #accepted = new Set<Socket>();
  readonly #dialled = new Set<Socket>();
  #life: "alive" | "dead" = "alive";

  /** Disposes of the address, which is undefined where there is none, when it is killed. */
  constructor(pod: PodName, programs: PodPrograms, address: PodAddress | undefined, events: PodHostEvents) {
    this.pod = pod;
    this.#programs = programs;
    this.#address = address;
    this.#events = events;
  }

  /** Connections that were dialled into the pod and are open. */
  get sockets(): number {
    return this.#dialled.size;
  }

  /** Starts its programs: one port, or all. */
  async listen(port?: number): Promise<void> {
    const isWanted = ([key]: [string, unknown]): boolean => port === undefined || key === String(port);
    const { apps, udp = {} } = this.#programs;
    await Promise.all([
      ...Object.entries(apps)
        .filter(isWanted)
        .map(([key, app]) => this.#listen(Number(key), app)),
      ...Object.entries(udp)
        .filter(isWanted)
        .map(([key, app]) => this.#bind(Number(key), app)),
      ...(port === undefined ? [this.#run()] : []),
    ]);
  }

  /** Asks its process to end, as a kubelet does. */
  terminate(): void {
    this.#process?.terminate();
  }

  /** Nothing listens any more, on one port or all; connections live on. */
  deafen(port?: number): void {
    for (const [key, server] of this.#servers) {
      if (port !== undefined && key !== port) continue;
      this.#servers.delete(key);
      server.close();
    }
    for (const [key, socket] of this.#reachable) {
      if (port !== undefined && !key.endsWith(`:${port}`)) continue;
      this.#reachable.delete(key);
      socket.close();
    }
  }

  /** The programs end at once: nothing listens, and the kernel closes their connections. */
  endPrograms(): void {
    this.deafen();
    for (const socket of this.#accepted) socket.destroy();
    this.#accepted.clear();
    void this.#process?.kill();
  }

  /** The programs end and the pod's network goes away for good. Resolves when no socket of theirs is left. */
  async kill(): Promise<void> {
    this.#life = "dead";
    const closed = [...this.#servers.values(), ...this.#reachable.values(), ...this.#accepted].map((each) =>
      once(each, "close"),
    );
    this.endPrograms();
    await Promise.all([...closed, this.#process?.kill()]);
    this.#address?.[Symbol.dispose]();
  }

  /** The owner destroys the socket. */
  async dial(port: number): Promise<Dialled> {
    if (this.#life === "dead") return { kind: "gone" };
    const address = this.#servers.get(port)?.address();
    const realPort =
      address !== null && typeof address === "object" ? address.port : this.#process?.realPort(port);
    if (realPort === undefined) return { kind: "refused" };
    const socket = connect({ host: "127.0.0.1", port: realPort, allowHalfOpen: true, noDelay: true });
    try {
      await once(socket, "connect");
    } catch {
      return { kind: "refused" };
    }
    this.#dialled.add(socket);
    this.#events.onChange();
    socket.once("close", () => {
      this.#dialled.delete(socket);
      this.#events.onChange();
    });
    return { kind: "open", socket };
  }

  async #listen(port: number, app: App): Promise<void> {
    if (this.#life === "dead" || this.#servers.has(port)) return;
    const onConnection = (socket: Socket): void => {
      this.#accepted.add(socket);
      socket.on("error", () => {}); // a reset by the other end; `close` follows
      socket.once("close", () => this.#accepted.delete(socket));
      app(socket, this.pod);
    };
    const server = createServer({ noDelay: true }, onConnection);
    this.#servers.set(port, server);
    server.listen({ port: 0, host: "127.0.0.1", backlog: 0xffff });
    await Promise.all([once(server, "listening"), this.#listenReachably(port, onConnection)]);
  }

  /** For other pods; a port that this user may not take is reached by port-forwards alone. */
  async #listenReachably(port: number, onConnection: (socket: Socket) => void): Promise<void> {
    if (this.#address === undefined) return;
    const server = createServer({ noDelay: true, allowHalfOpen: true }, onConnection);
    server.listen({ port, host: this.#address.text, backlog: 0xffff });
    try {
      await once(server, "listening");
    } catch {
      return;
    }
    if (this.#life === "dead" || !this.#servers.has(port)) server.close();
    else this.#reachable.set(`tcp:${port}`, server);
  }

  async #bind(port: number, app: UdpApp): Promise<void> {
    if (this.#life === "dead" || this.#address === undefined || this.#reachable.has(`udp:${port}`)) return;
    const socket = createSocket({ type: "udp4", recvBufferSize: UDP_BUFFER_BYTES });
    this.#reachable.set(`udp:${port}`, socket);
    socket.on("message", (datagram, from) =>
      app(
        datagram,
        (answer) => {
          if (this.#reachable.get(`udp:${port}`) === socket) socket.send(answer, from.port, from.address);
        },
        this.pod,
      ),
    );
    socket.bind(port, this.#address.text);
    await once(socket, "listening");
    socket.on("error", () => {}); // a refusal of an answer
  }

  #run(): Promise<void> {
    const { process } = this.#programs;
    if (this.#life === "dead" || process === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.#process = new NodeProcess(process, resolve, (status) => {
        resolve();
        if (this.#life === "alive") this.#events.onExit(status);
      });
    });
  }
}
