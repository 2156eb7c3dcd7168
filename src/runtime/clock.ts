/** The real clock: the only reader of time and the only owner of timers in the runtime. */
import { setTimeout as sleepFor } from "node:timers/promises";
import type { Clock } from "./deps.ts";

export const realClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await sleepFor(ms, undefined, { signal });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  },
  timer(ms, fire) {
    const timer = setTimeout(fire, ms);
    timer.unref();
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
