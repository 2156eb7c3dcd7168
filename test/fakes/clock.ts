import type { Clock } from "../../src/runtime/deps.ts";

interface Pending {
  readonly atMs: number;
  readonly fire: () => void;
}

/** A clock that stands still until a test moves it. Timers fire in the order they are due. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #asleepMs = 0;
  readonly #pending = new Set<Pending>();

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#nowMs + this.#asleepMs;
  }

  /** Timers that are set and have not fired. */
  get pending(): number {
    return this.#pending.size;
  }

  /** In how many milliseconds each of them fires. */
  get due(): readonly number[] {
    return [...this.#pending].map(({ atMs }) => atMs - this.#nowMs);
  }

  /** The machine sleeps: the clock on the wall goes on alone, or with less than 0 is set back. */
  sleeps(ms: number): void {
    this.#asleepMs += ms;
  }

  /** This process does not run for a while: timers that fell due meanwhile fire with the next {@link advance}. */
  stalls(ms: number): void {
    this.#nowMs += ms;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const timer = this.timer(ms, () => {
        signal.removeEventListener("abort", abort);
        resolve();
      });
      const abort = (): void => {
        timer[Symbol.dispose]();
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  timer(ms: number, fire: () => void): Disposable {
    const pending = { atMs: this.#nowMs + ms, fire };
    this.#pending.add(pending);
    return { [Symbol.dispose]: () => void this.#pending.delete(pending) };
  }

  /** Moves time on, firing what falls due, and lets the promises that were waiting for it run after each. */
  async advance(ms: number): Promise<void> {
    await settle(); // what is ready to run sets its timers before time moves
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const due = [...this.#pending].filter((p) => p.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      this.#pending.delete(due);
      due.fire();
      await settle();
    }
    this.#nowMs = untilMs;
    await settle();
  }
}

/** Lets all promise callbacks that are ready run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Lets the event loop turn until the condition holds: for effects that arrive through real sockets. */
export async function turnUntil(met: () => boolean): Promise<void> {
  while (!met()) await settle();
}
