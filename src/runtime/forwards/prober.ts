/** Probes an application again and again, one question at a time. */
import type { ProbeSpec } from "../../schema/spec.ts";
import type { Reason } from "../core/status.ts";
import type { Clock } from "../deps.ts";
import { probe, type Open } from "./probe.ts";

/** Until it has worked for the first time it is asked again after this long, then after twice that, up to the interval. */
const FIRST_PAUSE_MS = 500;

/** What came out, and when the next question is due on the clock. */
export type Told = (trouble: Reason | null, nextMs: number) => void;

/** Asks from its making until it is disposed. */
export class Prober implements Disposable {
  readonly #over = new AbortController();

  constructor(clock: Clock, spec: ProbeSpec, open: Open, tell: Told) {
    void this.#run(clock, spec, open, tell).catch(() => {}); // it was disposed
  }

  [Symbol.dispose](): void {
    this.#over.abort();
  }

  async #run(clock: Clock, spec: ProbeSpec, open: Open, tell: Told): Promise<void> {
    const { signal } = this.#over;
    let eagerMs = FIRST_PAUSE_MS;
    for (;;) {
      const trouble = await probe(clock, spec, open, signal);
      const pauseMs = Math.min(spec.intervalMs, eagerMs);
      eagerMs = trouble === null ? Number.POSITIVE_INFINITY : 2 * eagerMs;
      if (trouble === null) tell(null, clock.now() + spec.intervalMs);
      else if (trouble) tell(trouble, clock.now() + pauseMs);
      await clock.sleep(trouble === null ? spec.intervalMs : pauseMs, signal);
    }
  }
}
