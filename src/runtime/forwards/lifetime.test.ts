import { beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settle } from "../../../test/fakes/clock.ts";
import { FakeWorld } from "../../../test/fakes/world.ts";
import type { ForwardSpec } from "../../schema/spec.ts";
import type { ForwardStatus, SupervisorEvent } from "../core/status.ts";
import { Lifetime } from "./lifetime.ts";
import { Supervisor } from "../supervisor.ts";

const MINUTE_MS = 60_000;

describe("a lifetime", () => {
  let clock: FakeClock;
  let over: number;
  let lifetime: Lifetime;
  beforeEach(() => {
    clock = new FakeClock();
    over = 0;
    lifetime = new Lifetime(clock, () => over++);
  });

  test("is over when its time has passed, and not before", async () => {
    lifetime.begin(30 * MINUTE_MS);
    await clock.advance(30 * MINUTE_MS - 1);
    expect([over, lifetime.isOver]).toEqual([0, false]);
    await clock.advance(1);
    expect([over, lifetime.isOver]).toEqual([1, true]);
  });

  test("goes on in a sleep, in which timers stand still", async () => {
    lifetime.begin(30 * MINUTE_MS);
    clock.sleeps(29 * MINUTE_MS);
    lifetime.look();
    expect(over).toBe(0);
    await clock.advance(MINUTE_MS);
    expect(over).toBe(1);

    lifetime.begin(30 * MINUTE_MS);
    clock.sleeps(31 * MINUTE_MS);
    lifetime.look();
    expect(over).toBe(2);
  });

  test("shows within half a minute that it was over in a sleep nobody noticed", async () => {
    lifetime.begin(30 * MINUTE_MS);
    clock.sleeps(31 * MINUTE_MS);
    await clock.advance(30_000);
    expect(over).toBe(1);
  });

  test("is not longer because the clock on the wall was set back", async () => {
    lifetime.begin(2 * MINUTE_MS);
    clock.sleeps(-MINUTE_MS);
    await clock.advance(2 * MINUTE_MS);
    expect(over).toBe(1);
  });

  test("begins anew, has no end, or ends without a word", async () => {
    lifetime.begin(2 * MINUTE_MS);
    await clock.advance(MINUTE_MS);
    lifetime.begin(2 * MINUTE_MS);
    await clock.advance(MINUTE_MS);
    expect([over, lifetime.endsAtMs]).toEqual([0, clock.wall() + MINUTE_MS]);
    lifetime.begin(undefined);
    await clock.advance(5 * MINUTE_MS);
    expect([over, lifetime.isOver, lifetime.endsAtMs]).toEqual([0, false, undefined]);
    lifetime.begin(MINUTE_MS);
    lifetime[Symbol.dispose]();
    await clock.advance(5 * MINUTE_MS);
    expect(over).toBe(0);
  });
});

describe("a forward with a ttl", () => {
  let world: FakeWorld;
  let supervisor: Supervisor;
  let events: SupervisorEvent[];
  beforeEach(async () => {
    world = new FakeWorld();
    supervisor = new Supervisor(world, { pid: 1, mode: "detached", version: "", startedAt: "", log: "" });
    events = [];
    await supervisor.follow((event) => events.push(event));
  });

  const spec = (name: string, local: number, ttlMs?: number): ForwardSpec => ({
    name,
    target: { kind: "svc", name },
    protocol: "tcp",
    local,
    bind: ["localhost"],
    required: true,
    source: { file: "forwards.yaml", line: 1, column: 1 },
    ...(ttlMs !== undefined && { ttlMs }),
  });

  const up = async (...forwards: ForwardSpec[]): Promise<string[]> => {
    const config = { path: "/f", sha256: "0" };
    const { changes } = await supervisor.apply({ project: "shop", config, forwards, names: null });
    await settle();
    return changes.map(({ name, action }) => `${action} ${name}`);
  };

  const statusOf = async (name: string): Promise<ForwardStatus | undefined> =>
    (await supervisor.status()).entries.find((entry) => entry.name === name);

  const leftOf = async (name: string): Promise<number | undefined> => {
    const { endsAt } = (await statusOf(name)) ?? {};
    return endsAt === undefined ? undefined : Date.parse(endsAt) - world.clock.wall();
  };

  test("is stopped when it is over, with its clients, says why, and leaves the others alone", async () => {
    world.cluster.podIsReady("p");
    await up(spec("api", 8080, MINUTE_MS), spec("db", 5432));
    for (const tunnel of world.cluster.tunnels) tunnel.opens();
    const client = world.net.connect(8080);
    await settle();
    expect([await leftOf("api"), await leftOf("db")]).toEqual([MINUTE_MS, undefined]);
    await world.clock.advance(MINUTE_MS);
    expect(client.stage).toBe("reset");
    expect(await statusOf("api")).toMatchObject({
      state: "stopped",
      reason: { code: "TtlOver", message: "its ttl of 1m is over", hint: "kfwd up api" },
    });
    expect(await statusOf("api")).not.toHaveProperty("endsAt");
    expect(events.at(-1)).toEqual({ type: "halted", name: "api" });
    expect([...world.net.bound.keys()]).toEqual([5432]);
    expect((await statusOf("db"))?.state).toBe("ready");
  });

  test("has all of it again after `up`, without losing a connection, and after a restart", async () => {
    world.cluster.podIsReady("p");
    await up(spec("api", 8080, MINUTE_MS));
    world.cluster.tunnelNow.opens();
    const client = world.net.connect(8080);
    await world.clock.advance(50_000);
    expect(await up(spec("api", 8080, MINUTE_MS))).toEqual(["keep api"]);
    expect(await leftOf("api")).toBe(MINUTE_MS);
    await world.clock.advance(50_000);
    expect(await up(spec("api", 8080, 2 * MINUTE_MS))).toEqual(["update api"]);
    await world.clock.advance(110_000);
    expect(client.stage).toBe("carried");
    await supervisor.restart({ names: ["api"] });
    expect(await leftOf("api")).toBe(2 * MINUTE_MS);
    expect(await up(spec("api", 8080))).toEqual(["update api"]);
    await world.clock.advance(10 * MINUTE_MS);
    expect((await statusOf("api"))?.state).not.toBe("stopped");
  });

  test("that is over is started again by `up` and by `start`, for as long again", async () => {
    await up(spec("api", 8080, MINUTE_MS));
    await world.clock.advance(MINUTE_MS);
    expect(await up(spec("api", 8080, MINUTE_MS))).toEqual(["start api"]);
    expect(await leftOf("api")).toBe(MINUTE_MS);
    await world.clock.advance(MINUTE_MS);
    expect((await statusOf("api"))?.state).toBe("stopped");
    await supervisor.start({ names: ["api"] });
    await settle();
    expect(await statusOf("api")).toMatchObject({ state: "resolving", reason: null });
    expect(await leftOf("api")).toBe(MINUTE_MS);
  });

  test("is stopped as soon as the machine wakes, if it was over in its sleep", async () => {
    await up(spec("api", 8080, MINUTE_MS));
    world.clock.sleeps(MINUTE_MS);
    supervisor.wake();
    await settle();
    expect((await statusOf("api"))?.reason?.code).toBe("TtlOver");
  });
});
