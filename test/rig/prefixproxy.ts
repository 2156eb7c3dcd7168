import { once } from "node:events";
import { createServer, type ClientRequest, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createServer as createTlsServer, request as tlsRequest } from "node:https";

/** What is in front of which server. */
export interface PrefixProxyOptions {
  /** Of the server behind, an https URL without a path. */
  readonly server: string;
  /** PEM; whom to trust behind. Without it: anybody. */
  readonly ca?: string;
  /** What this proxy shows in front; plain http without it. */
  readonly certificates?: { readonly cert: string; readonly key: string };
  /** Such as `/k8s/clusters/c-1`. */
  readonly prefix: string;
  /** Which upgrades are let through, by their headers; others get a bare 403. Default: all. */
  readonly passes?: (headers: IncomingMessage["headers"]) => boolean;
}

/** A reverse proxy as cluster managers have it: takes a path prefix away and passes requests and upgrades on. */
export class PrefixProxy implements AsyncDisposable {
  /** Paths it was asked for, in order. */
  readonly asked: string[] = [];
  readonly #options: PrefixProxyOptions;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets = new Set<Socket>();

  private constructor(options: PrefixProxyOptions) {
    this.#options = options;
    this.#server = options.certificates ? createTlsServer(options.certificates) : createServer();
    this.#server.on("connection", (socket: Socket) => this.#own(socket));
    this.#server.on("request", (incoming, outgoing) => {
      const passed = this.#pass(incoming);
      passed.on("response", (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        outgoing.flushHeaders();
        answer.pipe(outgoing);
      });
      passed.on("error", () => outgoing.destroy());
      outgoing.on("close", () => passed.destroy());
    });
    this.#server.on("upgrade", (incoming: IncomingMessage, client: Socket, early: Buffer) => {
      if (options.passes?.(incoming.headers) === false) {
        client.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      const passed = this.#pass(incoming);
      passed.on("upgrade", (answer, server, first) => {
        this.#own(server);
        server.on("close", () => client.destroy());
        client.on("close", () => server.destroy());
        if (client.destroyed) server.destroy();
        client.write(`HTTP/1.1 101 Switching Protocols\r\n${headerText(answer.rawHeaders)}\r\n`);
        client.write(first);
        server.write(early);
        client.pipe(server).pipe(client);
      });
      passed.on("error", () => client.destroy());
    });
  }

  static async start(options: PrefixProxyOptions): Promise<PrefixProxy> {
    const proxy = new PrefixProxy(options);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** With the prefix. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `${this.#options.certificates ? "https" : "http"}://127.0.0.1:${port}${this.#options.prefix}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #pass(incoming: IncomingMessage): ClientRequest {
    const { server, prefix, ca } = this.#options;
    const path = incoming.url ?? "";
    this.asked.push(path);
    if (!path.startsWith(`${prefix}/`)) throw new Error(`asked for ${path}, outside of ${prefix}`);
    const { method, headers } = incoming;
    const options = {
      method,
      headers,
      path: path.slice(prefix.length),
      ...(ca === undefined ? { rejectUnauthorized: false } : { ca, servername: "localhost" }),
      agent: false,
    };
    const passed = tlsRequest(server, options);
    incoming.pipe(passed);
    return passed;
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {}); // `close` follows
    socket.on("close", () => this.#sockets.delete(socket));
  }
}

function headerText(raw: readonly string[]): string {
  const lines = raw.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`));
  return lines.join("");
}
