import { beforeEach, describe, expect, test } from "vitest";
import { settle } from "../../test/fakes/clock.ts";
import type { EventOptions, ForwardEvent } from "./api.ts";
import { EventQueue } from "./events.ts";

let held = 0;
beforeEach(() => void (held = 0));

function queueOf(options: EventOptions = {}, onOver: () => void = () => {}): EventQueue<string> {
  const hold = (): Disposable => {
    held++;
    return { [Symbol.dispose]: () => void held-- };
  };
  return new EventQueue(options, hold, onOver);
}

/** One whose name is all that counts. */
function event(name: string): ForwardEvent {
  return { name, status: { name } as ForwardEvent["status"] };
}

async function namesOf(queue: EventQueue<string>): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of queue) names.push(name);
  return names;
}

describe("a reader of events", () => {
  test("gets them in their order, those that came first as well, and an end", async () => {
    const queue = queueOf();
    queue.push(event("a"));
    const names = namesOf(queue);
    await settle();
    queue.push(event("b"));
    await settle();
    queue.push(event("c"));
    queue.end();
    queue.push(event("late"));
    expect(await names).toEqual(["a", "b", "c"]);
    expect(await queue.next()).toEqual({ done: true, value: undefined });
  });

  test("that is slow loses the oldest, and is told how many", async () => {
    const queue = queueOf({ limit: 2 });
    for (const name of ["a", "b", "c", "d", "e"]) queue.push(event(name));
    expect(queue.dropped).toBe(3);
    queue.end();
    expect(await namesOf(queue)).toEqual(["d", "e"]);
  });

  test("gets what is left, then the error, once", async () => {
    const queue = queueOf();
    queue.push(event("a"));
    queue.end(new Error("lost"));
    expect(await queue.next()).toMatchObject({ value: { name: "a" } });
    await expect(queue.next()).rejects.toThrow("lost");
    expect(await queue.next()).toEqual({ done: true, value: undefined });
  });

  test("holds the process while it waits, and at no other time", async () => {
    const queue = queueOf();
    queue.push(event("a"));
    await queue.next();
    expect(held).toBe(0);
    const two = [queue.next(), queue.next()];
    expect(held).toBe(1);
    queue.push(event("b"));
    expect(held).toBe(1);
    queue.push(event("c"));
    expect(held).toBe(0);
    expect((await Promise.all(two)).map(({ value }) => value?.name)).toEqual(["b", "c"]);
    const last = [queue.next(), queue.next()];
    queue.end();
    expect(held).toBe(0);
    expect((await Promise.all(last)).map(({ done }) => done)).toEqual([true, true]);
  });

  test("that breaks off is told nothing more, and forgotten", async () => {
    let over = 0;
    const queue = queueOf({}, () => over++);
    queue.push(event("a"));
    queue.push(event("b"));
    for await (const { name } of queue) if (name === "a") break;
    expect(over).toBe(1);
    expect(await queue.next()).toEqual({ done: true, value: undefined });
    queue.end(new Error("later"));
    expect(over).toBe(1);
    expect(await queue.next()).toEqual({ done: true, value: undefined });
  });

  test.each([{ when: "before" }, { when: "while" }])(
    "gets the signal's reason when it is aborted $when it waits",
    async ({ when }) => {
      const stop = new AbortController();
      if (when === "before") stop.abort(new Error("enough"));
      const queue = queueOf({ signal: stop.signal });
      queue.push(event("a"));
      if (when === "while") stop.abort(new Error("enough"));
      await expect(queue.next()).rejects.toThrow("enough");
      expect(await queue.next()).toEqual({ done: true, value: undefined });
      expect(held).toBe(0);
    },
  );

  test.each([0, -1, 1.5, Number.NaN, Infinity])("cannot have a limit of %d", (limit) => {
    expect(() => queueOf({ limit })).toThrow(/limit must be a whole number/);
  });
});
