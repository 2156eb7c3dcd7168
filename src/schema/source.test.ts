import { expect, test } from "vitest";
import { firstLineOf, makeSource, positionAt } from "./source.ts";

test("lines and columns count from 1, past CRLF too", () => {
  const source = makeSource("f", "ab\r\nc\n\nd");
  const positions = [0, 1, 4, 5, 6, 7, 8].map((offset) => positionAt(source, offset));
  expect(positions.map(({ line, column }) => `${line}:${column}`)).toEqual([
    "1:1",
    "1:2",
    "2:1",
    "2:2",
    "3:1",
    "4:1",
    "4:2",
  ]);
});

test("a byte order mark is no part of the text", () => {
  const source = makeSource("f", "\ufeffab");
  expect(source.text).toBe("ab");
  expect(positionAt(source, 1)).toEqual({ line: 1, column: 2 });
});

test.each([
  ["ends with the line", 0, 6, 0, 2],
  ["stops before a line feed alone", 4, 8, 4, 5],
  ["is one wide where it is empty", 1, 1, 1, 2],
  ["is one wide at the end of the text", 8, 8, 8, 9],
])("the first line of a span %s", (_, start, end, firstStart, firstEnd) => {
  const source = makeSource("f", "ab\r\nc\n\nd");
  expect(firstLineOf({ source, start, end })).toEqual({ source, start: firstStart, end: firstEnd });
});
