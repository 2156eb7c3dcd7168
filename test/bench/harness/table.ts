/** Findings as a table for people. */
import type { Finding, Goal, Unit } from "./figures.ts";
import type { Spread } from "./statistics.ts";

const HEADS = ["row", "kubectl", "kfwd", "ratio", "goal", "verdict"];

/** One line a finding, in aligned columns: medians, and the least and most in brackets. */
export function table(findings: readonly Finding[]): string {
  const rows = [HEADS, ...findings.map(cells)];
  const widths = HEADS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function cells({ name, peer, unit, theirSpread, ourSpread, ratio, goal, verdict }: Finding): string[] {
  return [
    peer === "kubectl" ? name : `${name} (against ${peer})`,
    spread(theirSpread, unit),
    spread(ourSpread, unit),
    Number.isFinite(ratio.median)
      ? `${ratio.median.toFixed(2)}x [${ratio.min.toFixed(2)}..${ratio.max.toFixed(2)}]`
      : "-",
    goal ? goalText(goal, unit) : "-",
    verdict === "no goal" ? "-" : verdict,
  ];
}

function spread({ median, min, max }: Spread, unit: Unit): string {
  return `${number(median)} ${unit} [${number(min)}..${number(max)}]`;
}

function goalText({ of, is, limit }: Goal, unit: Unit): string {
  return of === "ratio" ? `${is} ${limit}x` : `${is} ${limit} ${unit}`;
}

/** Three digits are more than the measurements carry. */
function number(value: number): string {
  const digits = value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
