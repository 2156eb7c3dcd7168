import { expect, test } from "vitest";
import { isPlainMap, parsedJson } from "./plain.ts";

test.each([
  [{}, true],
  [{ a: 1 }, true],
  [[], false],
  [null, false],
  [undefined, false],
  ["text", false],
])("%j is a map: %s", (value, expected) => {
  expect(isPlainMap(value)).toBe(expected);
});

test("JSON is read, and what is none is undefined", () => {
  expect(parsedJson('{"a":[1]}')).toEqual({ a: [1] });
  expect(parsedJson('{"a":')).toBeUndefined();
  expect(parsedJson("")).toBeUndefined();
});
