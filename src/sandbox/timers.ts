/** Node fires at once when it is told to wait longer. */
const LONGEST_MS = 2 ** 31 - 1;

/** Timers of one sandbox: none outlives it. */
export class Timers implements Disposable {
  readonly #running = new Set<NodeJS.Timeout>();

  /** Calls `fire` once after `ms`, unless disposed before. */
  after(ms: number, fire: () => void): Disposable {
    const timer = setTimeout(
      () => {
        this.#running.delete(timer);
        fire();
      },
      Math.min(ms, LONGEST_MS),
    );
    this.#running.add(timer);
    return {
      [Symbol.dispose]: () => {
        clearTimeout(timer);
        this.#running.delete(timer);
      },
    };
  }

  [Symbol.dispose](): void {
    for (const timer of this.#running) clearTimeout(timer);
    this.#running.clear();
  }
}
