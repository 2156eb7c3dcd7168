import { expect, test } from "vitest";
import { globMatches } from "./glob.ts";

test.each([
  ["*prod*", "arn:aws:eks:eu-west-1:1:cluster/prod-eu", true],
  ["*prod*", "kind-dev", false],
  ["prod", "prod", true],
  ["prod", "prod-eu", false],
  ["prod-?", "prod-1", true],
  ["prod-?", "prod-", false],
  ["*", "", true],
  ["", "", true],
  ["", "a", false],
  ["a*b*c", "a-b-b-c", true],
  ["a*b*c", "a-b-b-d", false],
  ["?*", "", false],
  ["[ab]", "a", false],
  ["a.b", "axb", false],
])("%j against %j: %s", (pattern, text, expected) => {
  expect(globMatches(pattern, text)).toBe(expected);
});

test("many stars cost no more than pattern times text", () => {
  expect(globMatches("*a".repeat(2_000), "a".repeat(3_000) + "b")).toBe(false);
});
