import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stepRollout, type SetSize } from "./rollout.ts";

const size = (replicas: number, ready = replicas): SetSize => ({ replicas, ready });

describe("a step of a rolling update", () => {
  test.each<[string, number, SetSize, SetSize[], { current: number; olds: number[] }]>([
    ["the first template comes at once", 3, size(0), [], { current: 3, olds: [] }],
    ["scaling without old sets is at once, down to none", 0, size(3), [size(0)], { current: 0, olds: [0] }],
    ["one pod comes before any goes", 2, size(0), [size(2)], { current: 1, olds: [2] }],
    ["nothing goes while the new one is not ready", 2, size(1, 0), [size(2)], { current: 1, olds: [2] }],
    ["an old one goes for a new one that is ready", 2, size(1), [size(2)], { current: 1, olds: [1] }],
    ["then the next comes", 2, size(1), [size(1)], { current: 2, olds: [1] }],
    ["and the last goes", 2, size(2), [size(1)], { current: 2, olds: [0] }],
    ["an old one that is not ready goes first", 2, size(1), [size(2, 1)], { current: 1, olds: [1] }],
    ["to nothing, all go", 0, size(1), [size(2)], { current: 0, olds: [0] }],
  ])("%s", (_name, wanted, current, olds, expected) => {
    expect(stepRollout(wanted, current, olds)).toEqual(expected);
  });

  test("never leaves fewer ready pods than wanted, never has more than one too many, and comes to its end", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 6 }),
        fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
        fc.infiniteStream(fc.boolean()),
        (wanted, oldSizes, chance) => {
          let current = size(0);
          let olds = oldSizes.map((replicas) => size(replicas));
          const readyAtFirst = olds.reduce((sum, { ready }) => sum + ready, 0);
          for (let step = 0; step < 100; step++) {
            const next = stepRollout(wanted, current, olds);
            const grew = next.current - current.replicas;
            // pods that were there stay ready; new ones become so by and by
            const { value: becomes } = chance.next();
            const kept = Math.min(current.ready, next.current);
            current = size(next.current, Math.min(next.current, becomes || grew === 0 ? next.current : kept));
            olds = next.olds.map((replicas) => size(replicas));
            const ready = current.ready + olds.reduce((sum, old) => sum + old.ready, 0);
            const total = current.replicas + olds.reduce((sum, old) => sum + old.replicas, 0);
            expect(ready).toBeGreaterThanOrEqual(Math.min(wanted, readyAtFirst));
            expect(total).toBeLessThanOrEqual(Math.max(wanted + 1, readyAtFirst));
          }
          expect(current).toEqual(size(wanted));
          expect(olds.every(({ replicas }) => replicas === 0)).toBe(true);
        },
      ),
    );
  });
});
