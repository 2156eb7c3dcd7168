/**
 * Notices that the machine slept. Where the monotonic clock stands still meanwhile (Linux), the wall clock tells; where
 * it runs on (macOS, Windows), the look itself comes late.
 */
import type { Clock } from "./deps.ts";

/** Often, since forwards shall be back five seconds after the machine. */
export const LOOK_MS = 2_000;

/** A smaller delay is the wall clock being set, or a busy machine. */
const GAP_MS = 5_000;

/** Calls `onWake` with the length of each sleep, in milliseconds, until disposed. */
export function watchForWake(clock: Clock, onWake: (sleptMs: number) => void): Disposable {
  let lastMs = clock.now();
  let lastWallMs = clock.wall();
  let timer = clock.timer(LOOK_MS, look);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };

  function look(): void {
    const sleptMs = Math.max(clock.wall() - lastWallMs, clock.now() - lastMs) - LOOK_MS;
    lastMs = clock.now();
    lastWallMs = clock.wall();
    timer = clock.timer(LOOK_MS, look);
    if (sleptMs > GAP_MS) onWake(sleptMs);
  }
}
