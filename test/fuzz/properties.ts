import { readFileSync } from "node:fs";
import fc from "fast-check";
import { cut, mutations, places } from "./bytes.ts";
import type { Codec } from "./codecs.ts";

/** Bytes for a decoder, and where they are cut into chunks. */
export interface Input {
  readonly bytes: Buffer;
  readonly places: readonly number[];
}

/** Bytes kept for the codec of this name: recorded on real connections, or once found to be of interest. */
export function corpus(name: string): readonly Buffer[] {
  const text = readFileSync(new URL(`seeds/${name}.json`, import.meta.url), "utf8");
  const seeds = JSON.parse(text) as readonly { readonly what: string; readonly hex: string }[];
  return seeds.map(({ hex }) => Buffer.from(hex, "hex"));
}

/** What a peer says that keeps to the rules is understood, wherever it is cut. */
export function understands(codec: Codec): fc.IProperty<[{ input: Input; said: readonly string[] }]> {
  const sessions = fc
    .tuple(codec.session, places)
    .map(([{ bytes, said }, at]) => ({ input: { bytes, places: at }, said }));
  return fc.property(sessions, ({ input, said }) => same(codec.hear(cut(input.bytes, input.places)), said));
}

/** Bytes of all kinds are decoded or refused by a PROTOCOL failure, alike wherever they are cut. */
export function survives(codec: Codec, seeds: readonly Buffer[]): fc.IProperty<[{ input: Input }]> {
  const valid = fc.oneof(
    codec.session.map(({ bytes }) => bytes),
    fc.constantFrom(...seeds),
  );
  const joined = fc.tuple(valid, valid).map(([one, other]) => Buffer.concat([one, other]));
  const mutated = fc.tuple(fc.oneof(valid, joined), mutations).map(([bytes, mutate]) => mutate(bytes));
  const random = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
  const bytes = fc.oneof({ weight: 8, arbitrary: mutated }, { weight: 1, arbitrary: random });
  const inputs = fc.tuple(bytes, places).map(([all, at]) => ({ input: { bytes: all, places: at } }));
  return fc.property(inputs, ({ input }) => alike(codec, input));
}

/** Whether the bytes mean the same whole and cut, and no more is said than came. */
export function alike(codec: Codec, { bytes, places: at }: Input): void {
  const whole = codec.hear([bytes]);
  same(codec.hear(cut(bytes, at)), whole);
  const said = whole.reduce((sum, line) => sum + line.length, 0);
  // two digits a byte, and words: an event is no shorter than two bytes on the wire, and a failure is told once
  if (said > 24 * bytes.length + 200) throw new Error(`${said} characters said of ${bytes.length} bytes`);
}

function same(heard: readonly string[], wanted: readonly string[]): void {
  const [left, right] = [heard.join("\n"), wanted.join("\n")];
  if (left !== right) throw new Error(`heard\n${left}\nin place of\n${right}`);
}
