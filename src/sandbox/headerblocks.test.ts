import { constants, createDeflate, type Deflate } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KfwdError } from "../errors.ts";
import { HeaderBlockEncoder } from "../runtime/wire/spdy.ts";
import { HeaderBlockDecoder, SPDY_DICTIONARY } from "./headerblocks.ts";

type Pairs = [string, string][];

/** Writes blocks as Go's SPDY framer does: one deflate stream that is flushed after each. */
class Compressor {
  readonly #deflate: Deflate;
  readonly #chunks: Buffer[] = [];

  constructor(dictionary?: Buffer) {
    this.#deflate = createDeflate({ level: 9, ...(dictionary ? { dictionary } : {}) });
    this.#deflate.on("data", (chunk: Buffer) => this.#chunks.push(chunk));
  }

  async block(pairs: Pairs): Promise<Buffer> {
    const number = (n: number) => Buffer.from([0, 0, n >> 8, n & 0xff]);
    const texts = pairs
      .flat()
      .map((text) => Buffer.concat([number(text.length), Buffer.from(text, "latin1")]));
    this.#deflate.write(Buffer.concat([number(pairs.length), ...texts]));
    await new Promise<void>((resolve) => this.#deflate.flush(constants.Z_SYNC_FLUSH, () => resolve()));
    return Buffer.concat(this.#chunks.splice(0));
  }
}

const error: Pairs = [
  ["port", "8080"],
  ["requestid", "0"],
  ["streamtype", "error"],
];
const data: Pairs = [
  ["port", "8080"],
  ["requestid", "0"],
  ["streamtype", "data"],
];

describe("header blocks", () => {
  test("the dictionary is that of the protocol, by length and checksum", () => {
    let [a, b] = [1, 0];
    for (const byte of SPDY_DICTIONARY) [a, b] = [(a + byte) % 65521, (b + a + byte) % 65521];
    expect([SPDY_DICTIONARY.length, b * 65536 + a]).toEqual([1423, 0xe3c6a7c2]);
  });

  test.each([
    ["with the dictionary, as kubectl writes them", SPDY_DICTIONARY],
    ["compressed without it", undefined],
  ])("are read %s", async (_name, dictionary) => {
    const compressor = new Compressor(dictionary);
    const decoder = new HeaderBlockDecoder();
    const blocks = [
      await compressor.block(error),
      await compressor.block(data),
      await compressor.block(error),
    ];
    expect(blocks[1]!.length).toBeLessThan(blocks[0]!.length); // it points back into the first
    expect(blocks.map((block) => [...decoder.decode(block)])).toEqual([error, data, error]);
  });

  test("are read stored, as kfwd writes them", () => {
    const encoder = new HeaderBlockEncoder();
    const decoder = new HeaderBlockDecoder();
    for (const pairs of [error, data, error])
      expect([...decoder.decode(encoder.encode(pairs))]).toEqual(pairs);
  });

  test("are read back whatever they hold, over the end of the window", async () => {
    const name = fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom("a", "b", "-", "x") });
    const value = fc.string({ maxLength: 4000, unit: fc.constantFrom("p", "q", "r", "0", "1", " ") });
    const block = fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(block, { minLength: 1, maxLength: 8 }), async (blocks) => {
        const compressor = new Compressor(SPDY_DICTIONARY);
        const decoder = new HeaderBlockDecoder();
        for (const pairs of blocks) {
          expect([...decoder.decode(await compressor.block(pairs))]).toEqual(pairs);
        }
      }),
      { numRuns: 30 },
    );
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["no zlib", Buffer.from("GET / HTTP/1.1")],
    ["garbage behind a zlib header", Buffer.from("789cffffffffff", "hex")],
    ["a block cut short", new HeaderBlockEncoder().encode(error).subarray(0, 20)],
  ])("of %s are a protocol error", (_name, block) => {
    expect(() => new HeaderBlockDecoder().decode(block)).toThrow(KfwdError);
  });
});
