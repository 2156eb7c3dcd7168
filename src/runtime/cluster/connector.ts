/** Makes connections to an API server: TCP or a tunnel through its proxy, then TLS where the URL says https. */
import {
  connect as connectTcp,
  isIP,
  type ConnectOpts,
  type OnReadOpts,
  type Socket,
  type TcpSocketConnectOpts,
} from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import type { Clock } from "../deps.ts";
import type { ApiAccess, Credentials } from "./access.ts";
import { deadlineFailure, dialFailure } from "./failures.ts";
import { lookupOf, type Whereabouts } from "./names.ts";
import { serverAddress } from "./proxy.ts";
import { reached, type Bounds } from "./socketwait.ts";
import { openTunnel } from "./tunnelling.ts";

/** A server that is well needs a round trip or two for each stage. */
const CONNECT_DEADLINE_MS = 5_000;
const TLS_DEADLINE_MS = 5_000;

const TCP_KEEPALIVE_MS = 30_000;

/** Remembers the server's TLS session, which saves the certificate's round of CPU on the next connection. */
export class Connector {
  readonly #access: Omit<ApiAccess, "credentials">;
  readonly #clock: Clock;
  /** Whoever resumes a session is who began it, so it goes with the certificates it was made with. */
  #session: { readonly tls: ConnectionOptions; readonly ticket: Buffer } | undefined;

  constructor(access: Omit<ApiAccess, "credentials">, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
  }

  /**
   * A socket that is ready for a request; one that leads through a proxy may be paused. While the server is known to be
   * out of reach, it fails at once.
   * @throws KfwdError of exit status 4, or the signal's reason.
   */
  async connect(credentials: Credentials, signal: AbortSignal, onread?: OnReadOpts): Promise<Socket> {
    signal.throwIfAborted();
    const { lookout } = this.#access;
    if (lookout?.trouble) throw lookout.trouble;
    try {
      const socket = await this.dial(credentials, signal, onread);
      lookout?.reached();
      return socket;
    } catch (thrown) {
      if (!signal.aborted) lookout?.failed(thrown);
      throw thrown;
    }
  }

  /** As {@link connect}, whatever is known. */
  async dial(credentials: Credentials, signal: AbortSignal, onread?: OnReadOpts): Promise<Socket> {
    signal.throwIfAborted();
    const { server, proxy } = this.#access;
    const to = serverAddress(server);
    const tunnel = proxy && (await this.#tunnel(proxy, credentials, signal));
    const found = tunnel ? undefined : await this.#find(to.host, signal);
    const way = { ...to, ...(found ? { lookup: lookupOf(found) } : {}), onread };
    try {
      const socket =
        server.protocol === "https:"
          ? await this.#tls(credentials.tls, { ...way, ...(tunnel ? { socket: tunnel } : {}) }, signal)
          : (tunnel ?? (await this.#tcp(way, signal)));
      if (found) this.#access.names?.worked(to.host, found);
      return socket;
    } catch (thrown) {
      tunnel?.destroy();
      // That the address of before does not answer matters less than why there is no newer one.
      throw found?.doubt && !signal.aborted ? dialFailure(this.#access, found.doubt) : thrown;
    }
  }

  /**
   * Dials and hangs up; without credentials it stops short of TLS.
   * @throws as {@link connect}.
   */
  async probe(credentials: Credentials | undefined, signal: AbortSignal): Promise<void> {
    const { server, proxy } = this.#access;
    const to = serverAddress(server);
    const nobody: Credentials = { tls: {}, headers: {} };
    const knock = async (): Promise<Socket> => {
      if (proxy) return this.#tunnel(proxy, nobody, signal);
      const found = await this.#find(to.host, signal);
      return this.#tcp({ ...to, ...(found ? { lookup: lookupOf(found) } : {}) }, signal);
    };
    const socket = credentials ? await this.dial(credentials, signal) : await knock();
    socket.destroy();
  }

  /** Undefined for an address, and where the socket may find it by itself. */
  async #find(host: string, signal: AbortSignal): Promise<Whereabouts | undefined> {
    if (isIP(host)) return undefined;
    try {
      return await this.#access.names?.find(host, signal);
    } catch (thrown) {
      throw signal.aborted ? signal.reason : dialFailure(this.#access, thrown);
    }
  }

  async #tls(
    tls: ConnectionOptions,
    to: ConnectionOptions & ConnectOpts,
    signal: AbortSignal,
  ): Promise<Socket> {
    const socket = this.#startTls(tls, to);
    try {
      if (!to.socket) await this.#connected(socket, signal);
      await reached(
        socket,
        "secureConnect",
        this.#within(TLS_DEADLINE_MS, "no TLS handshake came about", signal),
      );
    } catch (thrown) {
      this.#session = undefined; // it may be what the server did not like
      throw thrown;
    }
    return socket;
  }

  async #tcp(to: TcpSocketConnectOpts, signal: AbortSignal): Promise<Socket> {
    const socket = connectTcp(to);
    await this.#connected(socket, signal);
    return socket;
  }

  async #tunnel(
    proxy: NonNullable<ApiAccess["proxy"]>,
    { headers }: Credentials,
    signal: AbortSignal,
  ): Promise<Socket> {
    const agent = headers["User-Agent"];
    const userAgent = typeof agent === "string" ? agent : undefined;
    const request = { access: this.#access, proxy, clock: this.#clock, userAgent };
    const socket = await openTunnel(request, signal);
    return socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
  }

  #startTls(tls: ConnectionOptions, to: ConnectionOptions & ConnectOpts): Socket {
    const { host = "" } = to;
    const ticket = this.#session?.tls === tls ? this.#session.ticket : undefined;
    return connectTls({
      ...(isIP(host) ? {} : { servername: host }),
      ...tls,
      ...(ticket ? { session: ticket } : {}),
      ...to,
      ALPNProtocols: ["http/1.1"],
    }).on("session", (made: Buffer) => (this.#session = { tls, ticket: made }));
  }

  async #connected(socket: Socket, signal: AbortSignal): Promise<void> {
    socket.setNoDelay(true).setKeepAlive(true, TCP_KEEPALIVE_MS);
    await reached(socket, "connect", this.#within(CONNECT_DEADLINE_MS, "no connection came about", signal));
  }

  #within(ms: number, missing: string, signal: AbortSignal): Bounds {
    return {
      clock: this.#clock,
      signal,
      ms,
      late: () => deadlineFailure(this.#access, missing, ms),
      failed: (thrown) => dialFailure(this.#access, thrown),
    };
  }
}
