import { beforeEach, describe, expect, test } from "vitest";
import { settle } from "../../test/fakes/clock.ts";
import { FakeWorld } from "../../test/fakes/world.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import type { SupervisorEvent } from "./core/status.ts";
import type { Client } from "./deps.ts";
import { Supervisor } from "./supervisor.ts";

const self = { pid: 1, mode: "detached", version: "0.0.0", startedAt: "", log: "" } as const;

function spec(name: string, local: number): ForwardSpec {
  return {
    name,
    target: { kind: "svc", name },
    protocol: "tcp",
    local,
    bind: ["localhost"],
    required: true,
    source: { file: "forwards.yaml", line: 1, column: 1 },
  };
}

/** A connection that a test ends. */
class FakeClient implements Client {
  readonly #end = new AbortController();
  readonly pid: number;

  constructor(pid: number) {
    this.pid = pid;
  }

  get closed(): AbortSignal {
    return this.#end.signal;
  }

  async leaves(): Promise<void> {
    this.#end.abort();
    await settle();
  }
}

const FILE = [spec("api", 8080), spec("db", 5432), spec("cache", 6379)];

let world: FakeWorld;
let supervisor: Supervisor;
let events: SupervisorEvent[];
let ended: "running" | "ended";
let one: FakeClient;
let two: FakeClient;

beforeEach(async () => {
  world = new FakeWorld();
  supervisor = new Supervisor(world, self);
  events = [];
  ended = "running";
  void supervisor.ended.then(() => (ended = "ended"));
  [one, two] = [new FakeClient(101), new FakeClient(102)];
  await supervisor.follow((event) => events.push(event));
});

const config = { path: "/shop/forwards.yaml", sha256: "0" };

/** `kfwd up`, of all or of some. */
async function up(names: readonly string[] | null = null): Promise<void> {
  await supervisor.apply({ project: "shop", config, forwards: FILE, names });
  await settle();
}

async function claim(client: Client, ...names: string[]): Promise<void> {
  await supervisor.apply({ project: "shop", config, forwards: FILE, names, owner: "client" }, client);
  await settle();
}

const running = async (): Promise<string[]> => (await supervisor.status()).entries.map(({ name }) => name);

describe("a claimed forward", () => {
  test("ends with the last connection that claims it, and the supervisor with the last forward", async () => {
    await claim(one, "api", "db");
    await claim(two, "db", "cache");
    expect(await running()).toEqual(["api", "db", "cache"]);
    await one.leaves();
    expect(await running()).toEqual(["db", "cache"]);
    expect([...world.net.bound.keys()]).not.toContain(8080);
    expect(ended).toBe("running");
    await two.leaves();
    expect(await running()).toEqual([]);
    expect(ended).toBe("ended");
  });

  test.each([
    { name: "before", order: ["up", "claim"] },
    { name: "after", order: ["claim", "up"] },
  ])("that was kept $name it was claimed stays", async ({ order }) => {
    for (const step of order) await (step === "up" ? up(["api"]) : claim(one, "api", "db"));
    await one.leaves();
    expect(await running()).toEqual(["api"]);
    expect(ended).toBe("running");
  });

  test("that was stopped and started anew belongs to who started it", async () => {
    await up(["db"]);
    await claim(one, "api");
    await supervisor.stop({ names: ["api"], drainMs: 0 });
    await up(["api"]);
    await one.leaves();
    expect(await running()).toEqual(["api", "db"]);
    await claim(two, "cache");
    await supervisor.stop({ names: ["cache"], drainMs: 0 });
    expect((await supervisor.status()).owners).toBeUndefined();
  });

  test("is not kept for having been read again: who needs all of the file now does not want it later", async () => {
    const again = { args: ["--file=forwards.yaml"], cwd: "/shop" };
    const request = { project: "shop", config, forwards: FILE, again };
    await supervisor.apply({ ...request, names: null, owner: "client" }, one);
    expect(supervisor.again).toBeUndefined();
    await supervisor.apply({ ...request, names: ["api"] });
    expect(supervisor.again).toEqual({ ...again, args: [...again.args, "api"] });
    await supervisor.release({ names: null, to: "project" }, one);
    expect(supervisor.again).toEqual(again);
  });

  test("that left the file is gone, whoever claims it", async () => {
    await claim(one, "api", "db");
    await supervisor.apply({ project: "shop", config, forwards: [spec("db", 5432)], names: null });
    expect(await running()).toEqual(["db"]);
    expect((await supervisor.status()).owners).toEqual([{ pid: 101, names: ["db"] }]);
  });

  test("has the ttl of who started it, not of who needs it, too", async () => {
    const ttls = async (): Promise<readonly (number | undefined)[]> =>
      (await supervisor.status()).entries.map(
        ({ endsAt }) => endsAt && Date.parse(endsAt) - world.clock.wall(),
      ) as (number | undefined)[];
    await up(["api"]);
    const forwards = FILE.map((spec) => ({ ...spec, ttlMs: 60_000 }));
    const names = ["api", "db"];
    await supervisor.apply({ project: "shop", config, forwards, names, owner: "client" }, one);
    expect(await ttls()).toEqual([undefined, 60_000]);
    await supervisor.apply({ project: "shop", config, forwards, names });
    expect(await ttls()).toEqual([60_000, 60_000]);
    await claim(two, "api", "db");
    expect(await ttls()).toEqual([60_000, 60_000]);
  });

  test("does not outlive a connection that closed while it was brought up, nor does a login that it waits for", async () => {
    const login = world.cluster.asksForLogin();
    const refused = expect(claim(one, "api")).rejects.toMatchObject({ code: "NOT_RUNNING" });
    await settle();
    await one.leaves();
    expect(ended).toBe("ended");
    login();
    await refused;
    expect(await running()).toEqual([]);
  });

  test("of a connection that was closed before its wish was heard ends, too", async () => {
    await up(["db"]);
    await one.leaves();
    await claim(one, "api");
    expect(await running()).toEqual(["db"]);
  });

  test("without a connection of its own is the project's", async () => {
    await supervisor.apply({ project: "shop", config, forwards: FILE, names: ["api"], owner: "client" });
    await supervisor.release({ names: null });
    expect(await running()).toEqual(["api"]);
  });
});

describe("to release", () => {
  test("stops what nobody else wants before it is answered, and can be of some", async () => {
    await claim(one, "api", "db", "cache");
    await claim(two, "cache");
    expect(await supervisor.release({ names: ["db", "cache"] }, one)).toEqual({ stopped: ["db"] });
    expect(new Set(world.net.bound.keys())).toEqual(new Set([6379, 8080]));
    expect(await supervisor.release({ names: null }, one)).toEqual({ stopped: ["api"] });
    expect(await supervisor.release({ names: null }, one)).toEqual({ stopped: [] });
    await one.leaves();
    expect(await running()).toEqual(["cache"]);
  });

  test("resets no connection that goes on while all is being stopped", async () => {
    world.cluster.podIsReady("p");
    await claim(one, "api");
    world.cluster.tunnelNow.opens();
    const client = world.net.connect(8080);
    await settle();
    const stopped = supervisor.stop({ names: null, drainMs: 60_000 });
    await one.leaves();
    expect(client.stage).toBe("carried");
    await world.clock.advance(60_000);
    await stopped;
    expect(client.stage).toBe("reset");
  });
});

test("owners are shown in the status, and told when they change", async () => {
  await up(["api"]);
  expect(await supervisor.status()).not.toHaveProperty("owners");
  await claim(one, "api");
  await claim(one, "api");
  await claim(two, "db");
  expect((await supervisor.status()).owners).toEqual([
    { pid: 101, names: ["api"] },
    { pid: 102, names: ["db"] },
  ]);
  await one.leaves();
  await supervisor.stop({ names: ["db"], drainMs: 0 });
  const told = events.flatMap((event) => (event.type === "owners" ? [event.owners] : []));
  expect(told.map((owners) => owners.map(({ pid, names }) => `${pid} ${names.join("+")}`))).toEqual([
    ["101 api"],
    ["101 api", "102 db"],
    ["102 db"],
    [],
  ]);
});

test("what a client hands to the project outlives it, and is named beside who claims", async () => {
  await claim(one, "api", "db");
  await claim(two, "cache");
  expect((await supervisor.status()).kept).toEqual([]);
  await supervisor.release({ names: null, to: "project" }, one);
  expect(await supervisor.status()).toMatchObject({ kept: ["api", "db"], owners: [{ pid: 102 }] });
  await one.leaves();
  await two.leaves();
  expect(await running()).toEqual(["api", "db"]);
});
