import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDiagnostic } from "./diagnostic.ts";
import { parseForwards } from "./parse.ts";

const FILE = { name: "forwards.yaml", folder: "/repo/shop", home: "/home/ann" };
/** Of CPU time, which other programs do not lengthen; the slowest take a third of it. */
const LIMIT_MS = 2_000;
const NEARLY_FULL = 256 * 1024 - 100;

const fill = (piece: string): string => piece.repeat(Math.floor(NEARLY_FULL / piece.length));
const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join("\n");
const laughs = lines(9, (level) => `l${level + 1}: &l${level + 1} [${`*l${level},`.repeat(9)}]`);

/** The answer, which must have come in time. */
function parse(text: string): ReturnType<typeof parseForwards> {
  const before = process.cpuUsage();
  const result = parseForwards(text, FILE);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(LIMIT_MS);
  return result;
}

describe("hostile files are refused in time, without harm", () => {
  test.each([
    ["10 MB", "a: b\n".repeat(2_000_000), "TooLarge"],
    ["10 MB in a line", "a".repeat(10_000_000), "TooLarge"],
    ["10 000 brackets", "[".repeat(10_000), "TooDeep"],
    ["10 000 dashes", "- ".repeat(10_000), "TooDeep"],
    ["10 000 questions", "? ".repeat(10_000), "TooDeep"],
    ["10 000 keys in a line", "a: ".repeat(10_000), "TooDeep"],
    ["700 levels of block", lines(700, (level) => `${" ".repeat(level)}a:`), "TooDeep"],
    ["colons in values, each a level to the parser", `x-a:\n${" k: a: b\n".repeat(9_000)}`, "TooDeep"],
    ["a billion laughs", `l0: &l0 [x]\n${laughs}`, "Anchor"],
    ["anchors", fill("&a "), "Anchor"],
    ["20 000 keys", lines(20_000, (index) => `k${index}: ${index}`), "UnknownKey"],
    ["20 000 equal keys", "a: 1\n".repeat(20_000), "UnknownKey"],
    [
      "15 000 unknown fields",
      `forwards:\n  a:\n${lines(15_000, (index) => `    l${index}: 1`)}`,
      "UnknownKey",
    ],
    [
      "12 000 forwards on a port",
      `forwards:\n${lines(12_000, (index) => `  a${index}: 80:svc/a`)}`,
      "DuplicateLocal",
    ],
    [
      "11 000 forwards that clash by twos in a range that is nearly full",
      `ranges: { r: 1024-12023 }\ndefaults: { range: r }\nforwards:\n${lines(11_000, (index) => `  a${index}: ${1024 + (index >> 1)}:svc/a`)}`,
      "DuplicateLocal",
    ],
    ["bad escapes", `a: "${fill("\\q")}"`, "InvalidYaml"],
    ["stray quotes", fill("'a' "), "InvalidYaml"],
    ["values that need quotes", "k: @\n".repeat(18_000), "InvalidYaml"],
    ["line breaks", fill("\n"), "TooLarge"],
    ["NULs", fill("\0"), "NotUtf8"],
    ["a long one-line forward", `forwards: { a: "${fill("a:")}" }`, "BadCompact"],
    ["a long target", `forwards: { a: "1:svc/${fill("a-")}" }`, "BadName"],
    [
      "a long selector",
      `forwards: { a: { port: 80, target: { selector: "${fill("a,")}" } } }`,
      "BadSelector",
    ],
    ["parentheses", `forwards: { a: { port: 80, target: { selector: "${fill("(,")}" } } }`, "BadSelector"],
    ["a long address", `forwards: { a: { target: a, port: 80, bind: "${fill(":1")}" } }`, "BadAddress"],
  ])("%s", (_, text, code) => {
    const result = parse(text);
    expect(result.kind === "invalid" && result.diagnostics[0]?.code).toBe(code);
  });

  test("20 000 addresses that do not overlap are taken", () => {
    const addresses = lines(20_000, (index) => `127.0.${index >> 8}.${index & 255}`).replaceAll("\n", ",");
    expect(parse(`forwards: { a: { target: a, port: 8080, bind: [${addresses}] } }`).kind).toBe("valid");
  });

  test("a file as large as it may be is read", () => {
    const entries = lines(
      4000,
      (index) => `  f${index}: { target: svc/api-${index}, port: http, local: auto }`,
    );
    const result = parse(`forwards:\n${entries}\n`);
    expect(result.kind === "valid" && result.project.forwards.length).toBe(4000);
  });
});

describe("for any text", () => {
  function check(text: string): void {
    const result = parse(text);
    const told = result.kind === "invalid" ? result.diagnostics : result.warnings;
    if (result.kind === "invalid") expect(told.length).toBeGreaterThan(0);
    const textLines = text.replace(/^\ufeff/, "").split("\n");
    for (const one of told) {
      expect(one.line).toBeLessThanOrEqual(textLines.length);
      expect(one.column).toBeLessThanOrEqual((textLines[one.line - 1] ?? "").length + 1);
      expect(one.endColumn).toBeGreaterThan(one.column);
      expect(formatDiagnostic(one, result.texts)).toContain(`forwards.yaml:${one.line}:${one.column}`);
    }
  }

  test("there is an answer, and every error has a place in it", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), check), { numRuns: 300 });
  });

  const WORDS = (
    "forwards: defaults: version:·1 name: api: target: svc/api port: 8080 local:·auto bind: [::1] 127.0.0.1 " +
    "selector: app=web 8080:svc/api:http null x-a: <<: { } [ ] , :· -· ' \" # &a *a !t | > \\ ---⏎ ⏎ ⏎·· ⏎···· →"
  )
    .split(" ")
    .map((word) => word.replaceAll("·", " ").replaceAll("⏎", "\n").replaceAll("→", "\t"));

  test.each([[" "], [""]])("made of the words of such files, joined by %j, too", (between) => {
    const words = fc.array(fc.constantFrom(...WORDS, "\r\n"), { maxLength: 40 });
    fc.assert(
      fc.property(words, (each) => check(each.join(between))),
      { numRuns: 1000 },
    );
  });
});
