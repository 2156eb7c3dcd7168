import { expect, test } from "vitest";
import { FakeClock, settle } from "../../../test/fakes/clock.ts";
import { Throttle } from "./throttle.ts";

/** Asks for so many turns at once; the number of those that have come, as time goes on. */
function ask(throttle: Throttle, count: number, signal = new AbortController().signal): () => number {
  let turns = 0;
  for (let i = 0; i < count; i++)
    throttle.turn(signal).then(
      () => turns++,
      () => {},
    );
  return () => turns;
}

test("ten at once, then five a second", async () => {
  const clock = new FakeClock();
  const turns = ask(new Throttle(clock), 20);
  await settle();
  expect(turns()).toBe(10);
  await clock.advance(199);
  expect(turns()).toBe(10);
  await clock.advance(1);
  expect(turns()).toBe(11);
  await clock.advance(1_800);
  expect(turns()).toBe(20);
});

test("a pause gives back what was used, and no more than ten", async () => {
  const clock = new FakeClock();
  const throttle = new Throttle(clock);
  ask(throttle, 10);
  await clock.advance(600);
  const soon = ask(throttle, 5);
  await settle();
  expect(soon()).toBe(3);
  await clock.advance(3_600_000);
  const late = ask(throttle, 15);
  await settle();
  expect(late()).toBe(10);
  await clock.advance(2_000);
});

test("one that is given up while it waits leaves no timer", async () => {
  const clock = new FakeClock();
  const throttle = new Throttle(clock);
  ask(throttle, 10);
  const given = new AbortController();
  const turn = throttle.turn(given.signal);
  given.abort(new Error("over"));
  await expect(turn).rejects.toThrow("over");
  expect(clock.pending).toBe(0);
  await expect(throttle.turn(given.signal)).rejects.toThrow("over");
});
