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

function inLaps(ms: number, process: "keepsAlive" | "idle", fire: () => void): Disposable {
  const dueMs = performance.now() + ms;
  let timer = lap(ms);
  return { [Symbol.dispose]: () => clearTimeout(timer) };

  function lap(leftMs: number): NodeJS.Timeout {
    const next = leftMs <= LAP_MAX_MS ? fire : (): void => void (timer = lap(dueMs - performance.now()));
    const set = setTimeout(next, Math.min(leftMs, LAP_MAX_MS));
    return process === "idle" ? set.unref() : set;
  }
}
