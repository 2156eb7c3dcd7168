import { describe, expect, test } from "vitest";
import { parseMoment } from "./moment.ts";

const nowMs = Date.parse("2026-11-21T10:00:00Z");

describe("a moment", () => {
  test.each([
    ["10m", nowMs - 600_000],
    ["1h30m", nowMs - 5_400_000],
    ["90", nowMs - 90_000],
    ["2d", nowMs - 2 * 86_400_000],
    ["0s", nowMs],
    ["2026-11-20T08:00:00Z", Date.parse("2026-11-20T08:00:00Z")],
    ["2026-11-20T08:00:00.250+02:00", Date.parse("2026-11-20T06:00:00.250Z")],
    ["2026-11-20T08:00", new Date(2026, 10, 20, 8).getTime()],
    ["2026-11-20 08:00", new Date(2026, 10, 20, 8).getTime()],
    ["2026-11-20", new Date(2026, 10, 20).getTime()],
  ])("%s", (text, wanted) => expect(parseMoment(text, "--since", nowMs)).toBe(wanted));

  test.each(["", "yesterday", "10:02", "-5m", "2026-13-45", "2026-11-20T25:00", "m", "5w"])(
    "%j is refused",
    (text) =>
      expect(() => parseMoment(text, "--since", nowMs)).toThrow(
        `cannot read the moment "${text}" of --since`,
      ),
  );
});
