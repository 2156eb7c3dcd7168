import { describe, expect, test } from "vitest";
import { decodeLogLine } from "./logline.ts";

const time = "2026-11-21T10:02:11.000Z";

describe("a line of the log", () => {
  test("is its head and whatever else stands in it", () => {
    const text = JSON.stringify({ time, level: "info", event: "ready", forward: "db", pod: null, held: 1 });
    expect(decodeLogLine(text)).toEqual({
      time,
      level: "info",
      event: "ready",
      fields: { forward: "db", pod: null, held: 1 },
    });
  });

  test.each([
    "",
    "TypeError: x is not a function",
    "[]",
    "null",
    "{}",
    JSON.stringify({ time, level: "loud", event: "x" }),
    JSON.stringify({ time: "yesterday", level: "info", event: "x" }),
    JSON.stringify({ time, level: "info", event: "x", more: { a: 1 } }),
  ])("%j is none", (text) => expect(decodeLogLine(text)).toBe(undefined));
});
