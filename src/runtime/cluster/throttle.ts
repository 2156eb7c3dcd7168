/** How often one API server is asked: so many requests at once, then so many a second, in the order they came. */
import type { Clock } from "../deps.ts";

/** client-go's: what every tool of a user is allowed, so that a project of many forwards is no burden. */
const PER_SECOND = 5;
const BURST = 10;

/** A token bucket. Those who wait are as many as there are lists and watches, since each asks for one thing at a time. */
export class Throttle {
  readonly #clock: Clock;
  /** When the request that was let through last would have come at an even pace. */
  #evenMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when it is this request's turn. @throws the signal's reason. */
  async turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const nowMs = this.#clock.now();
    const spaceMs = 1000 / PER_SECOND;
    this.#evenMs = Math.max(this.#evenMs + spaceMs, nowMs - (BURST - 1) * spaceMs);
    const waitMs = this.#evenMs - nowMs;
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal);
  }
}
