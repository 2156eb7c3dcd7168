import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ItemSplitter } from "./listitems.ts";

interface Split {
  readonly items: readonly unknown[];
  readonly around: unknown;
}

/** What comes of the text when it arrives in pieces of these sizes, over and over. */
function split(text: string, sizes: readonly number[], maxBytes = 1_000_000): Split | undefined {
  const splitter = new ItemSplitter(maxBytes);
  const bytes = Buffer.from(text);
  const items: string[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    const whole = splitter.push(bytes.subarray(at, at + size));
    if (whole === undefined) return undefined;
    items.push(...whole);
    at += size;
  }
  return { items: items.map((item) => JSON.parse(item) as unknown), around: JSON.parse(splitter.around) };
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
const object = fc.dictionary(fc.string(), fc.jsonValue());
const members = fc.dictionary(
  fc.string().filter((key) => key !== "items"),
  fc.jsonValue(),
);

test("whatever the list and the pieces it comes in: its items in order, and the rest without them", () => {
  fc.assert(
    fc.property(
      fc.array(object),
      members,
      members,
      sizes,
      fc.boolean(),
      (items, head, tail, pieces, pretty) => {
        const document = { ...head, metadata: { items: [{}], ...tail }, items, ...tail };
        const text = JSON.stringify(document, null, pretty ? 2 : 0);
        expect(split(text, pieces)).toEqual(
          JSON.parse(JSON.stringify({ items, around: { ...document, items: [] } })),
        );
      },
    ),
  );
});

describe("a list", () => {
  test.each([
    ["null", { items: null }],
    ["absent", { kind: "PodList" }],
    ["empty", { items: [] }],
    ["an object", { items: { a: [{ b: 1 }] } }],
  ])("whose items are %s has none", (_, document) => {
    expect(split(JSON.stringify(document), [3])).toEqual({ items: [], around: document });
  });

  test("ends in the middle: what is left is no JSON", () => {
    expect(() => split('{"items":[{"a":1},{"b":', [4])).toThrow(SyntaxError);
    expect(() => split('{"items":[{"a":1}', [4])).toThrow(SyntaxError);
  });

  test("that is no JSON stays as it is", () => {
    expect(() => split("<html>[{}]</html>", [4])).toThrow(SyntaxError);
  });

  test("with an item, or with anything else, that is too long is given up", () => {
    expect(split(`{"items":[{"a":"${"x".repeat(50)}"}]}`, [8], 100)).toBeDefined();
    expect(split(`{"items":[{"a":"${"x".repeat(100)}"}]}`, [8], 100)).toBeUndefined();
    expect(split(`{"a":"${"x".repeat(100)}"}`, [8], 100)).toBeUndefined();
    const many = Array.from({ length: 50 }, () => ({ a: 1 }));
    expect(split(JSON.stringify({ items: many }), [8], 100)?.items.length).toBe(50);
  });
});
