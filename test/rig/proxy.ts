import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A TCP pass-through in front of an API server, so that tests can take the server away on any cluster. */
export class Proxy implements AsyncDisposable {
  #to: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  /** Who is joined to whom, in both directions. */
  readonly #pairs = new Map<Socket, Socket>();
  /** Clients that came while the server was frozen. */
  readonly #queue: Socket[] = [];
  #server: Server | undefined;
  #port = 0;
  #life: "runs" | "frozen" = "runs";

  private constructor(to: { readonly host: string; readonly port: number }) {
    this.#to = to;
  }

  /** Listens on a port of 127.0.0.1 when it resolves. */
  static async start(to: { readonly host: string; readonly port: number }): Promise<Proxy> {
    const proxy = new Proxy(to);
    await proxy.open();
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** The server is gone: its connections are reset, new ones refused. */
  close(): void {
    this.#server?.close();
    this.#server = undefined;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** As a router does that forgets: what goes over the connections there are is lost without a word. New ones work. */
  forget(): void {
    for (const socket of this.#sockets) socket.unpipe().resume();
  }

  /** As a server that is stopped: its connections stay and say nothing, new ones are taken by the system alone. */
  freeze(): void {
    this.#life = "frozen";
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** It goes on where it was. */
  thaw(): void {
    this.#life = "runs";
    for (const [socket, other] of this.#pairs) socket.pipe(other);
    for (const client of this.#queue.splice(0)) this.#pass(client);
  }

  /** Connections lead to another server, and those there are break, until the function that it returns is called. */
  lead(to: { readonly host: string; readonly port: number }): () => void {
    const before = this.#to;
    const leadTo = (next: typeof to): void => {
      this.#to = next;
      for (const socket of this.#sockets) socket.resetAndDestroy();
    };
    leadTo(to);
    return () => leadTo(before);
  }

  /** The server is back, on the same port. */
  async open(): Promise<void> {
    this.#server = createServer({ noDelay: true }, (socket) => this.#pass(socket));
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address !== null && typeof address === "object") this.#port = address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #pass(client: Socket): void {
    if (this.#life === "frozen") {
      this.#sockets.add(client);
      client.on("error", () => {}).once("close", () => this.#sockets.delete(client));
      this.#queue.push(client.pause());
      return;
    }
    if (client.destroyed) return;
    const server = connect({ ...this.#to, noDelay: true });
    const ends = [client, server] as const;
    for (const [index, socket] of ends.entries()) {
      const other = ends[1 - index];
      this.#sockets.add(socket);
      socket.on("error", () => {}); // `close` follows
      socket.on("close", () => {
        this.#sockets.delete(socket);
        this.#pairs.delete(socket);
        other?.destroy();
      });
    }
    this.#pairs.set(client, server).set(server, client);
    client.pipe(server).pipe(client);
  }
}
