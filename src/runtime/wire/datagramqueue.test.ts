import fc from "fast-check";
import { expect, test } from "vitest";
import { DatagramQueue } from "./datagramqueue.ts";

const text = (items: readonly Buffer[]): string[] => items.map(String);

function queueOf(limits: { flowBytes: number; totalBytes: number }) {
  const dropped: [number, number][] = [];
  return { queue: new DatagramQueue(limits, (id, count) => dropped.push([id, count])), dropped };
}

const WIDE = { flowBytes: 1e6, totalBytes: 1e6 };

test("flows take turns", () => {
  const { queue } = queueOf(WIDE);
  for (const item of ["a1", "a2", "a3"]) queue.push(1, Buffer.from(item));
  queue.push(2, Buffer.from("b1"));
  expect(text(queue.take(100))).toEqual(["a1", "b1", "a2", "a3"]);
  expect(queue.empty).toBe(true);
});

test("a flow over its limit loses its oldest, and only its own", () => {
  const { queue, dropped } = queueOf({ flowBytes: 2 * 66, totalBytes: 1e6 });
  for (const item of ["a1", "a2", "a3"]) queue.push(1, Buffer.from(item));
  queue.push(2, Buffer.from("b1"));
  expect(dropped).toEqual([[1, 1]]);
  expect(text(queue.take(100))).toEqual(["a2", "b1", "a3"]);
});

test("a datagram larger than the limit alone gets through", () => {
  const { queue, dropped } = queueOf({ flowBytes: 10, totalBytes: 1e6 });
  queue.push(1, Buffer.alloc(1000));
  expect(dropped).toEqual([]);
  expect(queue.take(1)).toHaveLength(1);
});

test("what waits of a flow that is over is forgotten", () => {
  const { queue } = queueOf(WIDE);
  queue.push(1, Buffer.from("a1"));
  queue.push(2, Buffer.from("b1"));
  queue.forget(1);
  expect(text(queue.take(100))).toEqual(["b1"]);
});

test("never holds more than it may, loses none unseen and reorders none", () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.tuple(fc.constant("push" as const), fc.integer({ min: 1, max: 4 }), fc.nat(300)),
    },
    { weight: 1, arbitrary: fc.tuple(fc.constant("take" as const), fc.constant(0), fc.nat(500)) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { queue, dropped } = queueOf({ flowBytes: 1000, totalBytes: 2500 });
      let [pushed, taken, held] = [0, 0, 0];
      const last = new Map<number, number>();
      const see = (items: readonly Buffer[]) => {
        for (const item of items) {
          const id = item.readUInt32BE(0);
          const serial = item.readUInt32BE(4);
          expect(serial).toBeGreaterThan(last.get(id) ?? -1);
          last.set(id, serial);
        }
        taken += items.length;
      };
      for (const [what, id, size] of steps) {
        if (what === "take") {
          see(queue.take(size));
          continue;
        }
        const item = Buffer.alloc(8 + size);
        item.writeUInt32BE(id, 0);
        item.writeUInt32BE(pushed++, 4);
        queue.push(id, item);
      }
      const rest = queue.take(Infinity);
      held = rest.reduce((sum, item) => sum + item.length, 0);
      see(rest);
      expect(held).toBeLessThanOrEqual(2500);
      expect(taken + dropped.reduce((sum, [, count]) => sum + count, 0)).toBe(pushed);
    }),
  );
});
