import { expect, test } from "vitest";
import { FakeClock } from "../../../test/fakes/clock.ts";
import { Shunned } from "./shunned.ts";

test("a pod that could not be reached is shunned for a minute, or until it is", async () => {
  const clock = new FakeClock();
  const shunned = new Shunned(clock);
  expect([shunned.add("a"), shunned.get("a"), shunned.get("b")]).toEqual([true, 0, undefined]);
  await clock.advance(1);
  shunned.add("b");
  await clock.advance(59_998);
  expect([shunned.get("a"), shunned.get("b")]).toEqual([0, 1]);
  await clock.advance(1);
  expect([shunned.get("a"), shunned.get("b")]).toEqual([undefined, 1]);
  shunned.remove("b");
  expect(shunned.get("b")).toBeUndefined();
});

test("that it fails again is no reason to choose anew within ten seconds", async () => {
  const clock = new FakeClock();
  const shunned = new Shunned(clock);
  shunned.add("a");
  await clock.advance(9_999);
  expect([shunned.add("a"), shunned.get("a")]).toEqual([false, 0]);
  await clock.advance(1);
  expect([shunned.add("a"), shunned.get("a")]).toEqual([true, 10_000]);
});
