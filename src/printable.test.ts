import { describe, expect, test } from "vitest";
import { either, findControl, quoted, shown, visible } from "./printable.ts";

describe("visible", () => {
  test.each([
    ["escape", "a\u001b[31mb", "a\\u001b[31mb"],
    ["C1", "\u009b2J", "\\u009b2J"],
    ["right-to-left override", "x\u202ey", "x\\u202ey"],
    ["zero width", "a\u200bb\ufeff", "a\\u200bb\\ufeff"],
    ["line separator", "a\u2028b", "a\\u2028b"],
    ["half a pair", "\ud83d", "\\ud83d"],
    ["what people write", "größe 😀 漢", "größe 😀 漢"],
  ])("%s", (_, text, expected) => {
    expect(visible(text)).toBe(expected);
  });
});

test("long text is cut before it is quoted", () => {
  expect(quoted("a".repeat(61))).toBe(`"${"a".repeat(59)}…"`);
  expect(quoted("a".repeat(60))).toBe(`"${"a".repeat(60)}"`);
});

test.each([
  [null, "nothing"],
  [99999, "99999"],
  [true, "true"],
  ["udp", '"udp"'],
  [[1], "a list"],
  [{}, "a map"],
])("%j is shown as %s", (value, expected) => {
  expect(shown(value)).toBe(expected);
});

test("words in a row end with or", () => {
  expect(either(["a"])).toBe("a");
  expect(either(["a", "b"])).toBe("a or b");
  expect(either(["a", "b", "c"])).toBe("a, b or c");
});

test("tabs, line breaks and pairs of surrogates are no control characters", () => {
  expect(findControl("a\tb\r\nc\n😀")).toBeUndefined();
  expect(findControl("ab\u0000")).toEqual({ index: 2, name: "U+0000" });
  expect(findControl("a\rb")).toEqual({ index: 1, name: "U+000D" });
  expect(findControl("\ud83d!")).toEqual({ index: 0, name: "U+D83D" });
});
