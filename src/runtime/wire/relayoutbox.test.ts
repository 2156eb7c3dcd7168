import { expect, test } from "vitest";
import { datagramFrame, pingFrame } from "./relayframes.ts";
import { RelayOutbox } from "./relayoutbox.ts";

function outbox(limits = { flowBytes: 1e6, totalBytes: 1e6 }) {
  const writes: Buffer[] = [];
  const due: (() => void)[] = [];
  const state = { takes: true, overflows: 0, dropped: 0 };
  const box = new RelayOutbox(
    {
      write: (batch) => {
        writes.push(Buffer.concat(batch));
        return state.takes;
      },
      onDropped: (_id, count) => (state.dropped += count),
      onOverflow: () => state.overflows++,
    },
    (flush) => due.push(flush),
    limits,
  );
  const turn = () => due.splice(0).forEach((flush) => flush());
  return { box, writes, state, turn };
}

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
