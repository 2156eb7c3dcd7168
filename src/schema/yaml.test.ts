import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CST, Lexer, Parser } from "yaml";
import { Report } from "./report.ts";
import { makeSource } from "./source.ts";
import { FILE_MAX_BYTES, isTooLarge, readYaml } from "./yaml.ts";

/** Each error as `line:column-endColumn code: message`. */
function errors(text: string): readonly string[] {
  const report = new Report();
  readYaml(makeSource("f", text), report);
  return report
    .errors()
    .diagnostics.map(
      ({ line, column, endColumn, code, message }) => `${line}:${column}-${endColumn} ${code}: ${message}`,
    );
}

describe("what a file must be", () => {
  test.each([
    ["nothing", "", "1:1-2 EmptyFile: the file is empty"],
    ["a comment", "# x\n", "1:1-2 EmptyFile: the file is empty"],
    ["a start of a document", "---\n", "1:4-5 EmptyFile: the file is empty"],
    ["null", "null\n", "1:1-5 EmptyFile: the file is empty"],
    ["a list", "- a\n", '1:1-4 NotAMap: the file must be a map with the key "forwards"'],
    ["text", "a b\n", '1:1-4 NotAMap: the file must be a map with the key "forwards"'],
    [
      "two documents",
      "a: 1\n---\nb: 2\n",
      "2:1-4 SeveralDocuments: the file holds more than one YAML document",
    ],
    [
      "more after the end",
      "a: 1\n...\nb: 2\n",
      "3:1-4 SeveralDocuments: the file holds more than one YAML document",
    ],
  ])("not %s", (_, text, expected) => {
    expect(errors(text)).toEqual([expected]);
  });

  test.each([
    ["a byte order mark", "\ufeffa: 1\n"],
    ["CRLF", "a: 1\r\nb: 2\r\n"],
    ["a start and an end of the document", "---\na: 1\n...\n"],
    ["explicit keys", "? a\n: b\n"],
    ["tabs that do not indent", "a:\t1\t# x\n\t\nb: 'x\n \ty'\n"],
    ["characters that only look like YAML's", "a: x&y *z !w\nb: '&a *b !c %d'\nc: |\n  &a *b\n  %YAML\n"],
  ])("but it may have %s", (_, text) => {
    expect(errors(text)).toEqual([]);
  });
});

describe("what a file must not hold", () => {
  test.each([
    ["an anchor", "a: &x 1\n", '1:4-6 Anchor: YAML anchors are not allowed, got "&x"'],
    ["an alias", "a: [*prod*]\n", '1:5-11 Alias: YAML aliases are not allowed, got "*prod*"'],
    ["a tag", "a: !reset 1\n", '1:4-10 Tag: YAML tags are not allowed, got "!reset"'],
    ["a core tag", "a: !!str 1\n", '1:4-9 Tag: YAML tags are not allowed, got "!!str"'],
    ["a bare tag", "a: ! 1\n", '1:4-5 Tag: YAML tags are not allowed, got "!"'],
    [
      "YAML 1.1",
      "%YAML 1.1\n---\na: 1\n",
      '1:1-10 Directive: YAML directives are not allowed, got "%YAML 1.1"',
    ],
    [
      "a tag prefix",
      "%TAG ! x\n---\na: 1\n",
      '1:1-9 Directive: YAML directives are not allowed, got "%TAG ! x"',
    ],
    ["a merge key", "a:\n  <<: {b: 1}\n", "2:3-5 MergeKey: merge keys (<<) are not allowed"],
    ["a key twice", 'a: 1\nb: 2\n"a": 3\n', '3:1-4 DuplicateKey: key "a" stands twice in the same map'],
    [
      "a key twice in brackets",
      "a: {b: 1, b: 2}\n",
      '1:11-12 DuplicateKey: key "b" stands twice in the same map',
    ],
    ["NUL", "a: b\nc: \u0000\n", "2:4-5 ControlCharacter: control character U+0000 in the file"],
    ["an escape", "a: \u001b[2J\n", "1:4-5 ControlCharacter: control character U+001B in the file"],
    ["a hidden escape", 'a: "x\\e[2J"\n', "1:4-12 ControlCharacter: control character U+001B in a value"],
    [
      "a carriage return alone",
      "a: b\rc: d\n",
      "1:5-6 ControlCharacter: control character U+000D in the file",
    ],
    ["half a pair", "a: \ud83d\n", "1:4-5 ControlCharacter: control character U+D83D in the file"],
    [
      "UTF-16",
      "\ufffd\ufffda\0:\0 \0b\0",
      "1:1-2 NotUtf8: the file is not valid UTF-8: it looks like UTF-16",
    ],
    [
      "UTF-16 without a mark",
      "a\0:\0 \0b\0",
      "1:1-2 NotUtf8: the file is not valid UTF-8: it looks like UTF-16",
    ],
    ["broken UTF-8", "a: gr\ufffd\ufffde\n", "1:6-7 NotUtf8: the file is not valid UTF-8"],
    [
      "a list for a key",
      "? [a]\n: b\n",
      "1:3-4 InvalidYaml: invalid YAML: a key must be text, not a list or a map",
    ],
    [
      "a map for a key",
      "{a: b}: c\n",
      "1:1-2 InvalidYaml: invalid YAML: a key must be text, not a list or a map",
    ],
  ])("%s", (_, text, expected) => {
    expect(errors(text)).toEqual([expected]);
  });

  test("all of it is told at once", () => {
    expect(errors("a: &x 1\nb: *x\nc: !y z\n").map((error) => error.slice(0, 9))).toEqual([
      "1:4-6 Anc",
      "2:4-6 Ali",
      "3:4-6 Tag",
    ]);
  });

  test("a key that stands twice names the first place", () => {
    const report = new Report();
    readYaml(makeSource("f", "a:\n  b: 1\n  b: 2\n"), report);
    const related = { file: "f", line: 2, column: 3, endColumn: 4, message: "the first one is here" };
    expect(report.errors().diagnostics).toMatchObject([{ line: 3, column: 3, related }]);
  });
});

describe("YAML that cannot be read is explained in our words", () => {
  const INDENT = "the indentation of this line fits no line above it";
  const COLON = 'a key must be followed by ": " on the same line';
  const VALUE = "this key has a value already, but the next line is indented as if it belonged to it";
  const QUOTE = 'a value that contains ": " must be quoted';
  const STRAY = "this cannot stand here";

  test.each([
    ["tab", "a:\n\tb: c\n", "2:1-2", "tabs are not allowed as indentation"],
    ["tab after spaces", "a:\n  b:\n  \tc: d\n", "3:3-4", "tabs are not allowed as indentation"],
    ["tab in brackets", "a: {\n\tb: c\n}\n", "2:1-2", "tabs are not allowed as indentation"],
    ["tab in a block", "a: |\n\tb\n", "2:1-2", "tabs are not allowed as indentation"],
    ["less indented", "a:\n    b: 1\n  c: 2\n", "3:3-4", INDENT],
    ["between two levels", "a:\n  b:\n    c: 1\n   d: 2\n", "4:4-5", INDENT],
    ["key after a list", "a:\n  - b\n  c: d\n", "3:3-4", INDENT],
    ["more indented", "a:\n  b: c\n    d: 1\n", "2:6-7", VALUE],
    ["colon in a value", "a: b: c\n", "1:4-5", QUOTE],
    ["no colon", "a:\n  b c\n  d: e\n", "2:3-6", COLON],
    ["no space after the colon", "name:x\na: b\n", "1:1-7", COLON],
    ["no space after the dash", "a:\n-b\n", "2:1-3", COLON],
    ["list in a map", "a:\n  b: c\n  - d\n", "3:3-4", "a list item cannot stand between the keys of a map"],
    ["list without a dash", "a:\n  - b: c\n   d: e\n", "3:4-5", 'a list item must start with "- "'],
    ["open double quote", 'a: 1\nb: "x\nc: 2\n', "2:4-6", "this quote is never closed"],
    ["open single quote", "a: 'x'\nb: 'y\n", "2:4-6", "this quote is never closed"],
    ["open list", "a: [1, 2\nb: 3\n", "1:4-9", 'this "[" is never closed'],
    ["open map", "a: {b: 1, c: [2]\n", "1:4-17", 'this "{" is never closed'],
    ["open list at the top", "[a\n", "1:1-3", 'this "[" is never closed'],
    ["bracket too many", "a: [1]]\n", "1:7-8", "this bracket closes nothing"],
    ["brace too many", "a: {b: 1}}\nc: 1\n", "1:10-11", "this bracket closes nothing"],
    ["comma too many", "a: [1,,2]\n", "1:7-8", 'an item is missing before this ","'],
    ["comma missing", 'a: ["b" "c"]\n', "1:9-10", 'a "," is missing between two items'],
    [
      "comma missing in a map",
      "a: {b: 1 c: 2}\n",
      "1:8-14",
      'a "," is missing in these brackets, or a value with ": " is not quoted',
    ],
    ["bare IPv6 address", "a: [::1]:80:svc/x:80\n", "1:9-21", STRAY],
    ["text after a quote", "a: 'it's'\n", "1:8-10", STRAY],
    ["comment without space", 'a: "b"#c\n', "1:7-9", 'a comment needs a space before its "#"'],
    ["at sign", "a: @b\n", "1:4-5", 'a value that starts with "@" must be quoted'],
    ["backtick", "a: `b`\n", "1:4-5", 'a value that starts with "`" must be quoted'],
    ["percent", "a: %b\n", "1:4-5", 'a value that starts with "%" must be quoted'],
    ["unknown escape", 'a: "b\\q"\n', "1:6-7", "unknown escape in double quotes"],
    ["block header", "a: |x\n  b\n", "1:5-6", "only a digit, + or - may follow | or >"],
    ["text beside ---", "--- a: b\n", "1:5-6", 'nothing may follow "---" on its line'],
    ["long key", `${"k".repeat(1025)}: a\n`, "1:1-1026", "a key is longer than 1024 characters"],
  ])("%s", (_, text, place, message) => {
    expect(errors(text)).toEqual([`${place} InvalidYaml: invalid YAML: ${message}`]);
  });

  test("one error a line, all lines", () => {
    expect(errors("a: @\nb: `\nc: [d e: @]\n").map((error) => error.slice(0, 4))).toEqual([
      "1:4-",
      "2:4-",
      "3:10",
    ]);
  });

  test("no words of the library come through, whatever is wrong", () => {
    const pieces = fc.constantFrom(
      ..."-?:,[]{}#&*!|>'\"%@`ab \n\t".split(""),
      ": ",
      "- ",
      "\n  ",
      "--- ",
      "...",
      "\\",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (words) => {
        for (const error of errors(words.join(""))) {
          expect(error).not.toMatch(/[Ff]low|[Ii]mplicit|scalar|YAML stream|token|Unexpected|sequence/);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("limits", () => {
  test("a file may have 256 KiB of UTF-8", () => {
    expect(isTooLarge("a".repeat(FILE_MAX_BYTES))).toBe(false);
    expect(isTooLarge("a".repeat(FILE_MAX_BYTES + 1))).toBe(true);
    expect(isTooLarge("é".repeat(FILE_MAX_BYTES / 2))).toBe(false);
    expect(isTooLarge("é".repeat(FILE_MAX_BYTES / 2 + 1))).toBe(true);
    expect(isTooLarge("漢".repeat(FILE_MAX_BYTES / 3 + 1))).toBe(true);
  });

  const DEEP = "TooDeep: the file is nested deeper than 64 levels";
  const times = (count: number, piece: string): string => piece.repeat(count);
  const lines = (count: number, piece: string): string =>
    Array.from({ length: count }, (_, level) => " ".repeat(level) + piece).join("\n");

  test.each([
    ["maps in lines", `${lines(63, "a:")} b`, `${lines(64, "a:")} b`],
    ["lists in brackets", `a: ${times(63, "[")}${times(63, "]")}`, `a: ${times(64, "[")}${times(64, "]")}`],
    ["lists in a line", `a:\n  ${times(62, "- ")}b`, `a:\n  ${times(63, "- ")}b`],
  ])("64 levels of %s pass, the value counted, and no more", (_, passes, fails) => {
    expect(errors(passes)).toEqual([]);
    expect(errors(fails).map((error) => error.replace(/^\S+ /, ""))).toEqual([DEEP]);
  });

  test.each([
    ["["],
    ["{"],
    ["[{"],
    ["- "],
    ["? "],
    ["? - "],
    ["a: "],
    ["{a: "],
    ["[a, "],
    ["[? "],
    ['["]", '],
    ["['[', "],
    ["[ # ]\n"],
  ])("10 000 levels of %j are refused", (piece) => {
    expect(errors(times(10_000, piece)).map((error) => error.replace(/^\S+ /, ""))).toEqual([DEEP]);
  });

  test("700 levels in lines are refused", () => {
    expect(errors(lines(700, "-"))).toEqual([`65:65-66 ${DEEP}`]);
    expect(errors(lines(700, "a:"))).toEqual([`65:65-66 ${DEEP}`]);
  });

  test("the parser's stack is about as high as what it builds is deep, whatever the text", () => {
    const pieces = fc.constantFrom(
      ..."[]{},\n'\"#".split(""),
      "- ",
      "? ",
      ": ",
      "a: ",
      "a",
      "\n ",
      "\n  ",
      "[a]: ",
    );
    fc.assert(
      fc.property(fc.array(pieces, { minLength: 1, maxLength: 8 }), fc.nat(40), (words, count) => {
        const parser = new Parser();
        const built: CST.Token[] = [];
        let highest = 0;
        for (const lexeme of new Lexer().lex(times(count, words.join("")))) {
          built.push(...parser.next(lexeme));
          highest = Math.max(highest, parser.stack.length);
        }
        built.push(...parser.end());
        expect(Math.max(0, ...built.map(depthOf))).toBeLessThanOrEqual(highest + 3);
      }),
      { numRuns: 1000 },
    );
  });

  test("a file of nothing but signs is refused early", () => {
    expect(errors("a:\n".repeat(80_000))).toEqual([
      "37500:3-4 TooLarge: the file holds more than 150000 YAML tokens",
    ]);
  });
});

/** How deep a token of the library's syntax tree is, keys included; the composer recurses as deep. */
function depthOf(token: CST.Token | null | undefined): number {
  if (!token) return 0;
  if (token.type === "document") return 1 + depthOf(token.value);
  if (!("items" in token)) return 1;
  return 1 + Math.max(0, ...token.items.map((item) => Math.max(depthOf(item.key), depthOf(item.value))));
}
