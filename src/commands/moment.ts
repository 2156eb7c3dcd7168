/** Moments as flags give them: so long ago, or a time. */
import { KfwdError } from "../errors.ts";
import { quoted } from "../printable.ts";
import { millisecondsOf } from "../duration.ts";

const DAY_MS = 86_400_000;

/** `2026-11-21`, `2026-11-21T10:02`, with seconds, a fraction and a zone if wanted; without a zone it is local time. */
const TIME = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;

/** Wall-clock milliseconds of `10m`, `2d` (ago) or `2026-11-21T10:02:00Z`. @throws KfwdError `USAGE`. */
export function parseMoment(text: string, flag: string, nowMs: number): number {
  const days = /^(\d+(?:\.\d+)?)d$/.exec(text);
  const agoMs = days ? Number(days[1]) * DAY_MS : millisecondsOf(text);
  if (agoMs !== undefined) return nowMs - agoMs;
  // A date alone would be read as UTC, a date with a time as local: both are local here.
  const wallMs = TIME.test(text)
    ? Date.parse(text.includes(":") ? text.replace(" ", "T") : `${text}T00:00`)
    : NaN;
  if (!Number.isNaN(wallMs)) return wallMs;
  throw new KfwdError("USAGE", `cannot read the moment ${quoted(text)} of ${flag}`, {
    hint: `${flag} 10m, or ${flag} 2026-11-21T10:02`,
  });
}
