import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { HEAP_GROWTH_MAX_BYTES, Multitude, sockets, type Outcome } from "../limits/multitude.ts";

/** Less than test/limits/run.ts takes, which has the time. */
const AT_ONCE = 300;
const IN_TURN = 500;

/** More than Node lets wait to be accepted by itself, and less than Linux does. */
const BURST = 700;
const SOMAXCONN = "/proc/sys/net/core/somaxconn";

describe.runIf(process.platform === "linux")("of many clients", () => {
  let world: SandboxWorld;
  let many: Multitude;

  beforeAll(async () => {
    world = await SandboxWorld.start();
    many = await Multitude.start(world);
  });

  afterAll(async () => {
    await many[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  function expectNothingLeft({ before, after, counted }: Outcome): void {
    expect(after.fds).toBeLessThanOrEqual(before.fds);
    expect(after.timers).toBeLessThanOrEqual(before.timers);
    expect(sockets(after)).toBeLessThanOrEqual(sockets(before));
    expect(after.heapBytes - before.heapBytes).toBeLessThanOrEqual(HEAP_GROWTH_MAX_BYTES);
    expect(world.sandbox.open).toMatchObject({ streams: 0, podSockets: 0 });
    expect(counted).toBe(0);
  }

  test("at once, each is served and nothing is left", { timeout: 120_000 }, async () => {
    const outcome = await many.atOnce(AT_ONCE);
    expect(outcome.tallies).toEqual([{ greeted: AT_ONCE }, { heard: AT_ONCE }, { left: AT_ONCE }]);
    expect(outcome.crowded.fds).toBeGreaterThanOrEqual(outcome.before.fds + AT_ONCE);
    expectNothingLeft(outcome);
  });

  test.runIf(allowed() > BURST)("in one burst, none is forgotten", { timeout: 120_000 }, async () => {
    expect(await many.burst(BURST)).toEqual([{ greeted: BURST }, { left: BURST }]);
  });

  test("in turn, each is served and nothing is left", { timeout: 120_000 }, async () => {
    const outcome = await many.inTurn(IN_TURN);
    expect(outcome.tallies).toEqual([{ heard: IN_TURN }]);
    expectNothingLeft(outcome);
  });
});

function allowed(): number {
  return existsSync(SOMAXCONN) ? Number(readFileSync(SOMAXCONN, "latin1")) : 0;
}
