/** Keeps connections for the next HTTP request; new ones come from a {@link Connector}. */
import { Agent, type RequestOptions } from "node:http";
import type { Duplex } from "node:stream";
import { KfwdError } from "../../errors.ts";
import type { Credentials } from "./access.ts";
import type { Connector } from "./connector.ts";

const IDLE_CONNECTIONS_MAX = 4;

/** A request that says how long its connection is wanted. */
export interface KeptRequest extends RequestOptions {
  readonly agent: KeptSockets;
  readonly wanted: AbortSignal;
}

/** For `http.request`, even where the connections are TLS: it speaks HTTP on whatever it is given. */
export class KeptSockets extends Agent {
  readonly #connector: Connector;
  readonly #credentials: Credentials;
  readonly #dials = new Set<AbortController>();
  #destroyed = false;

  constructor(connector: Connector, credentials: Credentials) {
    super({ keepAlive: true, maxFreeSockets: IDLE_CONNECTIONS_MAX, scheduling: "lifo" });
    this.#connector = connector;
    this.#credentials = credentials;
  }

  /** Closes idle connections. Says whether requests are still under way. */
  retire(): boolean {
    for (const socket of Object.values(this.freeSockets).flat()) socket?.destroy();
    return this.#dials.size > 0 || Object.values(this.sockets).some((sockets) => sockets?.length);
  }

  override destroy(): void {
    this.#destroyed = true;
    for (const dial of this.#dials) dial.abort(closed());
    super.destroy();
  }

  /** Hands the connection, or what went wrong, to `made`: a socket that is not ready yet could not be a tunnel. */
  override createConnection(
    options: RequestOptions,
    made: (error: Error | null, socket?: Duplex) => void,
  ): undefined {
    const dial = new AbortController();
    const wanted = "wanted" in options && options.wanted instanceof AbortSignal ? options.wanted : undefined;
    const onAbort = (): void => dial.abort(wanted?.reason);
    wanted?.addEventListener("abort", onAbort, { once: true });
    if (this.#destroyed) dial.abort(closed());
    this.#dials.add(dial);
    void this.#connector
      .connect(this.#credentials, dial.signal)
      .finally(() => {
        wanted?.removeEventListener("abort", onAbort);
        this.#dials.delete(dial);
      })
      .then(
        (socket) => {
          made(null, socket);
          if (socket.isPaused()) socket.resume(); // takes effect after the request has begun to listen
        },
        (thrown: unknown) => made(thrown instanceof Error ? thrown : closed()),
      );
  }
}

function closed(): KfwdError {
  return new KfwdError("INTERNAL", "the API connections have been closed");
}
