/** Bounds a wait that has no signal of its own. */
import type { Clock } from "../deps.ts";

/** Settles as `promise` does, or rejects with `late()` after `ms`; how the promise ends then is ignored. */
export function within<T>(clock: Clock, ms: number, promise: Promise<T>, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.timer(ms, () => reject(late()));
    const settled = (): void => timer[Symbol.dispose]();
    promise.finally(settled).then(resolve, reject);
  });
}
