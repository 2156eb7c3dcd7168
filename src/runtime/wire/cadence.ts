/**
 * When one side of a relay tunnel writes. A write costs every hop on the way (API server, kubelet, container runtime) about
 * as much whether it carries one datagram or fifty: at 10 000 datagrams a second a write at the end of each turn of the
 * event loop keeps those hops so busy that datagrams queue for tens of milliseconds. Pure.
 */

/** More in a millisecond than this are many. */
const MANY_PER_MS = 2;

/** Over how long they are counted. */
const COUNTED_MS = 8;

/** How long after a write the next waits while there are many; a timer may be late by as much again. */
export const GATHER_MS = 1;

/** After this part of it nobody waits for a timer any more, which would take longer. */
const NEARLY_MS = 0.6 * GATHER_MS;

/** Counts what leaves; times are of one clock, in ms. */
export class Cadence {
  #pace: "few" | "many" = "few";
  #count = 0;
  #countedSinceMs = 0;
  #wroteMs = Number.NEGATIVE_INFINITY;

  /** A datagram waits to be written. */
  add(): void {
    this.#count++;
  }

  /** A write took place. */
  wrote(nowMs: number): void {
    this.#wroteMs = nowMs;
    const countedMs = nowMs - this.#countedSinceMs;
    if (countedMs < COUNTED_MS) return;
    this.#pace = this.#count > MANY_PER_MS * countedMs ? "many" : "few";
    this.#count = 0;
    this.#countedSinceMs = nowMs;
  }

  /** Whether what waits now is to wait for what comes within {@link GATHER_MS}. */
  gathers(nowMs: number): boolean {
    return this.#pace === "many" && nowMs - this.#wroteMs < NEARLY_MS;
  }
}
