import { expect, test } from "vitest";
import { FakeClock } from "../../test/fakes/clock.ts";
import { watchForWake } from "./wake.ts";

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

test("a sleep is told once, with its length; time that merely passes is not", async () => {
  const clock = new SleepyClock();
  const wakes: number[] = [];
  const watch = watchForWake(clock, (ms) => wakes.push(ms));
  await clock.advance(60_000);
  expect(wakes).toEqual([]);
  clock.sleepMachine(8 * 3_600_000);
  await clock.advance(5_000);
  await clock.advance(60_000);
  expect(wakes).toEqual([8 * 3_600_000]);
  watch[Symbol.dispose]();
  expect(clock.pending).toBe(0);
});
