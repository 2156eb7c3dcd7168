import fc from "fast-check";
import { expect, test } from "vitest";
import { PERIOD_BYTES, PatternCheck, patternAt } from "./pattern.ts";

const chunkLengths = fc.array(fc.integer({ min: 1, max: PERIOD_BYTES }), { minLength: 1, maxLength: 5 });

function chunks(lengths: readonly number[]): Buffer[] {
  let offset = 0;
  return lengths.map((length) => {
    const chunk = Buffer.from(patternAt(offset, length));
    offset += length;
    return chunk;
  });
}

function checked(stream: readonly Buffer[]): PatternCheck {
  const check = new PatternCheck();
  for (const chunk of stream) check.push(chunk);
  return check;
}

test("the pattern passes in whatever chunks it comes", () => {
  fc.assert(
    fc.property(chunkLengths, (lengths) => {
      const whole = Buffer.concat(chunks(lengths));
      for (const check of [checked(chunks(lengths)), checked([whole])]) {
        expect(check.wrong).toBe(false);
        expect(check.bytes).toBe(whole.length);
      }
    }),
  );
});

test("one changed byte shows", () => {
  fc.assert(
    fc.property(chunkLengths, fc.nat(), (lengths, where) => {
      const whole = Buffer.concat(chunks(lengths));
      whole[where % whole.length]! ^= 1;
      expect(checked([whole]).wrong).toBe(true);
    }),
  );
});

test("swapped and lost chunks of a usual size show", () => {
  const stream = [65_536, 65_536, 65_536].reduce<Buffer[]>((all, length, index) => {
    const parts = [patternAt(index * length, PERIOD_BYTES), patternAt(index * length + PERIOD_BYTES, 15)];
    return [...all, Buffer.concat(parts)];
  }, []);
  const [first, second, third] = stream as [Buffer, Buffer, Buffer];
  expect(checked([first, second, third]).wrong).toBe(false);
  expect(checked([second, first, third]).wrong).toBe(true);
  expect(checked([first, third]).wrong).toBe(true);
});
