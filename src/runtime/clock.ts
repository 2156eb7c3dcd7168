/** The real clock: the only reader of time and the only owner of timers in the runtime. */
import type { Clock } from "./deps.ts";

/** `setTimeout` takes no more, and fires at once when it is given more. */
const LAP_MAX_MS = 2 ** 31 - 1;

export const realClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const timer = inLaps(ms, "keepsAlive", () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      });
      const onAbort = (): void => {
        timer[Symbol.dispose]();
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
    }),
  timer: (ms, fire) => inLaps(ms, "idle", fire),
};

/**
 * What was there before the timer is read before it fires. Otherwise a process that could not run for a while (a machine
 * that was suspended, a busy one) would find every deadline missed by peers that have long answered: Node calls timers
 * that are due before it reads what has come.
 */
function inLaps(ms: number, process: "keepsAlive" | "idle", fire: () => void): Disposable {
  const dueMs = performance.now() + ms;
  let reading: NodeJS.Immediate | undefined;
  let timer = lap(ms);
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      clearImmediate(reading);
    },
  };

  function lap(leftMs: number): NodeJS.Timeout {
    const next = leftMs <= LAP_MAX_MS ? read : (): void => void (timer = lap(dueMs - performance.now()));
    const set = setTimeout(next, Math.min(leftMs, LAP_MAX_MS));
    return process === "idle" ? set.unref() : set;
  }

  function read(): void {
    reading = setImmediate(fire);
  }
}
