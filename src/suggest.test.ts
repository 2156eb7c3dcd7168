import { expect, test } from "vitest";
import { suggest, suggestFrom } from "./suggest.ts";

const FIELDS = ["target", "port", "targetPort", "local", "bind", "protocol", "required", "description"];

test.each([
  ["two letters swapped, and a start", "prot", FIELDS, 'did you mean "port" or "protocol"?'],
  ["one letter missing", "targt", FIELDS, 'did you mean "target"?'],
  ["one letter too many", "bindd", FIELDS, 'did you mean "bind"?'],
  ["another case", "PORT", FIELDS, 'did you mean "port"?'],
  ["underscores", "target_port", FIELDS, 'did you mean "targetPort"?'],
  ["only the start", "desc", FIELDS, 'did you mean "description"?'],
  ["a name of a forward", "apii", ["api", "db", "dns"], 'did you mean "api"?'],
])("%s: %s", (_, word, known, expected) => {
  expect(suggest(word, known)).toBe(expected);
});

test.each([
  ["nothing alike", "image", FIELDS],
  ["too short to tell", "po", FIELDS],
  ["nothing known", "port", []],
  ["endless", "port".repeat(1000), FIELDS],
  ["empty", "", FIELDS],
])("no suggestion for %s", (_, word, known) => {
  expect(suggest(word, known)).toBeUndefined();
});

test.each([
  ["a near one", "apii", ["api", "db"], 'did you mean "api"? services there: api, db'],
  ["none near", "checkout", ["cart", "db"], "services there: cart, db"],
  [
    "more than ten",
    "other",
    Array.from({ length: 12 }, (_, i) => `s${i}`),
    "services there: s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 2 more",
  ],
  ["nothing there", "api", [], undefined],
])("names what there is: %s", (_, word, known, expected) => {
  expect(suggestFrom(word, known, "services there")).toBe(expected);
});
