import { expect, test } from "vitest";
import { datagramFrame, pingFrame } from "./relayframes.ts";
import { RelayOutbox } from "./relayoutbox.ts";

function outbox(limits = { flowBytes: 1e6, totalBytes: 1e6 }) {
  const writes: Buffer[] = [];
  const due: (() => void)[] = [];
  const gathered: { readonly ms: number; readonly flush: () => void }[] = [];
  const state = { takes: true, overflows: 0, dropped: 0, nowMs: 0 };
  const box = new RelayOutbox(
    {
      write: (batch) => {
        writes.push(Buffer.concat(batch));
        return state.takes;
      },
      onDropped: (_id, count) => (state.dropped += count),
      onOverflow: () => state.overflows++,
    },
    {
      now: () => state.nowMs,
      soon: (flush) => void due.push(flush),
      after: (ms, flush) => void gathered.push({ ms, flush }),
    },
    limits,
  );
  const turn = () => due.splice(0).forEach((flush) => flush());
  /** Many datagrams, until those that come soon after others are gathered. */
  const crowd = (): void => {
    for (let wrote = 0; gathered.length === 0; wrote++) {
      for (let i = 0; i < 10; i++) box.datagram(1, Buffer.from("x"));
      turn();
      state.nowMs += 0.5;
      if (wrote > 100) throw new Error("nothing is gathered");
    }
    writes.length = 0;
  };
  return { box, writes, state, turn, gathered, crowd };
}

const datagram = (text: string): Buffer => datagramFrame(1, Buffer.from(text));

test("what one turn brings leaves in one write, frames first", () => {
  const { box, writes, turn } = outbox();
  box.datagram(1, Buffer.from("a"));
  box.datagram(2, Buffer.from("b"));
  box.frame(pingFrame());
  expect(writes).toEqual([]);
  turn();
  expect(writes).toEqual([
    Buffer.concat([pingFrame(), datagramFrame(1, Buffer.from("a")), datagramFrame(2, Buffer.from("b"))]),
  ]);
});

test("memory of a datagram is its owner's again after the call", () => {
  const { box, writes, turn } = outbox();
  const lent = Buffer.from("a");
  box.datagram(1, lent);
  lent.fill("x");
  turn();
  expect(writes).toEqual([datagramFrame(1, Buffer.from("a"))]);
});

test("a tunnel that takes no more is left alone until it drains; the oldest make room", () => {
  const { box, writes, state, turn } = outbox({ flowBytes: 2 * 72, totalBytes: 1e6 });
  state.takes = false;
  box.datagram(1, Buffer.from("0"));
  turn();
  for (const item of ["1", "2", "3"]) box.datagram(1, Buffer.from(item));
  turn();
  expect(writes).toHaveLength(1);
  expect(state.dropped).toBe(1);
  state.takes = true;
  box.onDrain();
  expect(writes[1]).toEqual(
    Buffer.concat([datagramFrame(1, Buffer.from("2")), datagramFrame(1, Buffer.from("3"))]),
  );
});

test("one that never reads is told of", () => {
  const { box, state, turn } = outbox();
  state.takes = false;
  const large = Buffer.alloc(1024 * 1024);
  for (let i = 0; i < 50; i++) {
    box.frame(large);
    turn();
  }
  expect(state.overflows).toBeGreaterThan(0);
});

test("nothing is written after the end", () => {
  const { box, writes, turn } = outbox();
  box.frame(pingFrame());
  box.close();
  turn();
  box.datagram(1, Buffer.from("a"));
  turn();
  expect(writes).toEqual([]);
});

test("while datagrams are many, those of a millisecond leave together", () => {
  const { box, writes, turn, gathered, crowd } = outbox();
  crowd();
  box.datagram(1, Buffer.from("last"));
  turn();
  expect(writes).toEqual([]);
  expect(gathered.map(({ ms }) => ms)).toEqual([1]);
  gathered[0]?.flush();
  expect(writes).toEqual([
    Buffer.concat([...Array.from({ length: 10 }, () => datagram("x")), datagram("last")]),
  ]);
});

test("a frame waits for no datagrams, and takes along those that wait", () => {
  const { box, writes, turn, gathered, crowd } = outbox();
  crowd();
  box.frame(pingFrame());
  turn();
  expect(writes).toEqual([Buffer.concat([pingFrame(), ...Array.from({ length: 10 }, () => datagram("x"))])]);
  gathered[0]?.flush();
  expect(writes).toHaveLength(1);
});

test("the gathered are not written after the end, nor into a tunnel that takes no more", () => {
  const { box, writes, state, turn, gathered, crowd } = outbox();
  crowd();
  state.takes = false;
  box.frame(pingFrame());
  turn();
  box.datagram(1, Buffer.from("late"));
  gathered[0]?.flush();
  expect(writes).toHaveLength(1);
  box.close();
  gathered[0]?.flush();
  expect(writes).toHaveLength(1);
});
