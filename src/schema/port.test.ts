import { describe, expect, test } from "vitest";
import { isPodPortName, readLocal, readPort } from "./port.ts";
import type { Problem } from "./problem.ts";

function read<T>(reader: (fail: (problem: Problem) => void) => T): T | string {
  const problems: Problem[] = [];
  const value = reader((problem) => problems.push(problem));
  return problems.length === 0 ? value : problems.map((problem) => problem.message).join("; ");
}

describe("a port of the cluster", () => {
  test.each([
    ["lowest", 1, 1],
    ["highest", 65535, 65535],
    ["digits in quotes", "8080", 8080],
    ["name", "http", "http"],
    ["name with a digit first", "9p", "9p"],
    ["name that kubectl gives a Service's port", "80-8080", "80-8080"],
    ["long name of a Service port", "a".repeat(63), "a".repeat(63)],
  ])("%s", (_, value, expected) => {
    expect(read((fail) => readPort(value, "port", fail))).toBe(expected);
  });

  test.each([
    [0, "0"],
    [-1, "-1"],
    [65536, "65536"],
    [80.5, "80.5"],
    ["0", '"0"'],
    ["65536", '"65536"'],
    ["-1", '"-1"'],
    ["", '""'],
    ["HTTP", '"HTTP"'],
    ["-http", '"-http"'],
    ["http_alt", '"http_alt"'],
    ["a".repeat(64), `"${"a".repeat(59)}…"`],
    ["99999999999", '"99999999999"'],
    [Number.NaN, "NaN"],
    [null, "nothing"],
    [true, "true"],
    [[80], "a list"],
  ])("refuses %j", (value, got) => {
    const message = `port must be 1-65535 or the name of a port, got ${got}`;
    expect(read((fail) => readPort(value, "port", fail))).toBe(message);
  });
});

describe("a local port", () => {
  test.each([
    [1, 1],
    [65535, 65535],
    ["5432", 5432],
    ["auto", "auto"],
  ])("%j", (value, expected) => {
    expect(read((fail) => readLocal(value, fail))).toBe(expected);
  });

  test.each([[0], [-1], [65536], ["a"], ["Auto"], [""], [null], [{}]])("refuses %j", (value) => {
    expect(read((fail) => readLocal(value, fail))).toMatch(/^local must be 1-65535 or "auto", got /);
  });

  test("of zero means auto, as other tools write it", () => {
    const hints: unknown[] = [];
    readLocal(0, (problem) => hints.push(problem.hint));
    expect(hints).toEqual(["local: auto"]);
  });
});

test.each([
  ["http", true],
  ["a".repeat(15), true],
  ["a".repeat(16), false],
  ["a--b", false],
])("a container port can be called %s: %s", (name, expected) => {
  expect(isPodPortName(name)).toBe(expected);
});
