import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { App, Apps, PodName } from "./apps.ts";

/** What came of dialling a port inside a pod. */
export type Dialled =
  | { readonly kind: "open"; readonly socket: Socket }
  /** Nothing listens there. */
  | { readonly kind: "refused" }
  /** The pod and its network are gone. */
  | { readonly kind: "gone" };

/**
 * The inside of one pod: each port that listens is a socket on 127.0.0.1 with a port of its own, and every connection
 * is real TCP, so that resets, refusals and full buffers are the kernel's. Killed with the pod.
 */
export class PodHost {
  readonly pod: PodName;
  /** The pod's sandbox, as the container runtime's messages name it. */
  readonly sandboxId = randomBytes(32).toString("hex");
  readonly networkNamespace = `/var/run/netns/cni-${randomBytes(8).toString("hex")}`;
  readonly #apps: Apps;
  readonly #onChange: () => void;
  readonly #servers = new Map<number, Server>();
  readonly #accepted = new Set<Socket>();
  readonly #dialled = new Set<Socket>();
  #life: "alive" | "dead" = "alive";

  constructor(pod: PodName, apps: Apps, onChange: () => void) {
    this.pod = pod;
    this.#apps = apps;
    this.#onChange = onChange;
  }

  /** Connections that were dialled into the pod and are open. */
  get sockets(): number {
    return this.#dialled.size;
  }

  /** Starts its programs: one port, or all. */
  async listen(port?: number): Promise<void> {
    const wanted = Object.entries(this.#apps).filter(([key]) => port === undefined || key === String(port));
    await Promise.all(wanted.map(([key, app]) => this.#listen(Number(key), app)));
  }

  /** Nothing listens any more, on one port or all; connections live on. */
  deafen(port?: number): void {
    for (const [key, server] of this.#servers) {
      if (port !== undefined && key !== port) continue;
      this.#servers.delete(key);
      server.close();
    }
  }

  /** The programs end at once: nothing listens, and the kernel closes their connections. */
  endPrograms(): void {
    this.deafen();
    for (const socket of this.#accepted) socket.destroy();
    this.#accepted.clear();
  }

  /** The programs end and the pod's network goes away for good. Resolves when no socket of theirs is left. */
  async kill(): Promise<void> {
    this.#life = "dead";
    const closed = [...this.#servers.values(), ...this.#accepted].map((each) => once(each, "close"));
    this.endPrograms();
    await Promise.all(closed);
  }

  /** The owner destroys the socket. */
  async dial(port: number): Promise<Dialled> {
    if (this.#life === "dead") return { kind: "gone" };
    const address = this.#servers.get(port)?.address();
    if (address === null || typeof address !== "object") return { kind: "refused" };
    const socket = connect({ host: "127.0.0.1", port: address.port, allowHalfOpen: true, noDelay: true });
    try {
      await once(socket, "connect");
    } catch {
      return { kind: "refused" };
    }
    this.#dialled.add(socket);
    this.#onChange();
    socket.once("close", () => {
      this.#dialled.delete(socket);
      this.#onChange();
    });
    return { kind: "open", socket };
  }

  async #listen(port: number, app: App): Promise<void> {
    if (this.#life === "dead" || this.#servers.has(port)) return;
    const server = createServer({ noDelay: true }, (socket) => {
      this.#accepted.add(socket);
      socket.on("error", () => {}); // a reset by the other end; `close` follows
      socket.once("close", () => this.#accepted.delete(socket));
      app(socket, this.pod);
    });
    this.#servers.set(port, server);
    server.listen({ port: 0, host: "127.0.0.1", backlog: 0xffff });
    await once(server, "listening");
  }
}
