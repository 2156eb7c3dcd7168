import { expect, test } from "vitest";
import { FakeClock } from "../../test/fakes/clock.ts";
import { LOOK_MS, watchForWake } from "./wake.ts";

/** A clock whose machine can sleep: the wall goes on, the monotonic clock does not. */
class SleepyClock extends FakeClock {
  #sleptMs = 0;
  sleepMachine(ms: number): void {
    this.#sleptMs += ms;
  }
  override wall(): number {
    return super.wall() + this.#sleptMs;
  }
}

/** A machine whose two clocks both run on while it sleeps, so that timers fire late. */
class LateClock extends FakeClock {
  #timer: (() => void) | undefined;
  #nowMs = 0;
  override now(): number {
    return this.#nowMs;
  }
  override wall(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }
  override timer(_ms: number, fire: () => void): Disposable {
    this.#timer = fire;
    return { [Symbol.dispose]: () => (this.#timer = undefined) };
  }
  firesAfter(ms: number): void {
    this.#nowMs += ms;
    this.#timer?.();
  }
}

test("a sleep in which the monotonic clock ran on is told as well", () => {
  const clock = new LateClock();
  const wakes: number[] = [];
  const watch = watchForWake(clock, (ms) => wakes.push(ms));
  clock.firesAfter(LOOK_MS);
  clock.firesAfter(LOOK_MS + 1_000); // a busy machine
  expect(wakes).toEqual([]);
  clock.firesAfter(LOOK_MS + 8 * 3_600_000);
  clock.firesAfter(LOOK_MS);
  expect(wakes).toEqual([8 * 3_600_000]);
  watch[Symbol.dispose]();
});

test("a sleep is told once, with its length; time that merely passes is not", async () => {
  const clock = new SleepyClock();
  const wakes: number[] = [];
  const watch = watchForWake(clock, (ms) => wakes.push(ms));
  await clock.advance(60_000);
  expect(wakes).toEqual([]);
  clock.sleepMachine(8 * 3_600_000);
  await clock.advance(LOOK_MS);
  await clock.advance(60_000);
  expect(wakes).toEqual([8 * 3_600_000]);
  watch[Symbol.dispose]();
  expect(clock.pending).toBe(0);
});
