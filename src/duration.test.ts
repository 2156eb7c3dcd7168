import { expect, test } from "vitest";
import { parseDuration } from "./duration.ts";

test.each([
  ["60", 60_000],
  ["0", 0],
  ["1.5", 1_500],
  ["90s", 90_000],
  ["1m30s", 90_000],
  ["500ms", 500],
  ["2h", 7_200_000],
  ["576h", 2_073_600_000],
])("%s is %d ms", (text, ms) => {
  expect(parseDuration(text, "--timeout")).toBe(ms);
});

test.each(["", "s", "5x", "-1", "1m 30s", "1e3", "NaN", "5s!", "ms500"])(
  "%j is refused with an example",
  (text) => {
    expect(() => parseDuration(text, "--timeout")).toThrow(
      expect.objectContaining({ code: "USAGE", exit: 2, hint: "--timeout 60s" }) as Error,
    );
  },
);

test.each(["577h", "9".repeat(400), "2073601"])("%s is refused: no timer takes that long", (text) => {
  expect(() => parseDuration(text, "--timeout")).toThrow(/of --timeout is longer than 24 days$/);
});
