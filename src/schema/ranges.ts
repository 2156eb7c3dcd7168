/** `ranges`: the team's conventions on local ports. */
import type { RangeSpec } from "./details.ts";
import { RANGE_NAME, RANGE_NAME_RULE } from "./fields.ts";
import { reportProblem } from "./field-check.ts";
import { globMatches } from "../glob.ts";
import { LINT_LEVELS } from "./lint-rules.ts";
import { quoted, shown } from "../printable.ts";
import type { Fail } from "./problem.ts";
import { anyText, Fielded, oneOf } from "./readers.ts";
import type { Report } from "./report.ts";
import { positionOf, type Span } from "./source.ts";
import { isNothing, plainOf, spanOfValue, type TreeEntry } from "./tree.ts";

/** A range and where it stands. */
export interface PlacedRange extends RangeSpec {
  readonly at: Span;
}

/** The items of `ranges`, moved by the environment's offset. */
export function readRanges(
  entry: TreeEntry | undefined,
  portOffset: number,
  report: Report,
): readonly PlacedRange[] {
  if (entry === undefined || isNothing(entry.value)) return [];
  if (entry.value.kind !== "map") {
    const message = `ranges must be a map of names, got ${shown(plainOf(entry.value))}`;
    report.error({
      code: "WrongType",
      message,
      hint: "ranges: { apis: 8080-8089 }",
      span: spanOfValue(entry),
    });
    return [];
  }
  const ranges: PlacedRange[] = [];
  for (const [name, item] of entry.value.entries) {
    if (!RANGE_NAME.test(name)) {
      const hint = `a name is ${RANGE_NAME_RULE}`;
      report.error({
        code: "BadName",
        message: `${quoted(name)} cannot be the name of a range`,
        hint,
        span: item.key,
      });
      continue;
    }
    const prefix = `range ${quoted(name)}: `;
    const read = readRange(plainOf(item.value), (problem) => reportProblem(problem, item, prefix, report));
    if (read === undefined) continue;
    const { first, last, level, match } = read;
    ranges.push({
      name,
      first: Math.min(first + portOffset, 65_535),
      last: Math.min(last + portOffset, 65_535),
      level: level ?? "error",
      ...(match !== undefined && { match }),
      source: positionOf(item.key),
      at: item.key,
    });
  }
  return ranges;
}

interface RangeFields {
  readonly first: number;
  readonly last: number;
  readonly level?: RangeSpec["level"] | undefined;
  readonly match?: string | undefined;
}

function readRange(value: unknown, fail: Fail): RangeFields | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return readSpan(value, fail);
  const map = Fielded.open("a range", value, fail);
  const ports = map?.read("ports", readSpan);
  const level = map?.read("level", oneOf("level", LINT_LEVELS));
  const match = map?.read("match", anyText("match"));
  if (!map?.isGood()) return undefined;
  if (ports !== undefined) return { ...ports, level, match };
  fail({ code: "Empty", message: "ports is missing", hint: "ports: 8080-8089" });
  return undefined;
}

/** `8080-8089`, or one port. */
function readSpan(value: unknown, fail: Fail): RangeFields | undefined {
  const text = typeof value === "number" ? String(value) : value;
  const [, from, to] =
    (typeof text === "string" && /^([0-9]{1,5})(?:\s*-\s*([0-9]{1,5}))?$/.exec(text)) || [];
  const [first, last] = [Number(from), Number(to ?? from)];
  if (from !== undefined && first >= 1 && first <= last && last <= 65_535) return { first, last };
  const message = `ports must be like 8080-8089, within 1-65535, got ${shown(value)}`;
  fail({ code: "BadRange", message, hint: "8080-8089" });
  return undefined;
}

/** The range a forward belongs to: the one it names, else the first whose `match` it meets. */
export function rangeOf(
  name: string,
  named: string | undefined,
  ranges: readonly PlacedRange[],
): PlacedRange | undefined {
  if (named !== undefined) return ranges.find((range) => range.name === named);
  return ranges.find(({ match }) => match !== undefined && globMatches(match, name));
}

/** Ports of a range that no forward has, the lowest first, three at most. */
export function freePorts(range: RangeSpec, taken: ReadonlySet<number>): readonly number[] {
  const free: number[] = [];
  for (let port = range.first; port <= range.last && free.length < 3; port++) {
    if (!taken.has(port)) free.push(port);
  }
  return free;
}
