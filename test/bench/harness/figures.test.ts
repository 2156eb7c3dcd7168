import { describe, expect, test } from "vitest";
import { judge, type Figure, type Goal } from "./figures.ts";

const figure: Figure = { name: "up-1", unit: "ms", theirs: [100, 200, 400], ours: [60, 100, 300] };

test("the ratio is the median of the rounds' ratios, not the ratio of the medians", () => {
  const skewed = { ...figure, theirs: [100, 200, 400], ours: [90, 20, 200] };
  expect(judge(skewed).ratio).toEqual({ median: 0.5, min: 0.1, max: 0.9 });
});

test("the peer is kubectl unless the figure names another", () => {
  expect(judge(figure).peer).toBe("kubectl");
  expect(judge({ ...figure, peer: "node -e 0" }).peer).toBe("node -e 0");
});

describe("the verdict", () => {
  const rows: { name: string; goal: Goal | undefined; verdict: string }[] = [
    { name: "a ratio at its limit", goal: { of: "ratio", is: "<=", limit: 0.6 }, verdict: "reached" },
    { name: "a ratio above its limit", goal: { of: "ratio", is: "<=", limit: 0.59 }, verdict: "missed" },
    { name: "a ratio below the least", goal: { of: "ratio", is: ">=", limit: 1 }, verdict: "missed" },
    { name: "our own value", goal: { of: "value", is: "<=", limit: 100 }, verdict: "reached" },
    { name: "our own value above its limit", goal: { of: "value", is: "<=", limit: 99 }, verdict: "missed" },
    { name: "nothing to reach", goal: undefined, verdict: "no goal" },
  ];
  test.each(rows)("$name: $verdict", ({ goal, verdict }) => {
    expect(judge(goal ? { ...figure, goal } : figure).verdict).toBe(verdict);
  });
});

test("a figure whose rounds do not pair up is refused", () => {
  expect(() => judge({ ...figure, ours: [1] })).toThrow('"up-1": rounds are missing');
});
