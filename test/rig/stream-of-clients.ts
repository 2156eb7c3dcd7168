import { connect } from "node:net";

/** One client, on `performance.now()`. */
export interface Visit {
  readonly startedMs: number;
  readonly tookMs: number;
  /** What went wrong; undefined: it was served. */
  readonly failure: string | undefined;
}

/** How long a client waits for its echo. */
const PATIENCE_MS = 15_000;

/**
 * New clients at a steady rate, whether earlier ones have been served or not, each with a connection of its own to a port
 * that echoes. They come until {@link StreamOfClients.end}.
 */
export class StreamOfClients {
  readonly visits: Visit[] = [];
  readonly #port: number;
  readonly #perSecond: number;
  readonly #startedMs = performance.now();
  readonly #under = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(port: number, perSecond: number) {
    this.#port = port;
    this.#perSecond = perSecond;
    this.#timer = setInterval(() => this.#catchUp(), 5);
  }

  /** Resolves when all that came have been served or have failed. */
  async end(): Promise<readonly Visit[]> {
    clearInterval(this.#timer);
    await Promise.all(this.#under);
    return this.visits;
  }

  /** A timer may be late; the clients it stands for are not left out. */
  #catchUp(): void {
    const due = Math.floor(((performance.now() - this.#startedMs) / 1_000) * this.#perSecond);
    for (; this.#sent < due; this.#sent++) {
      const visit = this.#visit().finally(() => this.#under.delete(visit));
      this.#under.add(visit);
    }
  }

  #visit(): Promise<void> {
    return new Promise((resolve) => {
      const startedMs = performance.now();
      const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
      const settle = (failure?: string): void => {
        clearTimeout(late);
        socket.removeAllListeners("close").destroy();
        this.visits.push({ startedMs, tookMs: performance.now() - startedMs, failure });
        resolve();
      };
      const late = setTimeout(() => settle("no echo in time"), PATIENCE_MS);
      socket.on("error", () => {}); // "close" follows
      socket.once("connect", () => socket.write("x"));
      socket.once("data", () => settle());
      socket.once("end", () => settle("ended before the echo"));
      socket.once("close", () => settle("reset before the echo"));
    });
  }
}
