import { describe, expect, test } from "vitest";
import { Report } from "./report.ts";
import { makeSource } from "./source.ts";
import { plainOf, spanOfPart, spanOfValue, type TreeMap } from "./tree.ts";
import { readYaml } from "./yaml.ts";

function read(text: string): TreeMap {
  const report = new Report();
  const tree = readYaml(makeSource("f", text), report);
  expect(report.errors().diagnostics).toEqual([]);
  if (tree === undefined) throw new Error("no tree");
  return tree;
}

test("values are those of YAML 1.2", () => {
  const tree = read("a: yes\nb: 22:22\nc: 1\nd: true\ne: ~\nf: 'x'\ng: [1, {h: 2}]\ni: 0x10\nj: 1e3\n2: k\n");
  const plain = JSON.stringify(plainOf(tree));
  const expected = {
    2: "k",
    a: "yes",
    b: "22:22",
    c: 1,
    d: true,
    e: null,
    f: "x",
    g: [1, { h: 2 }],
    i: 16,
    j: 1000,
  };
  expect(JSON.parse(plain)).toEqual(expected);
});

test("no key is special", () => {
  const plain = plainOf(read("__proto__: {a: 1}\nconstructor: 2\ntoString: 3"));
  expect(Object.getPrototypeOf(plain)).toBeNull();
  expect(Object.keys(plain as object)).toEqual(["__proto__", "constructor", "toString"]);
  expect(({} as { a?: unknown }).a).toBeUndefined();
});

test("keys can be left out", () => {
  expect(JSON.stringify(plainOf(read("a: 1\nx-b: 2"), (key) => key.startsWith("x-")))).toBe('{"a":1}');
});

test("the place of an empty value is its key", () => {
  const text = "aa:\nb: 1";
  const tree = read(text);
  const places = [...tree.entries.values()].map(spanOfValue);
  expect(places.map(({ start, end }) => text.slice(start, end))).toEqual(["aa", "1"]);
});

describe("a part of a value is found", () => {
  test.each([
    ["in plain text", "a: 8080:svc/api", 5, 3, "svc"],
    ["in single quotes", "a: '8080:svc/api'", 5, 3, "svc"],
    ["after a doubled quote", "a: 'it''s:svc'", 5, 3, "svc"],
    ["on a doubled quote", "a: 'it''s'", 2, 2, "''s"],
    ["in double quotes", 'a: "8080:svc/api"', 5, 3, "svc"],
    ["after an escape", 'a: "\\t\\"\\x41\\u0042\\U00000043svc"', 5, 3, "svc"],
    ["on an escape", 'a: "a\\u0042c"', 1, 1, "\\u0042"],
    ["after an escaped pair", 'a: "\\U0001F600svc"', 2, 3, "svc"],
    ["at the end", "a: abc", 3, 1, ""],
    ["beyond the end", 'a: "abc"', 3, 5, ""],
    ["not in a block", "a: |\n  abc", 1, 1, "|\n  abc"],
    ["not over several lines", "a: abc\n  def", 1, 1, "abc\n  def"],
  ])("%s", (_, text, index, length, expected) => {
    const value = read(text).entries.get("a")?.value;
    if (value?.kind !== "scalar") throw new Error("no scalar");
    const { start, end } = spanOfPart(value, { index, length });
    expect(text.slice(start, end)).toBe(expected);
  });
});
