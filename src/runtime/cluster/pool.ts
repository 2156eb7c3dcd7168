/** The upgraded connections to one pod: one stands ready, a stream gets one to itself while there are enough. */
import { KfwdError } from "../../errors.ts";
import type { Reason } from "../core/status.ts";
import type { Clock, PodStream, StreamHandler } from "../deps.ts";
import { reasonOf } from "./failures.ts";
import type { Upgraded } from "./ladder.ts";
import { PerStream } from "./perstream.ts";
import type { ConnectionEvents, PodConnection } from "./podconnection.ts";
import { SpdyConnection } from "./spdyconnection.ts";

/** Connections to one pod that take streams at once, those being opened included. Beyond it streams share one. */
const MAX_CONNECTIONS = 8;

/** How long a stream waits for a connection: as long as a client is held for a pod. */
const WAIT_MS = 10_000;

/** How long a spare idle connection is kept after a burst. */
const SPARE_IDLE_MS = 60_000;

/**
 * The next connection usually stands at once. Where nobody answers it fails only after many seconds, for which nothing
 * stands: so long it may take until the users are told.
 */
const OUTAGE_MS = 1_000;

/** Streams into a pod that is no more are cut when nothing came from it for this long: what is on its way may arrive. */
const GONE_QUIET_MS = 2_000;

/** What a pool needs: a way to open one connection, word of the pod's end, and the time. */
export interface PoolDeps {
  readonly pod: string;
  readonly clock: Clock;
  /** `tell` is called, perhaps more than once and never from within, when the pod is no more. */
  whenGone(tell: () => void): Disposable;
  /** A connection went dead without a word: others to the same server may have, too. */
  onSilence(): void;
  /**
   * `port` is one that is wanted.
   * @throws KfwdError, or the signal's reason.
   */
  upgrade(port: number, signal: AbortSignal): Promise<Upgraded>;
}

/** How the pool fares, told to each of its users. */
export interface PoolEvents {
  /** At least one connection takes streams. Also the answer to {@link PoolUse.retry} when one stands already. */
  onOpen(): void;
  /** None stands and opening one failed: {@link PoolUse.retry} tries again. */
  onLost(reason: Reason): void;
}

/** One user's part in a pool. Disposing the last closes what is idle. */
export interface PoolUse extends Disposable {
  /** Opens a connection unless one stands or is on its way. `onOpen` or `onLost` follows. */
  retry(): void;
}

/** A stream that waits for a connection. */
interface Waiting {
  readonly port: number;
  readonly handler: StreamHandler;
  readonly signal: AbortSignal;
  readonly resolve: (stream: PodStream | Promise<PodStream>) => void;
  readonly reject: (error: unknown) => void;
}

/** Shared by all forwards that lead to the pod; lives while one of them uses it or a stream is open. */
export class Pool {
  readonly #deps: PoolDeps;
  readonly #users = new Set<PoolEvents>();
  readonly #connections = new Set<PodConnection>();
  /** Connections whose last stream has just ended and that are being probed. */
  readonly #sweeping = new Set<PodConnection>();
  readonly #waiting = new Set<Waiting>();
  readonly #abort = new AbortController();
  #opening = 0;
  /** That was wanted last. */
  #port = 0;
  #spareTimer: Disposable | undefined;
  #podLife: Disposable | undefined;
  #goneTimer: Disposable | undefined;
  /** Runs while none stands and one is being opened. */
  #outage: Disposable | undefined;

  constructor(deps: PoolDeps) {
    this.#deps = deps;
    this.#podLife = deps.whenGone(() => this.#onGone());
  }

  /** Joins the pool, to open streams to the port, and sees to it that a connection stands. */
  use(port: number, events: PoolEvents): PoolUse {
    this.#port = port;
    this.#users.add(events);
    const use = {
      retry: () => {
        // Told later, like every other event, so that the user has what `use` returned.
        if (this.#usable) queueMicrotask(() => this.#users.has(events) && this.#usable && events.onOpen());
        else this.#openFirst();
      },
      [Symbol.dispose]: () => this.#leave(events),
    };
    use.retry();
    return use;
  }

  get unused(): boolean {
    return this.#users.size === 0;
  }

  /**
   * Opens a stream on an idle connection at once, else on one that is being opened; when there can be no more, on
   * the least loaded that is not held up.
   * @throws KfwdError when no connection can be had in time, or the signal's reason.
   */
  stream(port: number, handler: StreamHandler, signal: AbortSignal): Promise<PodStream> {
    signal.throwIfAborted();
    this.#port = port;
    const connection = this.#idle() ?? this.#shareable(1);
    if (connection) {
      const stream = connection.open(port, handler, signal);
      this.#keepOneReady();
      return Promise.resolve(stream);
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        port,
        handler,
        signal,
        resolve: (stream) => settle(() => resolve(stream)),
        reject: (error) => settle(() => reject(error)),
      };
      const settle = (outcome: () => void): void => {
        this.#waiting.delete(waiting);
        overdue[Symbol.dispose]();
        signal.removeEventListener("abort", onAbort);
        outcome();
      };
      const onAbort = (): void => waiting.reject(signal.reason);
      const overdue = this.#deps.clock.timer(WAIT_MS, () => waiting.reject(this.#late()));
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.add(waiting);
      this.#openForWaiting();
    });
  }

  #late(): KfwdError {
    const pod = `pod "${this.#deps.pod}"`;
    return new KfwdError("UNREACHABLE", `no connection to ${pod} was free within ${WAIT_MS / 1000} s`);
  }

  /** The machine slept, or the network changed: connections that do not answer are dropped at once. */
  wake(): void {
    for (const connection of this.#connections) {
      if (connection.load > 0) void connection.prove();
      else void this.#proveIdle(connection);
    }
    this.#keepOneReady();
  }

  /** Whoever comes meanwhile gets a new connection, which is there sooner than an old one is known to be dead. */
  async #proveIdle(connection: PodConnection): Promise<void> {
    if (this.#sweeping.has(connection)) return;
    this.#sweeping.add(connection);
    await connection.prove();
    this.#sweeping.delete(connection);
    if (!this.#connections.has(connection)) return;
    this.#serveWaiting();
    if (this.unused) this.#closeIdle(0);
    else this.#trimLater();
  }

  /** A connection takes streams. */
  get stands(): boolean {
    return this.#usable;
  }

  /** The API server is back after it did not serve: nobody need wait for the next try. */
  revive(): void {
    if (!this.unused) this.#openFirst();
  }

  /** The least loaded connection, for those of `more` who come besides the waiting that no opening one is for. */
  #shareable(more: number): PodConnection | undefined {
    if (!this.#full || this.#waiting.size + more <= this.#opening) return undefined;
    return this.#best((connection) => !connection.stalled);
  }

  get #full(): boolean {
    const usable = [...this.#connections].filter((connection) => connection.usable);
    return usable.length + this.#opening >= MAX_CONNECTIONS;
  }

  #idle(): PodConnection | undefined {
    return this.#best((c) => c.load === 0);
  }

  #best(fits: (connection: PodConnection) => boolean): PodConnection | undefined {
    let best: PodConnection | undefined;
    for (const connection of this.#connections) {
      if (!connection.usable || this.#sweeping.has(connection) || !fits(connection)) continue;
      if (best === undefined || connection.load < best.load) best = connection;
    }
    return best;
  }

  get #usable(): boolean {
    return [...this.#connections].some((connection) => connection.usable);
  }

  #openFirst(): void {
    if (!this.#usable && this.#opening === 0) void this.#openOne();
  }

  #openForWaiting(): void {
    while (this.#opening < this.#waiting.size && !this.#full) void this.#openOne();
  }

  #keepOneReady(): void {
    if (this.#users.size > 0 && this.#opening === 0 && !this.#full && !this.#idle()) void this.#openOne();
  }

  async #openOne(): Promise<void> {
    this.#opening++;
    try {
      const upgraded = await this.#deps.upgrade(this.#port, this.#abort.signal);
      this.#opening--;
      this.#add(upgraded);
    } catch (error) {
      this.#opening--;
      this.#onOpenFailed(error);
    }
  }

  #add(upgraded: Upgraded): void {
    if (this.unused && this.#waiting.size === 0) {
      if (upgraded.kind === "shared") upgraded.pipe[Symbol.dispose]();
      return;
    }
    const wasUsable = this.#usable;
    const { pod, clock } = this.#deps;
    const events: ConnectionEvents = {
      onStreamEnd: () => void this.#onStreamEnd(connection),
      onFlow: () => this.#serveWaiting(),
      onRetire: () => this.#keepOneReady(),
      onSilence: () => {
        for (const other of this.#connections) {
          if (other === connection) continue;
          other.suspect();
          other.doubt();
        }
        this.#deps.onSilence();
      },
      onClose: (reason) => this.#onClose(connection, reason),
    };
    const connection: PodConnection =
      upgraded.kind === "shared"
        ? new SpdyConnection(upgraded.pipe, pod, clock, events)
        : new PerStream({ ...upgraded, pod, clock }, events);
    this.#connections.add(connection);
    this.#endOutage();
    if (!wasUsable) for (const user of this.#users) user.onOpen();
    this.#serveWaiting();
  }

  /** Those who came first go first. */
  #serveWaiting(): void {
    for (const waiting of this.#waiting) {
      const connection = this.#idle() ?? this.#shareable(0);
      if (!connection) break;
      waiting.resolve(connection.open(waiting.port, waiting.handler, waiting.signal));
    }
    this.#openForWaiting();
    this.#keepOneReady();
  }

  #onOpenFailed(error: unknown): void {
    if (this.#opening > 0) return; // another attempt is on its way and will tell
    for (const waiting of this.#waiting) {
      // There are as many connections as there can be: fewer than there may be, but one to share.
      const connection = this.#best((one) => !one.stalled);
      if (connection) waiting.resolve(connection.open(waiting.port, waiting.handler, waiting.signal));
      else waiting.reject(error);
    }
    if (this.#usable || this.#abort.signal.aborted) return;
    this.#tellLost(reasonOf(KfwdError.from(error)));
  }

  async #onStreamEnd(connection: PodConnection): Promise<void> {
    if (connection.load > 0 || !connection.usable || this.#sweeping.has(connection)) return;
    this.#sweeping.add(connection);
    const sound = await connection.sweep();
    this.#sweeping.delete(connection);
    if (!sound) connection.retire();
    if (!this.#connections.has(connection)) return; // it has closed meanwhile, and that was acted on
    this.#serveWaiting();
    if (this.unused) this.#closeIdle(0);
    else this.#trimLater();
  }

  #onClose(connection: PodConnection, reason: Reason): void {
    this.#connections.delete(connection);
    this.#restWhenEmpty();
    this.#openForWaiting();
    if (this.#usable) return;
    if (this.#opening === 0) this.#tellLost(reason);
    else this.#outage ??= this.#deps.clock.timer(OUTAGE_MS, () => this.#tellLost(reason));
  }

  #tellLost(reason: Reason): void {
    this.#endOutage();
    for (const user of this.#users) user.onLost(reason);
  }

  #endOutage(): void {
    this.#outage?.[Symbol.dispose]();
    this.#outage = undefined;
  }

  /** The node ends most streams itself; one that was being opened as the pod ended may be forgotten there for ever. */
  #onGone(): void {
    if (this.#goneTimer || this.#connections.size === 0) return;
    this.#goneTimer = this.#deps.clock.timer(GONE_QUIET_MS, () => {
      this.#goneTimer = undefined;
      for (const connection of this.#connections) connection.abandon(GONE_QUIET_MS);
      this.#onGone(); // those that still talk
    });
  }

  #restWhenEmpty(): void {
    if (!this.unused || this.#connections.size > 0) return;
    this.#podLife?.[Symbol.dispose]();
    this.#podLife = undefined;
    this.#goneTimer?.[Symbol.dispose]();
    this.#goneTimer = undefined;
  }

  #trimLater(): void {
    if (this.#spareTimer || this.#connections.size <= 1) return;
    this.#spareTimer = this.#deps.clock.timer(SPARE_IDLE_MS, () => {
      this.#spareTimer = undefined;
      this.#closeIdle(1);
    });
  }

  #closeIdle(keep: number): void {
    const idle = [...this.#connections].filter((c) => c.load === 0 && !this.#sweeping.has(c));
    for (const connection of idle.slice(keep)) connection.retire();
  }

  #leave(events: PoolEvents): void {
    this.#users.delete(events);
    if (!this.unused) return;
    this.#endOutage();
    this.#spareTimer?.[Symbol.dispose]();
    if (this.#waiting.size === 0) this.#abort.abort(new KfwdError("UNREACHABLE", "the forward has moved on"));
    this.#closeIdle(0);
    this.#restWhenEmpty();
  }
}
