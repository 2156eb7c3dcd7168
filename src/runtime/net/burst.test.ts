import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Burst, type WriteBytes } from "./burst.ts";

const KIB = 1024;

interface Writer {
  readonly write: WriteBytes;
  readonly writes: Buffer[];
}

/** Holds on to memory it keeps, and copies what it takes, as a socket does. */
function writer(answer: "taken" | "kept" = "taken"): Writer {
  const writes: Buffer[] = [];
  const write: WriteBytes = (bytes) => {
    writes.push(answer === "kept" ? bytes : Buffer.from(bytes));
    return answer;
  };
  return { write, writes };
}

function burst() {
  const due: (() => void)[] = [];
  const turn = (): void => due.splice(0).forEach((send) => send());
  return { turn, burst: new Burst((send) => due.push(send)), due };
}

const lengths = (one: Writer): number[] => one.writes.map(({ length }) => length);

describe("bytes that come in one burst", () => {
  test("leave in one write at the end of the turn", () => {
    const [{ burst: all, turn }, one] = [burst(), writer()];
    for (const length of [16_376, 16_384, 8]) all.add(Buffer.alloc(length), one.write);
    expect(lengths(one)).toEqual([]);
    turn();
    expect(lengths(one)).toEqual([32_768]);
  });

  test("leave as soon as they are 64 KiB", () => {
    const [{ burst: all }, one] = [burst(), writer()];
    for (let part = 0; part < 9; part++) all.add(Buffer.alloc(16 * KIB), one.write);
    expect(lengths(one)).toEqual([64 * KIB, 64 * KIB]);
  });

  test("a small answer that comes alone is not held up", () => {
    const [{ burst: all, due }, one] = [burst(), writer("kept")];
    expect(all.add(Buffer.alloc(200), one.write)).toBe("kept");
    expect(lengths(one)).toEqual([200]);
    expect(due).toEqual([]);
  });

  test("leave before those of another", () => {
    const [{ burst: all }, one, other] = [burst(), writer(), writer()];
    all.add(Buffer.alloc(16 * KIB), one.write);
    all.add(Buffer.alloc(16 * KIB), other.write);
    expect([lengths(one), lengths(other)]).toEqual([[16 * KIB], []]);
    all.send(one.write);
    expect(lengths(other)).toEqual([]);
    all.send(other.write);
    expect(lengths(other)).toEqual([16 * KIB]);
  });

  test("nothing is lost, changed or out of order, whoever keeps the memory", () => {
    const part = fc.record({
      of: fc.integer({ min: 0, max: 2 }),
      length: fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 70 * KIB })),
      next: fc.constantFrom("turn", "send", "nothing"),
    });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
        const { burst: all, turn } = burst();
        const writers = [writer(), writer("kept"), writer("kept")];
        const sent: Buffer[][] = [[], [], []];
        for (const [index, { of, length, next }] of parts.entries()) {
          const bytes = Buffer.alloc(length, index + 1);
          sent[of]?.push(Buffer.from(bytes));
          const one = writers[of];
          if (one && all.add(bytes, one.write) === "taken") bytes.fill(0);
          if (next === "turn") turn();
          if (next === "send") all.send(one?.write);
        }
        turn();
        for (const [of, one] of writers.entries()) {
          expect(Buffer.concat(one.writes).equals(Buffer.concat(sent[of] ?? []))).toBe(true);
        }
      }),
    );
  });
});
