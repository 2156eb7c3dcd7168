/** A wait that ends by its time or by a signal to the process, whichever comes first. */
import { INTERRUPTED, type Interrupt, type World } from "./world.ts";

/** Why a wait is over: the time is up, or a signal came. */
export type Overdue = "late" | Interrupt;

/** One wait. Disposing stops listening to signals. */
export class Patience implements Disposable {
  /** Aborted when the wait is over. */
  readonly signal: AbortSignal;
  /** Aborted by a signal to the process alone: what takes a moment is done even where there is hardly any time. */
  readonly interruption: AbortSignal;
  readonly #deadline: Disposable;
  readonly #listening: Disposable;
  #why: Overdue | undefined;

  constructor({ clock, onInterrupt }: World, withinMs: number) {
    const [over, interruption] = [new AbortController(), new AbortController()];
    this.signal = over.signal;
    this.interruption = interruption.signal;
    const end = (why: Overdue): void => {
      if (why !== "late" || this.#why === undefined) this.#why = why;
      over.abort();
      if (why !== "late") interruption.abort();
    };
    this.#deadline = clock.timer(withinMs, () => end("late"));
    this.#listening = onInterrupt(end);
  }

  /** Exit status of a command that a signal has ended; undefined as long as none came. */
  get interrupted(): number | undefined {
    return this.#why === undefined || this.#why === "late" ? undefined : INTERRUPTED[this.#why];
  }

  /** @throws what ends the wait of a command that a signal has ended. */
  throwIfInterrupted(): void {
    this.interruption.throwIfAborted();
  }

  [Symbol.dispose](): void {
    this.#deadline[Symbol.dispose]();
    this.#listening[Symbol.dispose]();
  }
}
