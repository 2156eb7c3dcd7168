import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { interpolateText } from "./interpolation.ts";

const VARS: Readonly<Record<string, string>> = { A: "1", B: "two", EMPTY: "" };
const variables = {
  get: (name: string) => {
    const value = VARS[name];
    return value === undefined ? undefined : ({ value, from: "process" } as const);
  },
};
const read = (text: string) => interpolateText(text, variables);

describe("a text", () => {
  test.each([
    ["plain", "plain"],
    ["$A", "1"],
    ["${A}", "1"],
    ["x$A-${B}y", "x1-twoy"],
    ["$$A $${A} $$$A", "$A ${A} $1"],
    ["${A:-9}", "1"],
    ["${GONE:-9}", "9"],
    ["${GONE-9}", "9"],
    ["${EMPTY:-9}", "9"],
    ["${EMPTY-9}", ""],
    ["${GONE:-}", ""],
    ["${A:+x}", "x"],
    ["${GONE:+x}", ""],
    ["${EMPTY:+x}", ""],
    ["${EMPTY+x}", "x"],
    ["${GONE:-${B}}", "two"],
    ["${GONE:-${ALSO:-${A}}}", "1"],
    ["${A:-${GONE}}", "1"],
    ["${A:?no}", "1"],
    ["${GONE:-a:b?c}", "a:b?c"],
    ["{$A}", "{1}"],
    ["${GONE:-$$}", "$"],
  ])("%s is %j", (text, expected) => {
    expect(read(text)).toMatchObject({ text: expected, unfit: [] });
  });

  test.each([
    ["$GONE", "variable GONE is not set", 0, 5],
    ["a ${GONE}", "variable GONE is not set", 2, 7],
    ["${GONE:?say so}", "variable GONE is not set: say so", 0, 15],
    ["${EMPTY:?}", "variable EMPTY is not set", 0, 10],
    ["${GONE:-$ALSO}", "variable ALSO is not set", 8, 5],
    ["100$", 'a "$" must be followed by the name of a variable', 3, 1],
    ["$ ", 'a "$" must be followed by the name of a variable', 0, 1],
    ["$1", 'a "$" must be followed by the name of a variable', 0, 1],
    ["${A", 'the "}" of variable A is missing', 0, 3],
    ["${A:-b", 'the "}" of variable A is missing', 0, 6],
    ["${}", "a variable is written ${NAME}, ${NAME:-default}, ${NAME:?message} or ${NAME:+other}", 0, 2],
    ["${A!}", "a variable is written ${NAME}, ${NAME:-default}, ${NAME:?message} or ${NAME:+other}", 0, 3],
    [`${"${G:-".repeat(9)}x${"}".repeat(9)}`, "variables are nested deeper than 8", 40, 3],
  ])("%s is refused at its place", (text, message, index, length) => {
    expect(read(text).unfit).toMatchObject([{ message, part: { index, length } }]);
  });

  test("tells each variable that is not set, but nothing after what cannot be read", () => {
    const unfit = read("$GONE ${ALSO:?why} $1 $LAST").unfit.map(({ message }) => message);
    expect(unfit).toEqual([
      "variable GONE is not set",
      "variable ALSO is not set: why",
      'a "$" must be followed by the name of a variable',
    ]);
  });

  test("tells every variable that it names, set or not", () => {
    const { met } = read("$A ${GONE:-9} ${EMPTY+x}");
    expect(met).toMatchObject([
      { name: "A", found: { value: "1", from: "process" } },
      { name: "GONE", default: "9" },
      { name: "EMPTY", found: { value: "" } },
    ]);
  });
});

test("a text without a dollar is itself, and any text has an answer", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (text) => {
      if (!text.includes("$")) expect(read(text).text).toBe(text);
      else expect(read(text).text.length + read(text).unfit.length).toBeGreaterThanOrEqual(0);
      expect(read(text.replaceAll("$", "$$$$"))).toMatchObject({ text, unfit: [] });
    }),
  );
  const pieces = fc.constantFrom("$", "{", "}", "A", "GONE", ":-", ":?", "+", "$$", "x");
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      const text = parts.join("");
      for (const { part } of read(text).unfit)
        expect(part.index + part.length).toBeLessThanOrEqual(text.length);
    }),
  );
});
