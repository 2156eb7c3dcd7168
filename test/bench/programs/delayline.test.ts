import { expect, test } from "vitest";
import { FakeClock } from "../../fakes/clock.ts";
import { DelayLine } from "./delayline.ts";

function line(): { clock: FakeClock; delayed: DelayLine<string>; arrived: string[] } {
  const clock = new FakeClock();
  const arrived: string[] = [];
  const delayed = new DelayLine<string>(clock, 25, (item) => arrived.push(`${item}@${clock.now()}`));
  return { clock, delayed, arrived };
}

test("each item arrives after the delay, in order, however close they come", async () => {
  const { clock, delayed, arrived } = line();
  delayed.push("a");
  await clock.advance(1);
  delayed.push("b");
  delayed.push("c");
  await clock.advance(23);
  expect(arrived).toEqual([]);
  delayed.push("d");
  await clock.advance(100);
  expect(arrived).toEqual(["a@25", "b@26", "c@26", "d@49"]);
});

test("a line that ran empty delays what comes next", async () => {
  const { clock, delayed, arrived } = line();
  delayed.push("a");
  await clock.advance(100);
  delayed.push("b");
  await clock.advance(100);
  expect(arrived).toEqual(["a@25", "b@125"]);
});

test("an item pushed during a delivery waits its own time", async () => {
  const clock = new FakeClock();
  const arrived: string[] = [];
  const delayed: DelayLine<string> = new DelayLine(clock, 25, (item) => {
    arrived.push(`${item}@${clock.now()}`);
    if (item === "a") delayed.push("b");
  });
  delayed.push("a");
  await clock.advance(60);
  expect(arrived).toEqual(["a@25", "b@50"]);
});

test("nothing arrives and no timer stays once it is disposed", async () => {
  const { clock, delayed, arrived } = line();
  delayed.push("a");
  delayed[Symbol.dispose]();
  await clock.advance(100);
  expect(arrived).toEqual([]);
  expect(clock.pending).toBe(0);
});
