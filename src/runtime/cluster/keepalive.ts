/** Tells a dead connection from a quiet one. */
import type { Clock } from "../deps.ts";

/** Everything from the server counts as life; a PING asks for it when there was nothing for this long. */
export const PING_AFTER_MS = 5_000;

/**
 * Nothing for this long: the connection is dead, whatever TCP believes. Between this and a PING TCP sends what was lost
 * four times anew; and whoever comes to a node that is lost is served elsewhere within 16 s, a second look included.
 */
export const DEAD_AFTER_MS = 13_000;

/** An answer to a PING is overdue after this long, though only so long a silence proves anything by itself. */
const OVERDUE_MS = 2_000;

/** Code of the reason when a connection ended without a word of the other side. */
export const SILENT = "ConnectionSilent";

/**
 * The server reads no PING while the application does not take what came before it. With more than this on its way the
 * silence may be the application's, and is left to TCP: whoever uploads to it waits, as without a tunnel.
 */
const UPLOAD_BYTES = 64 * 1024;

/** What a connection does for its {@link KeepAlive}. */
export interface KeepAliveEvents {
  ping(): void;
  /** Called once, in words for people. */
  dead(why: string): void;
  /** Why nothing could be heard now: nobody reads, or what is sent does not leave. */
  deaf(): "unread" | "congested" | undefined;
}

/** Watches one connection until it is disposed of. */
export class KeepAlive implements Disposable {
  readonly #clock: Clock;
  readonly #events: KeepAliveEvents;
  #heardMs: number;
  /** Until when nobody read, and until when it was deaf for any reason. */
  #unreadMs = Number.NEGATIVE_INFINITY;
  #deafMs = Number.NEGATIVE_INFINITY;
  /** `doubted`: since it was heard. */
  #trust: "trusted" | "doubted" | "dead" = "trusted";
  #unansweredBytes = 0;
  /** When it was last asked for an answer since it was heard. */
  #askedMs: number | undefined;
  #timer: Disposable;

  constructor(clock: Clock, events: KeepAliveEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#heardMs = clock.now();
    this.#timer = this.#later(PING_AFTER_MS);
  }

  /** When something last came, on the clock. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** How long it is silent if an answer is overdue: reason enough to give it up when others have gone silent. */
  get overdue(): string | undefined {
    const silentMs = this.#clock.now() - Math.max(this.#heardMs, this.#deafMs);
    const isOverdue = this.#askedMs !== undefined && silentMs >= PING_AFTER_MS + OVERDUE_MS;
    if (!isOverdue || this.#events.deaf() || this.#unansweredBytes > UPLOAD_BYTES) return undefined;
    return `no sign of life for ${Math.floor(silentMs / 1000)} s, as on others`;
  }

  /** Something came. */
  heard(): void {
    this.#heardMs = this.#clock.now();
    this.#askedMs = undefined;
    if (this.#trust === "doubted") this.#trust = "trusted";
  }

  /**
   * Another connection to the same pod has died without a word, so silence here is most likely the network's: until
   * something comes, no upload excuses it. Without this an upload, and whoever shares its connection, would wait for
   * TCP to give up, which takes a quarter of an hour.
   */
  doubt(): void {
    if (this.#trust === "dead") return;
    this.#trust = "doubted";
    this.#timer[Symbol.dispose]();
    this.#look();
  }

  /** What came was a word of the application, or a PONG: what had been sent before it has most likely been taken. */
  answered(): void {
    this.#unansweredBytes = 0;
  }

  /** So many bytes for the application went out. */
  sent(bytes: number): void {
    this.#unansweredBytes += bytes;
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #later(ms: number): Disposable {
    return this.#clock.timer(ms, () => this.#look());
  }

  /** Silence counts only while something could be heard, and after a question: this process may not have run for a while. */
  #look(): void {
    const nowMs = this.#clock.now();
    const deaf = this.#events.deaf();
    if (deaf !== undefined) this.#deafMs = nowMs;
    if (deaf === "unread") this.#unreadMs = nowMs;
    const isDoubted = this.#trust === "doubted";
    const silentMs = nowMs - Math.max(this.#heardMs, isDoubted ? this.#unreadMs : this.#deafMs);
    const hadTime = this.#askedMs !== undefined && nowMs - this.#askedMs >= OVERDUE_MS;
    if (silentMs >= DEAD_AFTER_MS && hadTime && (isDoubted || this.#unansweredBytes <= UPLOAD_BYTES)) {
      this.#trust = "dead";
      this.#events.dead(`no sign of life for ${DEAD_AFTER_MS / 1000} s`);
      return;
    }
    if (silentMs >= PING_AFTER_MS && this.#askedMs === undefined) {
      this.#askedMs = nowMs; // TCP loses none, so one is enough
      this.#events.ping();
    }
    const nextMs = [PING_AFTER_MS, DEAD_AFTER_MS].find((ms) => ms > silentMs) ?? silentMs + OVERDUE_MS;
    this.#timer = this.#later(Math.min(PING_AFTER_MS, nextMs - silentMs));
  }
}
