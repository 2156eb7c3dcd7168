/** How often an object is looked at that must not be watched. Pure. */

const FIRST_MS = 5_000;
const GROWTH = 1.5;
const CAP_MS = 30_000;
/** Spreads the looks of many over this part of each wait. */
const JITTER = 0.2;

/** Milliseconds to wait when so many looks in a row found nothing new; `random` is uniform in [0, 1). */
export function pollMs(unchanged: number, random: number): number {
  const evenMs = Math.min(CAP_MS, FIRST_MS * GROWTH ** unchanged);
  return Math.round(evenMs * (1 - JITTER + 2 * JITTER * random));
}
