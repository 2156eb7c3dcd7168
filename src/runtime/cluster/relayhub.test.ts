import { beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settle } from "../../../test/fakes/clock.ts";
import type { Reason } from "../core/status.ts";
import type { Flow, FlowHandler, RelayPod } from "../deps.ts";
import type { PodIdentity } from "./follow.ts";
import { RelayHub, type Link } from "./relayhub.ts";
import type { RelayLinkEvents } from "./relaylink.ts";

const HOUR_MS = 60 * 60 * 1000;

class FakeLink implements Link {
  readonly name: string;
  readonly events: RelayLinkEvents;
  readonly clock: FakeClock;
  readonly handlers: FlowHandler[] = [];
  open = false;
  load = 0;
  retries = 0;
  openedMs = 0;
  disposed = false;

  constructor(name: string, events: RelayLinkEvents, clock: FakeClock) {
    this.name = name;
    this.events = events;
    this.clock = clock;
    events.onState({ ...podOf(name), name: null, uid: null, state: "creating" }); // at once, as the real one does
  }

  get servedMs(): number {
    return this.openedMs === 0 ? 0 : this.clock.now() - this.openedMs;
  }

  get ageMs(): number {
    return this.servedMs;
  }

  retry(): void {
    this.retries++;
  }

  prove(): void {}

  flow(_target: unknown, handler: FlowHandler): Flow | undefined {
    if (!this.open) return undefined;
    this.handlers.push(handler);
    return { send: () => true, [Symbol.dispose]: () => {} };
  }

  connect(): never {
    throw new Error("not in this test");
  }

  /** The pod is made, runs, and the tunnel stands. */
  comesUp(): void {
    this.events.onState(podOf(this.name));
    this.events.onCreated({ name: this.name, uid: `uid-${this.name}` });
    this.opens();
  }

  opens(): void {
    this.open = true;
    this.openedMs = this.clock.now();
    this.events.onOpen();
  }

  goes(): void {
    this.open = false;
    for (const handler of this.handlers) handler.onEnd();
    this.events.onGone(reasonOf("RelayGone"));
  }

  isRemoved(): void {
    this.events.onRemoved();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
    this.open = false;
  }
}

function podOf(name: string): RelayPod {
  return { name, namespace: "shop", uid: `uid-${name}`, state: "running", reason: null };
}

function reasonOf(code: string): Reason {
  return { code, kind: "transient", message: code };
}

let clock: FakeClock;
let links: FakeLink[];
let pods: readonly PodIdentity[];
let hub: RelayHub;

beforeEach(() => {
  clock = new FakeClock();
  links = [];
  pods = [];
  hub = newHub(24 * HOUR_MS);
});

function newHub(lifeMs: number): RelayHub {
  return new RelayHub({
    clock,
    random: () => 0.999,
    lifeMs,
    link: (events) => {
      const link = new FakeLink(`relay-${links.length + 1}`, events, clock);
      links.push(link);
      return link;
    },
    onPods: (all) => (pods = all),
  });
}

/** A forward's share, and what it was told, in order. */
async function join() {
  const told: string[] = [];
  const relay = hub.join(
    {
      onOpen: () => told.push("open"),
      onLost: ({ code }) => told.push(code),
      onPod: ({ name }) => name !== null && told.push(`pod ${name}`),
    },
    () => hub[Symbol.asyncDispose](),
  );
  await settle();
  return { relay, told };
}

const link = (number: number): FakeLink => links[number - 1]!;
const quiet: FlowHandler = { onDatagram() {}, onDropped() {}, onEnd() {} };

test("a pod that is gone after it had served is replaced at once", async () => {
  const { told } = await join();
  link(1).comesUp();
  await clock.advance(20_000);
  link(1).goes();
  await clock.advance(0);
  expect(links).toHaveLength(2);
  link(2).comesUp();
  expect(told).toEqual(["pod relay-1", "open", "RelayGone", "pod relay-2", "open"]);
  expect(pods.map(({ name }) => name)).toEqual(["relay-1", "relay-2"]); // for whoever comes after a crash
  link(1).isRemoved();
  expect(pods).toEqual([{ name: "relay-2", uid: "uid-relay-2" }]);
});

test("the last to leave has what ended before deleted once more", async () => {
  const { relay } = await join();
  link(1).comesUp();
  link(1).goes();
  await clock.advance(1_000);
  await relay[Symbol.asyncDispose]();
  expect([link(1).disposed, link(2).disposed]).toEqual([true, true]);
  expect(pods).toEqual([]);
});

test("pods that end as soon as they run are made ever more slowly", async () => {
  await join();
  const waits: number[] = [];
  for (let round = 1; round <= 12; round++) {
    link(round).goes();
    const beforeMs = clock.now();
    while (links.length === round) await clock.advance(50);
    waits.push(clock.now() - beforeMs);
  }
  expect(waits[0]).toBeLessThanOrEqual(50);
  expect(waits.at(-1)).toBeGreaterThan(10_000);
});

test("a pod that could not be made is tried again when somebody asks, not before", async () => {
  const { relay, told } = await join();
  link(1).events.onLost(reasonOf("QuotaExceeded"), "over");
  await clock.advance(HOUR_MS);
  expect(links).toHaveLength(1);
  relay.retry();
  await settle();
  expect(links).toHaveLength(2);
  expect(told).toEqual(["QuotaExceeded"]);
});

test("who asks while a pod waits for something hears what for, again", async () => {
  const { relay, told } = await join();
  link(1).events.onLost(reasonOf("ErrImagePull"), "tries on");
  relay.retry();
  await settle();
  expect(told).toEqual(["ErrImagePull", "ErrImagePull"]);
  expect(links).toHaveLength(1);
  expect(link(1).retries).toBe(1);
  link(1).comesUp();
  relay.retry();
  await settle();
  expect(told.slice(2)).toEqual(["pod relay-1", "open", "open"]);
});

test("a flow begins with its first datagram, on the pod of that moment", async () => {
  const { relay } = await join();
  const flow = relay.flow({ host: "10.0.0.1", port: 53 }, quiet);
  expect(flow.send(Buffer.from("x"))).toBe(false);
  link(1).comesUp();
  expect(flow.send(Buffer.from("x"))).toBe(true);
  expect(link(1).handlers).toHaveLength(1);
});

describe("after 23 hours", () => {
  test("the next pod takes over when it is open, while flows of the old one go on", async () => {
    const { relay, told } = await join();
    link(1).comesUp();
    relay.flow({ host: "10.0.0.1", port: 53 }, quiet).send(Buffer.from("x"));
    link(1).load = 1;
    await clock.advance(23 * HOUR_MS);
    expect(links).toHaveLength(2);
    expect(told).toEqual(["pod relay-1", "open"]);
    link(2).comesUp();
    expect(told).toEqual(["pod relay-1", "open", "pod relay-2"]);
    expect(pods.map(({ name }) => name)).toEqual(["relay-1", "relay-2"]);
    relay.flow({ host: "10.0.0.1", port: 53 }, quiet).send(Buffer.from("y"));
    expect(link(2).handlers).toHaveLength(1);
    await clock.advance(60_000);
    expect(link(1).disposed).toBe(false);
    link(1).load = 0;
    await clock.advance(10_000);
    expect(link(1).disposed).toBe(true);
    expect(pods.map(({ name }) => name)).toEqual(["relay-2"]);
  });

  test("the old pod goes before Kubernetes ends it, though a flow of it never does", async () => {
    await join();
    link(1).comesUp();
    link(1).load = 1;
    await clock.advance(23 * HOUR_MS);
    link(2).comesUp();
    await clock.advance(55 * 60 * 1000);
    expect(link(1).disposed).toBe(true);
  });

  test("a next pod that cannot be made is tried again, and nobody hears of it", async () => {
    const { told } = await join();
    link(1).comesUp();
    await clock.advance(23 * HOUR_MS);
    link(2).events.onLost(reasonOf("QuotaExceeded"), "over");
    await clock.advance(16 * 60 * 1000);
    expect(links).toHaveLength(3);
    link(3).comesUp();
    expect(told).toEqual(["pod relay-1", "open", "pod relay-3"]);
    link(3).goes();
    await clock.advance(0);
    expect(links).toHaveLength(4);
  });
});

test("of a pod that lives ten minutes, the next one takes over after seven and a half", async () => {
  hub = newHub(10 * 60_000);
  await join();
  link(1).comesUp();
  link(1).load = 1;
  await clock.advance(7.5 * 60_000 - 1);
  expect(links).toHaveLength(1);
  await clock.advance(1);
  link(2).comesUp();
  await clock.advance(2.5 * 60_000 - 1);
  expect(link(1).disposed).toBe(true); // before Kubernetes does it
  expect(link(2).disposed).toBe(false);
});

test("a tunnel that is lost and made again many times leaves one timer", async () => {
  await join();
  link(1).comesUp();
  for (let i = 0; i < 100; i++) link(1).events.onOpen();
  expect(clock.due).toEqual([23 * HOUR_MS]);
});

test("a new pod is not replaced because the one before it was to be", async () => {
  await join();
  link(1).comesUp();
  await clock.advance(23 * HOUR_MS);
  link(2).events.onLost(reasonOf("QuotaExceeded"), "over");
  link(1).goes();
  await clock.advance(1_000);
  link(3).comesUp();
  await clock.advance(HOUR_MS);
  expect(links).toHaveLength(3);
});

test("the last to leave ends all pods, the one that is being retired too", async () => {
  const { relay } = await join();
  link(1).comesUp();
  link(1).load = 1;
  await clock.advance(23 * HOUR_MS);
  link(2).comesUp();
  await relay[Symbol.asyncDispose]();
  expect([link(1).disposed, link(2).disposed]).toEqual([true, true]);
  expect(pods).toEqual([]);
  expect(clock.pending).toBe(0);
});
