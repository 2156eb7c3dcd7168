import { expect, test } from "vitest";
import { FakeClock } from "../fakes/clock.ts";
import { diceOf } from "../puppets/app.mjs";
import { Lane, type Fault } from "./faultlane.ts";

interface Bench {
  readonly clock: FakeClock;
  readonly lane: Lane;
  /** What came out, each with its time. */
  readonly out: string[];
  set(...faults: readonly Fault[]): void;
  /** What the end answers to a write from now on. */
  free: boolean;
}

function bench(...first: readonly Fault[]): Bench {
  const clock = new FakeClock();
  const out: string[] = [];
  let faults = first;
  const say = (what: string): void => void out.push(`${what}@${Math.round(clock.now())}`);
  const made = { clock, out, free: true };
  const lane = new Lane(
    { clock, random: diceOf(7), faults: () => faults },
    {
      write: (bytes) => {
        say(bytes.toString());
        return made.free;
      },
      end: () => say("end"),
      reset: () => say("reset"),
      cut: () => say("cut"),
    },
  );
  return Object.assign(made, {
    lane,
    set: (...now: readonly Fault[]) => {
      faults = now;
      lane.look();
    },
  });
}

const bytes = (text: string): Buffer => Buffer.from(text);
const textOf = (out: readonly string[]): string => out.map((what) => what.replace(/@.*/s, "")).join("");

test("without a fault everything goes through at once", () => {
  const { lane, out } = bench();
  lane.push(bytes("a"));
  lane.push(bytes("b"));
  lane.push("end");
  expect(out).toEqual(["a@0", "b@0", "end@0"]);
  expect(lane.counters).toEqual({ bytes: 2, pieces: 2, lostBytes: 0 });
});

test("latency delays each piece and the end alike, and adds nothing up", async () => {
  const { lane, out, clock } = bench({ kind: "latency", ms: 100 });
  lane.push(bytes("a"));
  await clock.advance(60);
  lane.push(bytes("b"));
  lane.push("end");
  await clock.advance(1_000);
  expect(out).toEqual(["a@100", "b@160", "end@160"]);
});

test("jitter changes no order, and the same seed makes the same delays", async () => {
  const run = async (): Promise<string[]> => {
    const { lane, out, clock } = bench({ kind: "latency", ms: 100, jitterMs: 150 });
    for (let index = 0; index < 20; index++) {
      lane.push(bytes(String.fromCharCode(97 + index)));
      await clock.advance(3);
    }
    await clock.advance(1_000);
    return out;
  };
  const out = await run();
  expect(textOf(out)).toBe("abcdefghijklmnopqrst");
  expect(new Set(out.map((what) => what.split("@")[1])).size).toBeGreaterThan(3);
  expect(await run()).toEqual(out);
});

test("latency that is taken away holds up nothing that comes later, except behind what is on its way", async () => {
  const { lane, out, clock, set } = bench({ kind: "latency", ms: 100 });
  lane.push(bytes("a"));
  set();
  lane.push(bytes("b"));
  await clock.advance(100);
  lane.push(bytes("c"));
  expect(out).toEqual(["a@100", "b@100", "c@100"]);
});

test("bandwidth lets so many bytes a second through", async () => {
  const { lane, out, clock } = bench({ kind: "bandwidth", bytesPerS: 1_000 });
  lane.push(Buffer.alloc(500, "x"));
  await clock.advance(249);
  expect(textOf(out)).toHaveLength(250);
  await clock.advance(251);
  expect(textOf(out)).toHaveLength(500);
  expect(lane.queuedBytes).toBe(0);
});

test("the slicer makes many pieces, in order, with pauses", async () => {
  const text = "0123456789".repeat(10);
  const { lane, out, clock } = bench({ kind: "slicer", maxBytes: 9, pauseMs: 10 });
  lane.push(bytes(text));
  lane.push("end");
  await clock.advance(1_000);
  expect(textOf(out)).toBe(`${text}end`);
  expect(lane.counters.pieces).toBeGreaterThan(10);
  expect(Math.max(...out.slice(0, -1).map((what) => what.split("@")[0]?.length ?? 0))).toBeLessThanOrEqual(9);
});

test("slow close delays the end and nothing else", async () => {
  const { lane, out, clock } = bench({ kind: "slowClose", ms: 500 });
  lane.push(bytes("a"));
  lane.push("end");
  await clock.advance(1_000);
  expect(out).toEqual(["a@0", "end@500"]);
});

test("a black hole swallows bytes, ends and resets, and gives them back", async () => {
  const { lane, out, clock, set } = bench({ kind: "blackhole" });
  lane.push(bytes("a"));
  lane.push("broken");
  await clock.advance(60_000);
  expect(out).toEqual([]);
  expect(lane.queuedBytes).toBe(1);
  set();
  expect(out).toEqual(["a@60000", "reset@60000"]);
});

test("one that forgets never gives anything back, of what was held neither, and counts it", async () => {
  const { lane, out, clock, set } = bench({ kind: "latency", ms: 100 });
  lane.push(bytes("abc"));
  set({ kind: "blackhole", forgets: true });
  lane.push(bytes("de"));
  set();
  lane.push(bytes("f"));
  lane.push("end");
  await clock.advance(1_000);
  expect(out).toEqual([]);
  expect(lane.counters).toEqual({ bytes: 0, pieces: 0, lostBytes: 6 });
});

test("a limit cuts after just so many bytes, counted from when it came", () => {
  const { lane, out, set } = bench();
  lane.push(bytes("before "));
  set({ kind: "limit", bytes: 5 });
  lane.push(bytes("abc"));
  lane.push(bytes("defgh"));
  lane.push(bytes("i"));
  expect(out).toEqual(["before @0", "abc@0", "de@0", "cut@0"]);
});

test("a limit that is taken away in time cuts nothing", () => {
  const { lane, out, set } = bench({ kind: "limit", bytes: 5 });
  lane.push(bytes("abc"));
  set();
  lane.push(bytes("defgh"));
  expect(out).toEqual(["abc@0", "defgh@0"]);
});

test("nothing is written while the end takes no bytes", () => {
  const made = bench();
  const { lane, out } = made;
  made.free = false;
  lane.push(bytes("a"));
  lane.push(bytes("b"));
  expect(out).toEqual(["a@0"]);
  made.free = true;
  lane.drained();
  expect(out).toEqual(["a@0", "b@0"]);
});

test("a source that breaks after its end is passed on as broken, too; then it is over", () => {
  const { lane, out } = bench();
  lane.push("end");
  lane.push("broken");
  lane.push(bytes("a"));
  expect(out).toEqual(["end@0", "reset@0"]);
});

test("a lane that is disposed drops what it holds and its timer", async () => {
  const { lane, out, clock } = bench({ kind: "latency", ms: 100 });
  lane.push(bytes("a"));
  lane[Symbol.dispose]();
  await clock.advance(1_000);
  expect(out).toEqual([]);
  expect(clock.pending).toBe(0);
});
