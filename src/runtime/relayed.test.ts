/** Forwards that go through a relay pod: UDP, hosts outside the cluster, and TCP that asks for it. */
import { beforeEach, describe, expect, test } from "vitest";
import { settle } from "../../test/fakes/clock.ts";
import { FakeWorld, type FakeUdpClient } from "../../test/fakes/world.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import type { ForwardStatus, Reason } from "./core/status.ts";
import { Supervisor } from "./supervisor.ts";

const self = { pid: 1, mode: "foreground", version: "1", startedAt: "x", log: "/l" } as const;
const pulling: Reason = { code: "ImagePullBackOff", kind: "transient", message: "cannot pull the image" };

function spec(name: string, local: number, change: Partial<ForwardSpec> = {}): ForwardSpec {
  return {
    name,
    target: { kind: "svc", name },
    remotePort: { via: "service", port: 80 },
    local,
    bind: ["localhost"],
    protocol: "udp",
    required: true,
    source: { file: "forwards.yaml", line: 1, column: 1 },
    ...change,
  };
}

let world: FakeWorld;
let supervisor: Supervisor;

beforeEach(() => {
  world = new FakeWorld();
  supervisor = new Supervisor(world, self);
});

async function apply(...forwards: readonly ForwardSpec[]): Promise<void> {
  const config = { path: "/shop/forwards.yaml", sha256: "0" };
  await supervisor.apply({ project: "shop", config, forwards, names: null });
  await settle();
}

async function status(): Promise<ForwardStatus> {
  const { entries } = await supervisor.status();
  const [only] = entries;
  if (!only) throw new Error("no forward");
  return only;
}

/** A UDP forward on port 5353, ready on pod-1. */
async function ready(): Promise<FakeUdpClient> {
  world.cluster.podIsReady("pod-1", 8125);
  await apply(spec("stats", 5353));
  world.relays.now.opens();
  expect(await status()).toMatchObject({ state: "ready", pod: "pod-1", podPort: 8125 });
  return world.udp.client(5353, "a");
}

describe("a UDP forward", () => {
  test("is ready when the relay is reached and there is a pod", async () => {
    await apply(spec("stats", 5353));
    expect(await status()).toMatchObject({
      state: "resolving",
      local: [{ port: 5353 }],
      datagrams: { flows: 0, in: 0 },
      relay: null,
    });
    expect(world.relays.relays).toEqual([]); // no pod is made for a target that may not be there
    world.cluster.podIsReady("pod-1");
    expect((await status()).state).toBe("connecting");
    world.relays.now.pod("starting");
    await world.clock.advance(1_000);
    expect(await status()).toMatchObject({
      state: "connecting",
      relay: { name: "kfwd-relay-1", state: "starting" },
      reason: { code: "RelayStarting" },
    });
    world.relays.now.opens();
    expect(await status()).toMatchObject({ state: "ready", relay: { state: "running" }, reason: null });
    expect(world.cluster.tunnels).toEqual([]);
  });

  test("sends to the pod's address and answers each client alone", async () => {
    const a = await ready();
    const b = world.udp.client(5353, "b");
    a.sends("from a");
    b.sends("from b");
    a.sends("again");
    const [toA, toB] = world.relays.now.flows;
    expect(toA).toMatchObject({ target: { host: "ip-pod-1", port: 8125 }, sent: ["from a", "again"] });
    expect(toB?.sent).toEqual(["from b"]);
    toB?.answers("to b");
    toA?.answers("to a");
    toA?.answers("pushed");
    expect([a.got, b.got]).toEqual([["to a", "pushed"], ["to b"]]);
    expect(await status()).toMatchObject({
      datagrams: { flows: 2, in: 3, out: 3 },
      traffic: { bytesIn: 14, bytesOut: 17, connections: 0 },
    });
  });

  test("follows its target: the next datagram goes to the new pod, and late answers still arrive", async () => {
    const a = await ready();
    a.sends("one");
    world.cluster.podIsReady("pod-2", 8125);
    expect((await status()).state).toBe("ready"); // the relay is the same
    const [old] = world.relays.now.flows;
    old?.answers("late");
    a.sends("two");
    expect(old).toMatchObject({ sent: ["one"], stage: "disposed" });
    expect(world.relays.now.living).toMatchObject([{ target: { host: "ip-pod-2" }, sent: ["two"] }]);
    expect(a.got).toEqual(["late"]);
    expect(await status()).toMatchObject({ datagrams: { flows: 1 }, pod: "pod-2" });
    expect(world.relays.relays.length).toBe(1);
  });

  test("keeps what comes while nothing is ready for two seconds, the newest of it", async () => {
    const a = await ready();
    world.cluster.noPodIsReady();
    expect((await status()).state).toBe("waiting");
    for (let i = 0; i < 70; i++) a.sends(`early ${i}`);
    await world.clock.advance(1_500);
    a.sends("late");
    await world.clock.advance(600);
    world.cluster.podIsReady("pod-2");
    const [flow] = world.relays.now.living;
    expect(flow?.sent).toEqual(["late"]);
    expect((await status()).datagrams).toMatchObject({ out: 1, dropped: { notReady: 70 } });
  });

  test("keeps nothing where clients are to be refused while nothing is ready", async () => {
    await apply(spec("stats", 5353, { whenUnavailable: "refuse" }));
    world.udp.client(5353, "a").sends("early");
    expect((await status()).datagrams?.dropped.notReady).toBe(1);
    world.cluster.podIsReady("pod-1");
    world.relays.now.opens();
    expect(world.relays.now.flows).toEqual([]);
  });

  test("is ready through the relay, whatever its probe: none can tell how datagrams fare", async () => {
    const http = {
      path: "/",
      status: [200, 399],
      intervalMs: 10_000,
      timeoutMs: 2_000,
      failures: 3,
    } as const;
    for (const type of ["none", "http"] as const) {
      world.cluster.podIsReady("pod-1");
      await apply(spec("stats", 5353, { probe: { ...http, type } }));
      expect((await status()).state).toBe("connecting");
      world.relays.now.opens();
      expect((await status()).state).toBe("ready");
    }
  });

  test("lets the relay prove itself when the machine has slept", async () => {
    await ready();
    supervisor.wake();
    expect(world.relays.woken).toBe(1);
  });

  test("keeps its port and its clients when the relay dies; flows begin anew", async () => {
    const a = await ready();
    a.sends("one");
    const relay = world.relays.now;
    relay.breaks();
    expect(await status()).toMatchObject({ state: "connecting", local: [{ port: 5353 }] });
    expect(relay.retries).toBe(1);
    relay.breaks();
    expect(await status()).toMatchObject({ state: "waiting", reason: { code: "RelayLost" } });
    await world.clock.advance(150);
    expect(relay.retries).toBe(2);
    relay.opens();
    a.sends("two");
    expect(relay.living).toMatchObject([{ sent: ["two"] }]);
    expect(await status()).toMatchObject({ state: "ready", datagrams: { flows: 1 } });
  });

  test("tells why the relay pod does not run, and needs no timer to go on", async () => {
    world.cluster.podIsReady("pod-1");
    await apply(spec("stats", 5353));
    world.relays.now.pod("waiting", pulling);
    expect(await status()).toMatchObject({
      state: "waiting",
      reason: { code: "ImagePullBackOff" },
      retryAt: null,
      relay: { state: "waiting" },
    });
    supervisor.wake(); // it is under way already, and still waits for the same
    expect((await status()).state).toBe("waiting");
    expect(world.relays.now.retries).toBe(0);
    world.relays.now.opens();
    expect((await status()).state).toBe("ready");
  });

  test("counts what the relay drops, and remembers why", async () => {
    const a = await ready();
    a.sends("one");
    const [flow] = world.relays.now.flows;
    flow?.drops(2, "refused");
    flow?.drops(3, "full");
    flow?.drops(1, "tooLarge");
    if (flow) flow.full = true;
    a.sends("no room");
    expect(await status()).toMatchObject({
      state: "ready",
      lastError: { message: "a datagram is too large for the way to pod-1:8125" },
      datagrams: { out: 1, dropped: { refused: 2, full: 4, tooLarge: 1 } },
    });
  });

  test("ends flows that are quiet", async () => {
    const a = await ready();
    const b = world.udp.client(5353, "b");
    a.sends("one");
    b.sends("one");
    const [toA, toB] = world.relays.now.flows;
    toB?.answers("yes");
    await world.clock.advance(61_000);
    expect([toA?.stage, toB?.stage]).toEqual(["disposed", "open"]);
    await world.clock.advance(240_000);
    expect(toB?.stage).toBe("disposed");
    expect((await status()).datagrams?.flows).toBe(0);
    expect(world.clock.pending).toBe(0);
    a.sends("two");
    expect(world.relays.now.living).toMatchObject([{ sent: ["two"] }]);
  });

  test("leaves nothing behind", async () => {
    const a = await ready();
    a.sends("one");
    await supervisor.stop({ names: null, drainMs: 5_000 });
    expect(world.relays.now).toMatchObject({ disposed: true, flows: [{ stage: "disposed" }] });
    expect(world.udp.bound.size).toBe(0);
    expect(world.clock.pending).toBe(0);
    a.sends("too late");
    expect(world.relays.now.flows.length).toBe(1);
  });
});

describe("a target outside the cluster", () => {
  const host = { kind: "host", name: "db.example" } as const;

  test("is reached through the relay without a look at the cluster", async () => {
    await apply(spec("db", 5432, { protocol: "tcp", target: host, remotePort: { via: "pod", port: 5432 } }));
    expect(world.cluster.followers.size).toBe(0);
    world.relays.now.opens();
    expect(await status()).toMatchObject({ state: "ready", pod: null, targetText: "host/db.example:5432" });
    const client = world.net.connect(5432);
    await settle();
    expect(client.stage).toBe("carried");
  });

  test("needs its port as a number", async () => {
    await apply(spec("db", 5432, { target: host, remotePort: { via: "pod", port: "sql" } }));
    expect(await status()).toMatchObject({ state: "waiting", reason: { code: "PortMissing" } });
  });
});

describe("TCP with `via: relay`", () => {
  test("holds clients until the relay is there", async () => {
    world.cluster.podIsReady("pod-1");
    await apply(spec("api", 8080, { protocol: "tcp", via: "relay" }));
    const client = world.net.connect(8080);
    await settle();
    expect(client.stage).toBe("waiting");
    world.relays.now.opens();
    await settle();
    expect(client.stage).toBe("carried");
    expect(await status()).toMatchObject({ traffic: { connections: 1 }, datagrams: null });
  });

  test("makes another relay for a forward that means something else", async () => {
    world.cluster.podIsReady("pod-1");
    await apply(spec("api", 8080, { protocol: "tcp", via: "relay" }));
    await apply(spec("api", 8080, { protocol: "tcp", via: "relay", relay: { image: "other" } }));
    expect(world.relays.relays).toMatchObject([{ disposed: true }, { spec: { image: "other" } }]);
  });
});

describe("stopped and started", () => {
  test("lets go of its relay, ends flows, and gets another", async () => {
    const a = await ready();
    a.sends("one");
    const { now: first } = world.relays;
    await supervisor.halt({ names: ["stats"], drainMs: 0 });
    expect(first).toMatchObject({ disposed: true, living: [] });
    expect(await status()).toMatchObject({ state: "stopped", relay: null, local: [] });
    expect([world.udp.bound.size, world.clock.pending]).toEqual([0, 0]);
    await supervisor.start({ names: ["stats"] });
    await settle();
    expect(world.relays.now).not.toBe(first);
    world.relays.now.opens();
    expect(await status()).toMatchObject({
      state: "ready",
      relay: { state: "running" },
      datagrams: { out: 0 },
    });
    const b = world.udp.client(5353, "a");
    b.sends("two");
    expect(world.relays.now.living.map(({ sent }) => sent)).toEqual([["two"]]);
  });

  test("begun anew it keeps its relay, its port, and its clients, which get flows of their own again", async () => {
    const a = await ready();
    a.sends("one");
    const [before] = world.relays.now.flows;
    await supervisor.restart({ names: ["stats"] });
    await settle();
    expect(await status()).toMatchObject({ state: "ready", restarts: 1 });
    expect(world.relays.relays.length).toBe(1);
    expect(before?.stage).toBe("disposed");
    a.sends("two");
    expect(world.relays.now.living.map(({ sent }) => sent)).toEqual([["two"]]);
  });
});

test("a forward that wants a relay of its own says which entry it is for, and its ports share it", async () => {
  world.cluster.podIsReady("pod-1", 8125);
  const relay = { share: "entry", ttlMs: 60_000 } as const;
  await apply(spec("dns:a", 5353, { relay }), spec("dns:b", 5354, { relay }), spec("stats", 8125));
  const wishes = world.relays.relays.map((one) => one.spec);
  expect(wishes).toEqual([{ ttlMs: 60_000, entry: "dns" }, { ttlMs: 60_000, entry: "dns" }, {}]);
});

describe("when a forward is replaced", () => {
  test("the relay that it lets go of is held for what takes its place", async () => {
    await ready();
    await apply(spec("stats", 5354));
    expect(world.relays.holds).toEqual({ asked: 1, now: 0 });
  });

  test("no relay is held for what goes straight, or is gone", async () => {
    await ready();
    await apply(spec("stats", 5353, { protocol: "tcp" }));
    await apply(spec("stats", 5354, { protocol: "tcp" }));
    await apply();
    expect(world.relays.holds.asked).toBe(0);
  });
});

test("a client whose place others needed is counted, and gets another with its next datagram", async () => {
  const a = await ready();
  a.sends("one");
  world.relays.now.living[0]?.crowdedOut();
  const { datagrams, lastError } = await status();
  expect(datagrams?.crowdedOut).toBe(1);
  expect(lastError?.message).toMatch(/^too many clients at once for pod-1:8125/);
  a.sends("two");
  expect(world.relays.now.living.map(({ sent }) => sent)).toEqual([["two"]]);
});
