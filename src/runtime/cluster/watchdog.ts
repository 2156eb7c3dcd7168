/** Notices silence. */
import type { Clock } from "../deps.ts";

/** Calls `bark` once when nothing was fed for `silenceMs`. Feeding costs no timer. */
export class Watchdog implements Disposable {
  readonly #clock: Clock;
  readonly #silenceMs: number;
  readonly #bark: () => void;
  #fedAtMs: number;
  #timer: Disposable;

  constructor(clock: Clock, silenceMs: number, bark: () => void) {
    this.#clock = clock;
    this.#silenceMs = silenceMs;
    this.#bark = bark;
    this.#fedAtMs = clock.now();
    this.#timer = this.#wait(silenceMs);
  }

  feed(): void {
    this.#fedAtMs = this.#clock.now();
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #wait(ms: number): Disposable {
    return this.#clock.timer(ms, () => {
      const leftMs = this.#fedAtMs + this.#silenceMs - this.#clock.now();
      if (leftMs > 0) this.#timer = this.#wait(leftMs);
      else this.#bark();
    });
  }
}
