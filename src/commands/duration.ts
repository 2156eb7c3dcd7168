/** Durations as flags give them. */
import { KfwdError } from "../errors.ts";

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

/** Timers of Node that are longer than this fire at once. */
const MAX_MS = 24 * 24 * 3_600_000;

/** Milliseconds of `90s`, `1m30s`, `500ms`, or of a bare number of seconds. @throws KfwdError `USAGE`. */
export function parseDuration(text: string, flag: string): number {
  const ms = millisecondsOf(text);
  const refuse = (message: string): KfwdError => new KfwdError("USAGE", message, { hint: `${flag} 60s` });
  if (ms === undefined) throw refuse(`cannot read the duration "${text}" of ${flag}`);
  if (ms > MAX_MS) throw refuse(`the duration "${text}" of ${flag} is longer than 24 days`);
  return ms;
}

/** Undefined for what is no duration. */
export function millisecondsOf(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join("") !== text) return undefined;
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNIT_MS.get(unit ?? "") ?? 0), 0);
}
