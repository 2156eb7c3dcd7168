import fc from "fast-check";

/** The bytes cut at these places, which are shares of the whole from 0 to 1; each chunk is a copy of its own. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const offsets = places.map((place) => Math.round(place * bytes.length)).sort((x, y) => x - y);
  const ends = [...offsets, bytes.length];
  return ends.map((end, i) => Buffer.from(bytes.subarray(i === 0 ? 0 : ends[i - 1], end)));
}

const share = fc.double({ min: 0, max: 1, noNaN: true });

/** Places to cut at: none, some, or so many that chunks are of single bytes. */
export const places: fc.Arbitrary<number[]> = fc.oneof(
  fc.array(share, { maxLength: 6 }),
  fc.array(share, { minLength: 50, maxLength: 200, size: "max" }),
);

/** A payload: mostly short, at times about as long as where a length is written in another way. */
export const payload: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 12, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(125, 126, 127, 1000, 65_535, 65_536, 70_000), fc.nat({ max: 255 }))
      .map(([length, byte]) => Buffer.alloc(length, byte)),
  },
);

/** Changes bytes in one way. */
type Mutation = (bytes: Buffer) => Buffer;

const INTERESTING = [0, 1, 2, 3, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x88, 0x89, 0xfe, 0xff];

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(share, fc.nat({ max: 7 })).map(([at, bit]) => set(at, (byte) => byte ^ (1 << bit))),
  fc.tuple(share, fc.constantFrom(...INTERESTING)).map(([at, value]) => set(at, () => value)),
  fc.tuple(share, fc.uint8Array({ minLength: 1, maxLength: 9 })).map(([at, more]) => insert(at, more)),
  fc.tuple(share, fc.nat({ max: 9 })).map(([at, length]) => replace(at, length, () => [])),
  fc.tuple(share, fc.nat({ max: 40 })).map(([at, length]) => replace(at, length, (own) => [own, own])),
  share.map((at) => (bytes: Buffer) => bytes.subarray(0, Math.round(at * bytes.length))),
);

/** One to five changes, one after the other. */
export const mutations: fc.Arbitrary<Mutation> = fc
  .array(mutation, { minLength: 1, maxLength: 5 })
  .map((all) => (bytes) => all.reduce((changed, mutate) => mutate(changed), bytes));

function set(at: number, change: (byte: number) => number): Mutation {
  return replace(at, 1, (own) => [Buffer.from(own.map(change))]);
}

function insert(at: number, more: Uint8Array): Mutation {
  return replace(at, 0, () => [more]);
}

function replace(at: number, length: number, by: (own: Buffer) => readonly Uint8Array[]): Mutation {
  return (bytes) => {
    const from = Math.min(Math.floor(at * bytes.length), bytes.length);
    const to = Math.min(from + length, bytes.length);
    return Buffer.concat([bytes.subarray(0, from), ...by(bytes.subarray(from, to)), bytes.subarray(to)]);
  };
}
