import { describe, expect, test } from "vitest";
import { FakeClock } from "../../../test/fakes/clock.ts";
import { Watchdog } from "./watchdog.ts";

describe("Watchdog", () => {
  test("barks once after the silence, however often it was fed before", async () => {
    const clock = new FakeClock();
    let barks = 0;
    using dog = new Watchdog(clock, 90, () => barks++);
    await clock.advance(60);
    dog.feed();
    await clock.advance(89);
    expect(barks).toBe(0);
    await clock.advance(1);
    expect(barks).toBe(1);
    await clock.advance(1000);
    expect(barks).toBe(1);
  });

  test("leaves no timer behind when it is disposed", async () => {
    const clock = new FakeClock();
    const dog = new Watchdog(clock, 90, () => expect.unreachable());
    await clock.advance(50);
    dog.feed();
    await clock.advance(50);
    dog[Symbol.dispose]();
    expect(clock.pending).toBe(0);
    await clock.advance(1000);
  });
});
