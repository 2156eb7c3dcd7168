/** Notices that the machine slept: while it does, the wall clock goes on and the monotonic one stands still. */
import type { Clock } from "./deps.ts";

const LOOK_MS = 5_000;

/** A smaller jump is the wall clock being set, or a busy machine. */
const GAP_MS = 5_000;

/** Calls `onWake` with the length of each sleep, in milliseconds, until disposed. */
export function watchForWake(clock: Clock, onWake: (sleptMs: number) => void): Disposable {
  let lastMs = clock.now();
  let lastWallMs = clock.wall();
  let timer = clock.timer(LOOK_MS, look);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };

  function look(): void {
    const sleptMs = clock.wall() - lastWallMs - (clock.now() - lastMs);
    lastMs = clock.now();
    lastWallMs = clock.wall();
    timer = clock.timer(LOOK_MS, look);
    if (sleptMs > GAP_MS) onWake(sleptMs);
  }
}
