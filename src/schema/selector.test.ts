import { describe, expect, test } from "vitest";
import type { Problem } from "./problem.ts";
import { readSelector } from "./selector.ts";

function read(value: unknown): { selector: string | undefined; problems: Problem[] } {
  const problems: Problem[] = [];
  return { selector: readSelector(value, (problem) => problems.push(problem)), problems };
}

describe("a selector as text", () => {
  test.each([
    ["app=web"],
    ["app==web"],
    ["app!=web"],
    ["app = web , tier != db"],
    ["app in (a, b),tier notin (c)"],
    ["app"],
    ["!app"],
    ["! app"],
    ["app="],
    ["app.kubernetes.io/name=web"],
  ])("takes %s as it is", (text) => {
    expect(read(text)).toEqual({ selector: text, problems: [] });
  });

  test.each([
    ["", 0, 0],
    ["app=web,", 8, 0],
    ["app=web,,x", 8, 0],
    ["app=a=b", 0, 7],
    ["app=we b", 0, 8],
    ["a,app in a", 2, 8],
    ["app in ()", 0, 9],
    ["app in( )", 0, 9],
    ["app in (a", 0, 9],
    ["app in (a))", 0, 11],
    ["-app=x", 0, 6],
    ["a/b/c=x", 0, 7],
    ["/x=y", 0, 4],
    [`a=${"x".repeat(64)}`, 0, 66],
    ["app=web&limit=1", 0, 15],
  ])("refuses %j at its part", (text, index, length) => {
    const { selector, problems } = read(text);
    expect(selector).toBeUndefined();
    expect(problems.map((problem) => problem.part)).toEqual([{ index, length }]);
  });
});

test("a selector has a length that a request can carry", () => {
  expect(read(`a in (${"b,".repeat(496)}b)`).problems).toEqual([]);
  const labels = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`l${index}`, "a"]));
  expect(read(labels).problems.map((problem) => problem.message)).toEqual([
    "selector is longer than 1000 characters",
  ]);
  expect(read(`a in (${"b,".repeat(497)}b)`).problems.map((problem) => problem.message)).toEqual([
    "selector is longer than 1000 characters",
  ]);
});

describe("a selector as a map", () => {
  test("becomes text in the order of the file", () => {
    expect(read({ tier: "db", app: "web" })).toEqual({ selector: "tier=db,app=web", problems: [] });
  });

  test.each([
    ["no labels", {}, "selector is empty", undefined],
    ["a number", { app: 1 }, 'label "app" must be text, got 1', ["app"]],
    ["a bad value", { app: "a b" }, 'label "app" cannot have the value "a b"', ["app"]],
    ["a bad key", { "a b": "c" }, '"a b" is not a label', ["a b"]],
  ])("refuses %s", (_, value, message, path) => {
    const { selector, problems } = read(value);
    expect(selector).toBeUndefined();
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject(path === undefined ? { message } : { message, path });
  });
});

test.each([[1], [null], [["app=web"]]])("a selector is not %j", (value) => {
  expect(read(value).problems[0]?.message).toMatch(/^selector must be text or a map of labels, got /);
});
