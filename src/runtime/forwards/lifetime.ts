/** The time that a forward with a `ttl` has left. */
import type { Clock } from "../deps.ts";

/** Timers stand still while the machine sleeps, so it is looked at least this often. */
const LOOK_MS = 30_000;

/** A `ttl`, and when it began by both clocks. */
export interface Term {
  readonly ttlMs: number;
  readonly atMs: number;
  readonly atWallMs: number;
}

/**
 * Counts by the monotonic clock, which nobody can set back, and by the wall clock, which goes on in a sleep: the one that
 * says less counts. Disposing ends it without a word.
 */
export class Lifetime implements Disposable {
  readonly #clock: Clock;
  readonly #onOver: () => void;
  #begun: Term | undefined;
  #timer: Disposable | undefined;

  constructor(clock: Clock, onOver: () => void) {
    this.#clock = clock;
    this.#onOver = onOver;
  }

  /** On the wall clock; undefined while there is no limit. */
  get endsAtMs(): number | undefined {
    return this.#begun && this.#clock.wall() + this.#leftMs(this.#begun);
  }

  get isOver(): boolean {
    return this.#begun !== undefined && this.#leftMs(this.#begun) <= 0;
  }

  /** Undefined while there is no limit. */
  get term(): Term | undefined {
    return this.#begun;
  }

  /** All of it from now on, or since `term` began. */
  begin(ttlMs: number | undefined, term?: Term): void {
    const { atMs, atWallMs } = term ?? { atMs: this.#clock.now(), atWallMs: this.#clock.wall() };
    this.#begun = ttlMs === undefined ? undefined : { ttlMs, atMs, atWallMs };
    this.look();
  }

  /** Tells if it is over: to be called when the machine has slept. */
  look(): void {
    this.#timer?.[Symbol.dispose]();
    if (this.#begun === undefined) return;
    if (this.isOver) this.#onOver();
    else this.#timer = this.#clock.timer(Math.min(this.#leftMs(this.#begun), LOOK_MS), () => this.look());
  }

  [Symbol.dispose](): void {
    this.begin(undefined);
  }

  #leftMs({ ttlMs, atMs, atWallMs }: Term): number {
    return Math.max(0, ttlMs - Math.max(this.#clock.now() - atMs, this.#clock.wall() - atWallMs));
  }
}
