import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Diagnostic, formatDiagnostic, formatDiagnostics, frameLines } from "./diagnostic.ts";
import { visible } from "../printable.ts";

const TEXT = "version: 1\nforwards:\n  db:\n    target: svc/postgres\n    prot: udp\n";

const TEXTS = new Map([["forwards.yaml", TEXT]]);

const unknownKey: Diagnostic = {
  severity: "error",
  code: "UnknownKey",
  message: 'unknown key "prot" in forward "db"',
  hint: 'did you mean "port" or "protocol"?',
  file: "forwards.yaml",
  line: 5,
  column: 5,
  endColumn: 9,
};

test("a diagnostic has a title, a place, a frame and a hint", () => {
  expect(formatDiagnostic(unknownKey, TEXTS)).toBe(
    [
      'error: unknown key "prot" in forward "db"',
      "  forwards.yaml:5:5",
      "   4 |     target: svc/postgres",
      " > 5 |     prot: udp",
      "     |     ^^^^",
      'hint: did you mean "port" or "protocol"?',
    ].join("\n"),
  );
});

test("each line says what kind it is", () => {
  const kinds = frameLines(unknownKey, TEXTS).map((line) => line.kind);
  expect(kinds).toEqual(["title", "place", "context", "focus", "caret", "hint"]);
});

test("a second place has a frame of its own", () => {
  const related = { file: "forwards.yaml", line: 3, column: 3, endColumn: 5, message: '"db" is here' };
  expect(formatDiagnostic({ ...unknownKey, related }, TEXTS)).toContain(
    ['  forwards.yaml:3:3: "db" is here', "   2 | forwards:", " > 3 |   db:", "     |   ^^", "hint"].join(
      "\n",
    ),
  );
});

test("a second place in another file is only named", () => {
  const related = { file: "other.yaml", line: 3, column: 3, endColumn: 5, message: '"db" is here' };
  expect(formatDiagnostic({ ...unknownKey, related }, TEXTS)).toContain(
    '  other.yaml:3:3: "db" is here\nhint',
  );
});

test("several are parted by blank lines and end with how many there are besides", () => {
  const one = formatDiagnostic(unknownKey, TEXTS);
  expect(formatDiagnostics([unknownKey, unknownKey], 0, TEXTS)).toBe(`${one}\n\n${one}`);
  expect(formatDiagnostics([unknownKey], 27, TEXTS)).toBe(`${one}\n\nand 27 more`);
});

describe("the frame", () => {
  function frame(text: string, line: number, column: number, endColumn: number): readonly string[] {
    const lines = frameLines({ ...unknownKey, line, column, endColumn }, new Map([["forwards.yaml", text]]));
    return lines.filter(({ kind }) => ["context", "focus", "caret"].includes(kind)).map((each) => each.text);
  }

  test("lines numbers up to the width of the larger", () => {
    expect(frame("\n".repeat(8) + "a\nb", 10, 1, 2)).toEqual(["    9 | a", " > 10 | b", "      | ^"]);
  });

  test("shows no blank line before", () => {
    expect(frame("a\n  \nb", 3, 1, 2)).toEqual([" > 3 | b", "     | ^"]);
  });

  test("shows what cannot be seen, and keeps the caret under it", () => {
    expect(frame("a\u202e: \u001b[2J!", 1, 9, 10)).toEqual([
      " > 1 | a\\u202e: \\u001b[2J!",
      `     | ${" ".repeat(18)}^`,
    ]);
  });

  test("shows a tab as one arrow", () => {
    expect(frame("\tapi: x", 1, 1, 2)).toEqual([" > 1 | →api: x", "     | ^"]);
  });

  test("counts characters beyond the basic plane once", () => {
    expect(frame("😀😀: x", 1, 7, 8)).toEqual([" > 1 | 😀😀: x", `     | ${" ".repeat(4)}^`]);
  });

  test("cuts a long line around the caret", () => {
    const [focus = "", caret = ""] = frame(`${"a".repeat(500)}XY${"b".repeat(500)}`, 1, 501, 503);
    expect(focus).toBe(` > 1 | …${"a".repeat(33)}XY${"b".repeat(65)}…`);
    expect(caret).toBe(`     | ${" ".repeat(34)}^^`);
  });

  test("cuts a long mark", () => {
    const [focus = "", caret = ""] = frame("a".repeat(500), 1, 1, 501);
    expect(focus).toBe(` > 1 | ${"a".repeat(100)}…`);
    expect(caret).toBe(`     | ${"^".repeat(100)}`);
  });

  test("cuts a line that is long because of what is invisible in it", () => {
    const nuls = "\0".repeat(60);
    const [focus = "", caret = ""] = frame(`${nuls}XY${nuls}`, 1, 61, 63);
    const end = "\\u0000".repeat(11).slice(-33);
    expect(focus).toBe(` > 1 | …${end}XY${"\\u0000".repeat(11).slice(0, 65)}…`);
    expect(caret).toBe(`     | ${" ".repeat(34)}^^`);
    expect(frame(`${nuls}\na`, 2, 1, 2)[0]).toBe(`   1 | ${"\\u0000".repeat(17).slice(0, 101)}…`);
  });

  test("leaves out the carriage return", () => {
    expect(frame("a\r\nbc\r\n", 2, 1, 3)).toEqual(["   1 | a", " > 2 | bc", "     | ^^"]);
  });

  test("is left out where the text has no such line", () => {
    expect(frame("", 1, 1, 2)).toEqual([]);
    expect(frame("a", 5, 1, 2)).toEqual([]);
  });

  test("can be drawn for any place in any text, and is never wide", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 400 }),
        fc.nat(5),
        fc.nat(500),
        fc.nat(500),
        (text, line, column, wide) => {
          for (const each of frame(text, line + 1, column + 1, column + 1 + wide)) {
            expect(visible(each)).toBe(each);
            expect(Array.from(each).length).toBeLessThan(115);
          }
        },
      ),
    );
  });
});
