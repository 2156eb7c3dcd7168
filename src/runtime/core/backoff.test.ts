import fc from "fast-check";
import { expect, test } from "vitest";
import { DEFAULT_BACKOFF, backoffMs } from "./backoff.ts";

test("the first retry is immediate, then the bound doubles up to the cap", () => {
  const bounds = [0, 1, 2, 3, 4, 5, 10, 40, 5_000].map((attempt) => backoffMs(attempt, 1));
  expect(bounds).toEqual([0, 0, 100, 200, 400, 800, 15_000, 15_000, 15_000]);
});

test("jitter spreads over the whole wait and never leaves it", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 10_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempt, random) => {
        const ms = backoffMs(attempt, random);
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(DEFAULT_BACKOFF.capMs);
      },
    ),
  );
});
