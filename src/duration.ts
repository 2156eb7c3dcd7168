/** Durations as people write them. */
import { KfwdError } from "./errors.ts";

/** Milliseconds of each unit. */
export const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Timers of Node that are longer than this fire at once. */
export const TIMER_MAX_MS = 24 * 24 * UNIT_MS.h;

/** Milliseconds of `90s`, `1m30s`, `500ms`, or of a bare number of seconds. @throws KfwdError `USAGE`. */
export function parseDuration(text: string, flag: string): number {
  const ms = millisecondsOf(text);
  const refuse = (message: string): KfwdError => new KfwdError("USAGE", message, { hint: `${flag} 60s` });
  if (ms === undefined) throw refuse(`cannot read the duration "${text}" of ${flag}`);
  if (ms > TIMER_MAX_MS) throw refuse(`the duration "${text}" of ${flag} is longer than 24 days`);
  return ms;
}

/** Undefined for what is no duration. */
export function millisecondsOf(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * UNIT_MS.s;
  let [ms, read] = [0, ""];
  for (const [whole, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    if (unit === "ms" || unit === "s" || unit === "m" || unit === "h") ms += Number(count) * UNIT_MS[unit];
    read += whole;
  }
  return read === "" || read !== text ? undefined : ms;
}
