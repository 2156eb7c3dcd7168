import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matches, parseSelector, requireLabels, requireSelector, type Requirement } from "./selector.ts";

describe("parseSelector", () => {
  test.each<{ text: string; is: readonly Requirement[] }>([
    { text: "a=b", is: [{ key: "a", is: "in", values: ["b"] }] },
    { text: "a==b", is: [{ key: "a", is: "in", values: ["b"] }] },
    { text: "a = b", is: [{ key: "a", is: "in", values: ["b"] }] },
    { text: "a!=b", is: [{ key: "a", is: "notin", values: ["b"] }] },
    { text: "a=", is: [{ key: "a", is: "in", values: [""] }] },
    { text: "a in (x,y)", is: [{ key: "a", is: "in", values: ["x", "y"] }] },
    { text: "a  in(x)", is: [{ key: "a", is: "in", values: ["x"] }] },
    { text: "a notin ( x , y )", is: [{ key: "a", is: "notin", values: ["x", "y"] }] },
    { text: "a", is: [{ key: "a", is: "present" }] },
    { text: "in", is: [{ key: "in", is: "present" }] },
    { text: "!a", is: [{ key: "a", is: "absent" }] },
    { text: "! a", is: [{ key: "a", is: "absent" }] },
    {
      text: "app.kubernetes.io/name=web, tier in (a,b) ,!old",
      is: [
        { key: "app.kubernetes.io/name", is: "in", values: ["web"] },
        { key: "tier", is: "in", values: ["a", "b"] },
        { key: "old", is: "absent" },
      ],
    },
  ])("reads $text", ({ text, is }) => {
    expect(parseSelector(text)).toEqual(is);
  });

  test.each([
    "",
    " ",
    ",",
    "a=b,",
    ",a=b",
    "a=b=c",
    "a in ()",
    "a in (x",
    "a in x)",
    "a b",
    "=b",
    "!",
    "a!",
    "a in (x))",
    "ä=b",
    "a=b c",
    "-a",
    "a=-",
  ])("refuses %j", (text) => {
    expect(parseSelector(text)).toBeUndefined();
  });

  const prefix = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,8}[a-z0-9])?$/);
  const word = fc.stringMatching(/^[a-z0-9]([a-z0-9_.-]{0,8}[a-z0-9])?$/);
  const key = fc.oneof(
    word,
    fc.tuple(prefix, word).map((parts) => parts.join("/")),
  );
  const requirement: fc.Arbitrary<Requirement> = fc.oneof(
    fc.record({
      key,
      is: fc.constantFrom("in" as const, "notin" as const),
      values: fc.array(word, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ key, is: fc.constantFrom("present" as const, "absent" as const) }),
  );
  const written = (r: Requirement): string => {
    if ("values" in r) return `${r.key} ${r.is} (${r.values.join(",")})`;
    return r.is === "absent" ? `!${r.key}` : r.key;
  };

  test("reads back whatever requirements are written out", () => {
    fc.assert(
      fc.property(fc.array(requirement, { minLength: 1, maxLength: 4 }), (requirements) => {
        expect(parseSelector(requirements.map(written).join(","))).toEqual(requirements);
      }),
    );
  });

  test("never throws on garbage", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseSelector(text)));
  });
});

describe("matches", () => {
  test.each([
    { selector: "a=x", labels: { a: "x", b: "y" }, does: true },
    { selector: "a=x", labels: { a: "y" }, does: false },
    { selector: "a=x", labels: {}, does: false },
    { selector: "a!=x", labels: { a: "y" }, does: true },
    { selector: "a!=x", labels: {}, does: true },
    { selector: "a!=x", labels: { a: "x" }, does: false },
    { selector: "a in (x,y)", labels: { a: "y" }, does: true },
    { selector: "a in (x,y)", labels: {}, does: false },
    { selector: "a notin (x,y)", labels: {}, does: true },
    { selector: "a notin (x,y)", labels: { a: "x" }, does: false },
    { selector: "a", labels: { a: "" }, does: true },
    { selector: "!a", labels: { a: "" }, does: false },
    { selector: "!a", labels: { b: "" }, does: true },
    { selector: "a=x,b=y", labels: { a: "x", b: "z" }, does: false },
    { selector: "constructor", labels: {}, does: false },
  ])("$selector on $labels: $does", ({ selector, labels, does }) => {
    expect(matches(parseSelector(selector) ?? [], labels)).toBe(does);
  });
});

describe("requireSelector", () => {
  test("takes labels and expressions together", () => {
    const selector = {
      matchLabels: { app: "web" },
      matchExpressions: [
        { key: "tier", operator: "NotIn", values: ["old"] },
        { key: "track", operator: "Exists", values: [] },
        { key: "drain", operator: "DoesNotExist", values: [] },
      ],
    };
    const requirements = requireSelector(selector) ?? [];
    expect(matches(requirements, { app: "web", track: "1" })).toBe(true);
    expect(matches(requirements, { app: "web", track: "1", tier: "old" })).toBe(false);
    expect(matches(requirements, { app: "web" })).toBe(false);
    expect(matches(requirements, { app: "web", track: "1", drain: "" })).toBe(false);
  });

  test("knows that it does not know an operator", () => {
    const matchExpressions = [{ key: "a", operator: "Gt", values: ["1"] }];
    expect(requireSelector({ matchLabels: {}, matchExpressions })).toBeUndefined();
  });

  test("labels of a Service must all be there", () => {
    expect(matches(requireLabels({ a: "1", b: "2" }), { a: "1", b: "2", c: "3" })).toBe(true);
    expect(matches(requireLabels({ a: "1", b: "2" }), { a: "1" })).toBe(false);
  });
});
