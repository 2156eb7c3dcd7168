import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineSplitter } from "./lines.ts";

const MAX = 1024;

/** The bytes in chunks that end at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((p) => p % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...ends].map((from, i) => bytes.subarray(from, ends[i] ?? bytes.length));
}

describe("LineSplitter", () => {
  test("gives the lines whatever the chunks, also where a chunk ends within a character", () => {
    const lines = fc.array(
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).map((s) => s.replaceAll("\n", " ")),
    );
    fc.assert(
      fc.property(lines, fc.array(fc.nat(), { maxLength: 20 }), (wanted, places) => {
        const splitter = new LineSplitter(MAX);
        const bytes = Buffer.from(wanted.map((line) => `${line}\n`).join(""));
        const got = cut(bytes, places).flatMap((chunk) => [...(splitter.push(chunk) ?? ["too long"])]);
        expect(got).toEqual(wanted);
        expect(splitter.unfinished).toBe(false);
      }),
    );
  });

  test("leaves out empty lines", () => {
    expect(new LineSplitter(MAX).push(Buffer.from("\na\n\nb\n\n"))).toEqual(["a", "b"]);
  });

  test("knows that it stands within a line", () => {
    const splitter = new LineSplitter(MAX);
    expect(splitter.push(Buffer.from("a\nb"))).toEqual(["a"]);
    expect(splitter.unfinished).toBe(true);
    expect(splitter.push(Buffer.from("c\n"))).toEqual(["bc"]);
    expect(splitter.unfinished).toBe(false);
  });

  test("takes a line of the longest length and refuses one byte more, finished or not", () => {
    const longest = "x".repeat(MAX);
    expect(new LineSplitter(MAX).push(Buffer.from(`${longest}\n`))).toEqual([longest]);
    expect(new LineSplitter(MAX).push(Buffer.from(`${longest}x\n`))).toBeUndefined();
    expect(new LineSplitter(MAX).push(Buffer.from(`${longest}x`))).toBeUndefined();
    const splitter = new LineSplitter(MAX);
    expect(splitter.push(Buffer.from(longest))).toEqual([]);
    expect(splitter.push(Buffer.from("x"))).toBeUndefined();
  });
});
