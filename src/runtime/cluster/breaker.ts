/** Stops what keeps failing from being tried over and over. */
import type { Clock } from "../deps.ts";

/** After `limit` failures in a row without a success, one more try each `restMs`. */
export class Breaker {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #restMs: number;
  #failures = 0;
  #restUntilMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, limit: number, restMs: number) {
    this.#clock = clock;
    this.#limit = limit;
    this.#restMs = restMs;
  }

  /** Whether a try is not due now. */
  get resting(): boolean {
    return this.#clock.now() < this.#restUntilMs;
  }

  /** Says whether there have been so many that it rests now. */
  failed(): boolean {
    this.#failures++;
    if (this.#failures < this.#limit) return false;
    this.#restUntilMs = this.#clock.now() + this.#restMs;
    return true;
  }

  /** Something has changed: one more try now, and if that fails the rest begins anew. */
  once(): void {
    this.#restUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** Things are well, or a person asked for another try. */
  reset(): void {
    this.#failures = 0;
    this.#restUntilMs = Number.NEGATIVE_INFINITY;
  }
}
