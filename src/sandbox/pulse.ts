import { KfwdError } from "../errors.ts";
import type { Timers } from "./timers.ts";

interface Waiter {
  look(): boolean;
  fail(error: KfwdError): void;
}

/** Tells those who wait for a state of the sandbox that something in it has changed. */
export class Pulse implements Disposable {
  readonly #timers: Timers;
  readonly #waiters = new Set<Waiter>();
  #due = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Something changed: every waiter looks again, once for all changes of this turn. */
  touch(): void {
    if (this.#due || this.#waiters.size === 0) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      for (const waiter of this.#waiters) if (waiter.look()) this.#waiters.delete(waiter);
    });
  }

  /**
   * Resolves with what `look` finds as soon as that is neither false nor undefined.
   * @throws KfwdError `INTERNAL` after `timeoutMs`, or when the sandbox is disposed; and whatever `look` throws.
   */
  until<T>(look: () => T | false | undefined, timeoutMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#timers.after(timeoutMs, () => {
        this.#waiters.delete(waiter);
        reject(waitFailure(`waited ${timeoutMs} ms for ${look.toString()}`));
      });
      const waiter: Waiter = {
        look: () => {
          try {
            const found = look();
            if (found === false || found === undefined) return false;
            resolve(found);
          } catch (error) {
            reject(error);
          }
          timer[Symbol.dispose]();
          return true;
        },
        fail: reject,
      };
      if (!waiter.look()) this.#waiters.add(waiter);
    });
  }

  [Symbol.dispose](): void {
    for (const waiter of this.#waiters) waiter.fail(waitFailure("disposed while something was waited for"));
    this.#waiters.clear();
  }
}

function waitFailure(what: string): KfwdError {
  return new KfwdError("INTERNAL", `sandbox: ${what}`);
}
