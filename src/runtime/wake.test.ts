import { describe, expect, test } from "vitest";
import { FakeClock } from "../../test/fakes/clock.ts";
import {
  LOOK_MS,
  networksOf,
  NETWORK_LOOK_MS,
  SETTLE_MS,
  watchForWake,
  type Interfaces,
  type Upheaval,
} from "./wake.ts";

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
  readonly #timers: { readonly ms: number; readonly fire: () => void }[] = [];
  #nowMs = 0;
  override now(): number {
    return this.#nowMs;
  }
  override wall(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }
  override timer(ms: number, fire: () => void): Disposable {
    this.#timers.push({ ms, fire });
    return { [Symbol.dispose]: () => {} };
  }
  /** The look is due each time; what is to happen a while after a look has happened before the next. */
  firesAfter(ms: number): void {
    this.#nowMs += ms;
    for (const timer of this.#timers.splice(0)) timer.fire();
  }
}

function there(...addresses: readonly string[]): Interfaces {
  const of = (address: string) => ({ address, internal: address === "127.0.0.1" || address === "::1" });
  return { eth0: addresses.map(of) as unknown as NonNullable<Interfaces[string]> };
}

test("a sleep in which the monotonic clock ran on is told as well", () => {
  const clock = new LateClock();
  const told: Upheaval[] = [];
  const watch = watchForWake(
    clock,
    () => there(),
    (what) => told.push(what),
  );
  clock.firesAfter(LOOK_MS);
  clock.firesAfter(LOOK_MS + 1_000); // a busy machine
  expect(told).toEqual([]);
  clock.firesAfter(LOOK_MS + 8 * 3_600_000);
  clock.firesAfter(LOOK_MS);
  expect(told).toEqual([{ kind: "slept", sleptMs: 8 * 3_600_000 }]);
  watch[Symbol.dispose]();
});

test("a sleep is told once, with its length, a second after it was noticed; time that merely passes is not", async () => {
  const clock = new SleepyClock();
  const told: Upheaval[] = [];
  const watch = watchForWake(
    clock,
    () => there(),
    (what) => told.push(what),
  );
  await clock.advance(60_000);
  expect(told).toEqual([]);
  clock.sleepMachine(8 * 3_600_000);
  await clock.advance(LOOK_MS + SETTLE_MS - 1);
  expect(told).toEqual([]);
  await clock.advance(60_000);
  expect(told).toEqual([{ kind: "slept", sleptMs: 8 * 3_600_000 }]);
  watch[Symbol.dispose]();
  expect(clock.pending).toBe(0);
});

describe("the network", () => {
  test("that is another one is told once, and again when it is the old one", async () => {
    const clock = new FakeClock();
    const told: Upheaval[] = [];
    let now = there("192.168.1.7", "2001:db8:1:2:aaaa::1");
    const watch = watchForWake(
      clock,
      () => now,
      (what) => told.push(what),
    );
    await clock.advance(60_000);
    expect(told).toEqual([]);
    now = there("10.8.0.2", "192.168.1.7", "2001:db8:1:2:aaaa::1"); // a VPN comes up
    await clock.advance(NETWORK_LOOK_MS + SETTLE_MS);
    expect(told).toEqual([
      { kind: "network", networks: "eth0 10.8.0.2, eth0 192.168.1.7, eth0 2001:db8:1:2::/64" },
    ]);
    now = there("192.168.1.7", "2001:db8:1:2:aaaa::1");
    await clock.advance(60_000);
    expect(told).toHaveLength(2);
    watch[Symbol.dispose]();
    expect(clock.pending).toBe(0);
  });

  test("that flaps is told each 15 s at most, and not when it is as it was told", async () => {
    const clock = new FakeClock();
    const told: string[] = [];
    let turn = 0;
    const watch = watchForWake(
      clock,
      () => there(...(turn++ % 2 === 0 ? [] : ["192.168.1.7"])),
      (what) => what.kind === "network" && told.push(what.networks),
    );
    await clock.advance(150_000);
    expect(told.length).toBeLessThanOrEqual(10);
    expect(told.length).toBeGreaterThan(0);
    watch[Symbol.dispose]();
  });

  test("that changed in a sleep is told with the sleep", async () => {
    const clock = new SleepyClock();
    const told: Upheaval[] = [];
    let now = there("192.168.1.7");
    const watch = watchForWake(
      clock,
      () => now,
      (what) => told.push(what),
    );
    await clock.advance(LOOK_MS);
    clock.sleepMachine(3_600_000);
    now = there("10.1.1.1");
    await clock.advance(60_000);
    expect(told).toEqual([{ kind: "slept", sleptMs: 3_600_000 }]);
    watch[Symbol.dispose]();
  });

  test.each([
    { name: "order", a: ["10.0.0.1", "10.0.0.2"], b: ["10.0.0.2", "10.0.0.1"] },
    {
      name: "temporary addresses of one prefix",
      a: ["2001:db8::1"],
      b: ["2001:db8::1", "2001:db8::5:6:7:8"],
    },
    { name: "link-local addresses", a: [], b: ["fe80::1", "169.254.3.4"] },
    { name: "loopback", a: [], b: ["127.0.0.1", "::1"] },
  ])("$name does not matter", ({ a, b }) => {
    expect(networksOf(there(...b))).toBe(networksOf(there(...a)));
  });

  test.each([
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::5", "0:0:0:0::/64"],
    ["fd00:1:2:3::", "fd00:1:2:3::/64"],
  ])("of %s the prefix counts", (address, prefix) => {
    expect(networksOf(there(address))).toBe(`eth0 ${prefix}`);
  });
});
