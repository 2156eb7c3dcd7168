import { describe, expect, test } from "vitest";
import { byTurns, quantile, spreadOf } from "./statistics.ts";

describe("quantile", () => {
  const rows = [
    { name: "the median of an odd number is the middle one", samples: [9, 1, 5], q: 0.5, is: 5 },
    {
      name: "the median of an even number lies between the middle two",
      samples: [4, 1, 3, 2],
      q: 0.5,
      is: 2.5,
    },
    { name: "numbers are ordered as numbers", samples: [10, 9, 100], q: 0.5, is: 10 },
    { name: "one sample is every quantile", samples: [7], q: 0.99, is: 7 },
    { name: "p99 of a hundred lies just below the largest", samples: oneTo(100), q: 0.99, is: 99.01 },
  ];
  test.each(rows)("$name", ({ samples, q, is }) => expect(quantile(samples, q)).toBeCloseTo(is));

  test("no samples have no quantile", () => expect(() => quantile([], 0.5)).toThrow("no samples"));
});

test("a spread names the middle and both ends, and leaves the samples as they were", () => {
  const samples = [3, 1, 2];
  expect(spreadOf(samples)).toEqual({ median: 2, min: 1, max: 3 });
  expect(samples).toEqual([3, 1, 2]);
});

test("contestants are measured by turns, another one first each round", async () => {
  const order: string[] = [];
  const say = (name: string) => () => Promise.resolve(order.push(name));
  const samples = await byTurns(3, { a: say("a"), b: say("b") });
  expect(order.join("")).toBe("abbaab");
  expect(samples).toEqual({ a: [1, 4, 5], b: [2, 3, 6] });
});

function oneTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}
