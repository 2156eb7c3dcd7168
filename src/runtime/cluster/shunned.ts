/** Pods that could not be reached though their API server could: others are chosen while there are others. */
import type { Clock } from "../deps.ts";

/** By then the node is back, or the cluster has noticed what we have: Kubernetes takes about so long. */
const SHUNNED_MS = 60_000;

/** Where all are shunned each gets so long before the next is tried. */
const TURN_MS = 10_000;

export class Shunned {
  readonly #clock: Clock;
  readonly #sinceMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Since when the pod of that UID is shunned, on the clock; undefined: it is not. */
  get(pod: string): number | undefined {
    const sinceMs = this.#sinceMs.get(pod);
    return sinceMs !== undefined && this.#clock.now() < sinceMs + SHUNNED_MS ? sinceMs : undefined;
  }

  /** Whether that may lead to another choice. */
  add(pod: string): boolean {
    const nowMs = this.#clock.now();
    const before = this.get(pod);
    if (before !== undefined && nowMs < before + TURN_MS) return false;
    for (const known of this.#sinceMs.keys()) if (this.get(known) === undefined) this.#sinceMs.delete(known);
    this.#sinceMs.set(pod, nowMs);
    return true;
  }

  /** It was reached. */
  remove(pod: string): void {
    this.#sinceMs.delete(pod);
  }
}
