import { once } from "node:events";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer as createHttpsServer, Server as HttpsServer } from "node:https";
import { createServer, type Server, type Socket } from "node:net";
import type { Certificates } from "./certificates.ts";

/** What happens to a TCP connection that comes in. */
export type Welcome = "serve" | /** Taken, and never answered: no TLS, no HTTP. */ "hang" | "reset";

/**
 * The API server's listening socket. It accepts TCP and hands it to an HTTP or HTTPS server that listens nowhere,
 * which leaves the raw sockets at hand: to be reset, and to be counted.
 */
export class FrontDoor implements AsyncDisposable {
  readonly http: HttpServer;
  readonly #onChange: () => void;
  readonly #sockets = new Map<number, Socket>();
  #listener: Server | undefined;
  #port: number;
  welcome: Welcome = "serve";

  /** `certificates` undefined: plain HTTP. `port` 0: one that the system gives. */
  constructor(certificates: Certificates | undefined, port: number, onChange: () => void) {
    this.#port = port;
    this.#onChange = onChange;
    this.http =
      certificates === undefined
        ? createHttpServer()
        : createHttpsServer({ cert: certificates.cert, key: certificates.key, ALPNProtocols: ["http/1.1"] });
    this.http.keepAliveTimeout = 120_000; // Go's server keeps an idle connection for long
    this.http.requestTimeout = 0;
    this.http.headersTimeout = 0;
    this.http.on("tlsClientError", () => {}); // a client that left, or does not trust us
    this.http.on("clientError", (_error: Error, socket: Socket) => socket.destroy());
  }

  get port(): number {
    return this.#port;
  }

  /** Shows these to whoever connects from now on; nothing changes for plain HTTP. */
  setCertificates({ cert, key }: Certificates): void {
    if (this.http instanceof HttpsServer) this.http.setSecureContext({ cert, key });
  }

  /** Open TCP connections. */
  get sockets(): number {
    return this.#sockets.size;
  }

  /** Listens on 127.0.0.1; on the same port as before, once there was one. */
  async open(): Promise<void> {
    if (this.#listener !== undefined) return;
    const listener = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#listener = listener;
    listener.listen(this.#port, "127.0.0.1");
    await once(listener, "listening");
    const address = listener.address();
    if (address !== null && typeof address === "object") this.#port = address.port;
  }

  /** Refuses connections from now on, and resets those that stand. */
  close(): void {
    this.#listener?.close();
    this.#listener = undefined;
    this.resetAll();
  }

  /** Resets every connection. */
  resetAll(): void {
    for (const socket of this.#sockets.values()) socket.resetAndDestroy();
  }

  /** Resets the connection under an HTTP or TLS socket. */
  reset(socket: Socket): void {
    this.#sockets.get(socket.remotePort ?? 0)?.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const listener = this.#listener === undefined ? [] : [this.#listener];
    const closed = [...this.#sockets.values(), ...listener].map((each) => once(each, "close"));
    this.close();
    this.http.close();
    await Promise.all(closed);
  }

  #accept(socket: Socket): void {
    const key = socket.remotePort ?? 0;
    this.#sockets.set(key, socket);
    this.#onChange();
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#sockets.delete(key);
      this.#onChange();
    });
    switch (this.welcome) {
      case "serve":
        this.http.emit("connection", socket);
        return;
      case "hang":
        return;
      case "reset":
        socket.resetAndDestroy();
    }
  }
}
