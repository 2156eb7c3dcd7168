import { describe, expect, test } from "vitest";
import { FrameWorkers } from "./frameworkers.ts";

/** A frame that takes until it is told to be done. */
function slow(): { task: () => Promise<void>; done: () => void } {
  let done = (): void => {};
  const promise = new Promise<void>((resolve) => (done = resolve));
  return { task: () => promise, done: () => done() };
}

describe("frame workers", () => {
  test("handle a stream's frames in order, and other streams' in the meantime", async () => {
    const workers = new FrameWorkers(() => {});
    const seen: string[] = [];
    const first = slow();
    workers.push(1, first.task);
    workers.push(1, () => void seen.push("1 second"));
    workers.push(3, () => void seen.push("3"));
    workers.push(6, () => void seen.push("6, behind 1")); // 6 and 1 are the same modulo five
    expect(seen).toEqual(["3"]);
    first.done();
    await Promise.resolve();
    expect(seen).toEqual(["3", "1 second", "6, behind 1"]);
  });

  test("give frames without a stream to each in turn, so that five find the one that is stuck", () => {
    const workers = new FrameWorkers(() => {});
    workers.push(3, slow().task);
    const pongs: number[] = [];
    for (let ping = 0; ping < 10; ping++) workers.pushInTurn(() => void pongs.push(ping));
    expect(pongs).toEqual([0, 1, 2, 4, 5, 6, 7, 9]);
  });

  test("are full with fifty frames behind a stuck one, and tell when there is room again", async () => {
    let room = 0;
    const workers = new FrameWorkers(() => room++);
    const stuck = slow();
    workers.push(1, stuck.task);
    for (let i = 0; i < 49; i++) workers.push(1, () => undefined);
    expect(workers.full).toBe(false);
    workers.push(1, () => undefined);
    expect(workers.full).toBe(true);
    stuck.done();
    await Promise.resolve();
    expect(workers.full).toBe(false);
    expect(room).toBe(1);
  });
});
