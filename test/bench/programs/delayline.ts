/** One direction of a connection with a longer way: everything arrives later, in order, and nothing is held up more. */
import type { Clock } from "../../../src/runtime/deps.ts";

interface Held<T> {
  readonly item: T;
  readonly dueMs: number;
}

/** Hands on each item `delayMs` after it came. Unbounded: bandwidth is not what it is there to limit. */
export class DelayLine<T> implements Disposable {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #deliver: (item: T) => void;
  #held: Held<T>[] = [];
  #timer: Disposable | undefined;

  constructor(clock: Clock, delayMs: number, deliver: (item: T) => void) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#deliver = deliver;
  }

  push(item: T): void {
    this.#held.push({ item, dueMs: this.#clock.now() + this.#delayMs });
    if (this.#held.length === 1) this.#arm(this.#delayMs);
  }

  /** What is held is dropped. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#held = [];
  }

  #arm(ms: number): void {
    this.#timer = this.#clock.timer(ms, () => this.#handOn());
  }

  #handOn(): void {
    const nowMs = this.#clock.now();
    const firstLate = this.#held.findIndex(({ dueMs }) => dueMs > nowMs);
    const due = this.#held.splice(0, firstLate < 0 ? this.#held.length : firstLate);
    const next = this.#held[0];
    if (next) this.#arm(Math.max(1, next.dueMs - nowMs));
    for (const { item } of due) this.#deliver(item);
  }
}
