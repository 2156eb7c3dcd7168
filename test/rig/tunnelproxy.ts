import { once } from "node:events";
import { connect, createServer, isIP, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { freePort } from "./freeport.ts";

/** What kind of proxy it is, and who may use it. */
export interface TunnelProxyOptions {
  readonly scheme: "http" | "https" | "socks5";
  readonly login?: { readonly user: string; readonly password: string };
  /** Of an https proxy. */
  readonly certificates?: { readonly cert: string; readonly key: string };
  /** Names that only this proxy can resolve, as inside a company's network. */
  readonly hosts?: Readonly<Record<string, string>>;
}

/** A forward proxy as companies have them: HTTP CONNECT, the same over TLS, or SOCKS5. It counts what goes through. */
export class TunnelProxy implements AsyncDisposable {
  /** Every tunnel that was asked for, as `host:port`, in order. */
  readonly asked: string[] = [];
  /** The heads of all CONNECT requests. */
  readonly heads: string[] = [];
  readonly #options: TunnelProxyOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  readonly #port: number;
  #tunnels = 0;

  private constructor(options: TunnelProxyOptions, port: number) {
    this.#port = port;
    this.#options = options;
  }

  /** Listens on a port of 127.0.0.1 when it resolves. */
  static async start(options: TunnelProxyOptions): Promise<TunnelProxy> {
    const proxy = new TunnelProxy(options, await freePort()); // nobody takes it while the proxy is down
    await proxy.open();
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** Tunnels that stand now. */
  get tunnels(): number {
    return this.#tunnels;
  }

  /** With the login unless another one, or none, is given. */
  url(login: TunnelProxyOptions["login"] | null = this.#options.login): string {
    const user = login ? `${encodeURIComponent(login.user)}:${encodeURIComponent(login.password)}@` : "";
    return `${this.#options.scheme}://${user}127.0.0.1:${this.#port}`;
  }

  /** The proxy is gone: its tunnels are reset, new ones refused. */
  close(): void {
    this.#server?.close();
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** The proxy is back, on the same port. */
  async open(): Promise<void> {
    const { scheme, certificates } = this.#options;
    const take = (socket: Socket): void => void this.#serve(socket).catch(() => socket.destroy());
    this.#server =
      scheme === "https"
        ? createTlsServer({ ...certificates, ALPNProtocols: ["http/1.1"] }, take)
        : createServer({ noDelay: true }, take);
    this.#server.on("connection", (socket: Socket) => this.#own(socket));
    this.#server.on("tlsClientError", () => {});
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const server = this.#server;
    const closed = server && once(server, "close");
    this.close();
    await closed;
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {}); // `close` follows
    socket.on("close", () => this.#sockets.delete(socket));
  }

  async #serve(client: Socket): Promise<void> {
    client.on("error", () => {});
    const bytes = new Bytes(client);
    if (this.#options.scheme === "socks5") await this.#serveSocks5(client, bytes);
    else await this.#serveHttp(client, bytes);
  }

  async #serveHttp(client: Socket, bytes: Bytes): Promise<void> {
    const head = (await bytes.until("\r\n\r\n")).toString("latin1");
    this.heads.push(head);
    const { login } = this.#options;
    const wanted = login && Buffer.from(`${login.user}:${login.password}`).toString("base64");
    if (wanted !== undefined && !head.includes(`\r\nProxy-Authorization: Basic ${wanted}\r\n`)) {
      client.end(
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
      );
      return;
    }
    const [, host = "", port] = /^CONNECT \[?([^\]\s]+?)\]?:(\d+) HTTP\/1\.1\r\n/.exec(head) ?? [];
    const server = await this.#reach(host, Number(port));
    if (server === undefined) {
      client.end("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    this.#join(client, server, bytes);
  }

  async #serveSocks5(client: Socket, bytes: Bytes): Promise<void> {
    const { login } = this.#options;
    const [, count = 0] = await bytes.take(2);
    const methods = [...(await bytes.take(count))];
    const method = login ? 2 : 0;
    if (!methods.includes(method)) {
      client.end(Buffer.from([5, 0xff]));
      return;
    }
    client.write(Buffer.from([5, method]));
    if (login) {
      const user = String(await bytes.take((await bytes.take(2))[1] ?? 0));
      const password = String(await bytes.take((await bytes.take(1))[0] ?? 0));
      const isRight = user === login.user && password === login.password;
      client.write(Buffer.from([1, isRight ? 0 : 1]));
      if (!isRight) {
        client.end();
        return;
      }
    }
    const [, , , type] = await bytes.take(4);
    const name = await bytes.take(type === 1 ? 4 : type === 4 ? 16 : ((await bytes.take(1))[0] ?? 0));
    const host =
      type === 1
        ? name.join(".")
        : type === 4
          ? (name.toString("hex").match(/.{4}/g) ?? []).join(":")
          : String(name);
    const server = await this.#reach(host, (await bytes.take(2)).readUInt16BE());
    client.write(Buffer.from([5, server ? 0 : 5, 0, 1, 0, 0, 0, 0, 0, 0]));
    if (server) this.#join(client, server, bytes);
    else client.end();
  }

  /** Undefined when nobody is there. */
  async #reach(host: string, port: number): Promise<Socket | undefined> {
    this.asked.push(`${isIP(host) === 6 ? `[${host}]` : host}:${port}`);
    const server = connect({ host: this.#options.hosts?.[host] ?? host, port, noDelay: true });
    this.#own(server);
    return new Promise((resolve) => {
      server.once("connect", () => resolve(server));
      server.once("close", () => resolve(undefined));
    });
  }

  #join(client: Socket, server: Socket, bytes: Bytes): void {
    this.#tunnels++;
    client.once("close", () => {
      this.#tunnels--;
      server.destroy();
    });
    server.once("close", () => client.destroy());
    server.write(bytes.rest());
    client.pipe(server).pipe(client);
  }
}

/** Reads a socket in pieces of a wanted size. */
class Bytes {
  readonly #socket: Socket;
  #read = Buffer.alloc(0);
  #look: () => void = () => {};
  #gone: () => void = () => {};
  readonly #onData = (chunk: Buffer): void => {
    this.#read = Buffer.concat([this.#read, chunk]);
    this.#look();
  };

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", this.#onData);
    socket.once("close", () => this.#gone());
  }

  take(size: number): Promise<Buffer> {
    return this.#when(() => (this.#read.length < size ? undefined : size));
  }

  until(mark: string): Promise<Buffer> {
    return this.#when(() => {
      const at = this.#read.indexOf(mark);
      return at < 0 ? undefined : at + mark.length;
    });
  }

  /** What has come and nobody took; the socket is the caller's from now on. */
  rest(): Buffer {
    this.#socket.off("data", this.#onData);
    return this.#read;
  }

  #when(size: () => number | undefined): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#look = () => {
        const found = size();
        if (found === undefined) return;
        this.#look = () => {};
        const taken = this.#read.subarray(0, found);
        this.#read = this.#read.subarray(found);
        resolve(taken);
      };
      this.#gone = () => reject(new Error("the client has gone"));
      this.#look();
    });
  }
}
