import { beforeEach, describe, expect, test } from "vitest";
import { settle } from "../../test/fakes/clock.ts";
import { FakeWorld } from "../../test/fakes/world.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import type { ApplyRequest, Client } from "./deps.ts";
import { Supervisor } from "./supervisor.ts";

const self = { pid: 1, mode: "detached", version: "0.0.0", startedAt: "", log: "" } as const;

function spec(name: string, local: number, change: Partial<ForwardSpec> = {}): ForwardSpec {
  return {
    name,
    target: { kind: "svc", name },
    protocol: "tcp",
    local,
    bind: ["localhost"],
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

const config = { path: "/shop/forwards.yaml", sha256: "0" };

async function apply(
  forwards: readonly ForwardSpec[],
  how: Partial<ApplyRequest> = {},
  client?: Client,
): Promise<readonly string[]> {
  const request = { project: "shop", config, forwards, names: null, ...how };
  const { changes } = await supervisor.apply(request, client);
  await settle();
  return changes.map(({ name, action }) => `${action} ${name}`);
}

const reread = (...forwards: ForwardSpec[]): Promise<readonly string[]> =>
  apply(forwards, { occasion: "reread" });

/** How long each forward has left, and what it does where that is nothing. */
async function left(): Promise<readonly (number | string)[]> {
  const { entries } = await supervisor.status();
  return entries.map(({ endsAt, state }) =>
    typeof endsAt === "string" ? Date.parse(endsAt) - world.clock.wall() : state,
  );
}

describe("a ttl", () => {
  test("does not begin anew when files are read again, whatever they say now", async () => {
    await apply([spec("api", 8080, { ttlMs: 60_000 })]);
    await world.clock.advance(20_000);
    expect(await reread(spec("api", 8080, { ttlMs: 60_000 }))).toEqual(["keep api"]);
    expect(await left()).toEqual([40_000]);
    expect(await reread(spec("api", 8081, { ttlMs: 60_000 }))).toEqual(["replace api"]);
    expect(await left()).toEqual([40_000]);
    await reread(spec("api", 8081, { ttlMs: 90_000 }));
    await reread(spec("api", 8081));
    expect(await left()).toEqual([40_000]);
    await reread(spec("api", 8081, { ttlMs: 30_000 }));
    expect(await left()).toEqual([10_000]);
    await world.clock.advance(10_000);
    expect((await supervisor.status()).entries).toMatchObject([
      { state: "stopped", reason: { code: "TtlOver" } },
    ]);
  });

  test("that comes into the file counts from then on", async () => {
    await apply([spec("api", 8080)]);
    await world.clock.advance(20_000);
    await reread(spec("api", 8080, { ttlMs: 10_000 }), spec("db", 5432, { ttlMs: 15_000 }));
    expect(await left()).toEqual([10_000, 15_000]);
  });

  test("begins anew with the next `up`", async () => {
    await apply([spec("api", 8080, { ttlMs: 60_000 })]);
    await world.clock.advance(20_000);
    await reread(spec("api", 8080));
    await apply([spec("api", 8080, { ttlMs: 60_000 })]);
    expect(await left()).toEqual([60_000]);
  });
});

test("what is stopped stays so, and is not taken for what the file says now, until somebody wants it", async () => {
  await apply([spec("api", 8080, { ttlMs: 1_000 }), spec("db", 5432), spec("web", 80)]);
  await supervisor.halt({ names: ["db"], drainMs: 0 });
  await world.clock.advance(1_000);
  const file = [spec("api", 8080, { ttlMs: 1_000 }), spec("db", 5433), spec("web", 80)];
  expect(await reread(...file)).toEqual(["keep api", "keep db", "keep web"]);
  expect((await supervisor.status()).entries.map(({ state }) => state)).toEqual([
    "stopped",
    "stopped",
    "resolving",
  ]);
  expect((await supervisor.status()).config.sha256).toBe("");
  expect(await apply(file)).toEqual(["start api", "start db", "keep web"]);
  expect((await supervisor.status()).config.sha256).toBe("0");
});

test("orphans that are to be kept are left up, and all of the file is wanted all the same", async () => {
  const again = { args: ["--keep-orphans"], cwd: "/shop" };
  await apply([spec("api", 8080), spec("db", 5432)], { again });
  expect(await apply([spec("api", 8080)], { again, orphans: "keep" })).toEqual(["keep api"]);
  expect(await left()).toHaveLength(2);
  expect(supervisor.again).toEqual(again);
});

test("files are read as the last `up` did, not as who only needs them for a while", async () => {
  const client = { pid: 7, closed: new AbortController().signal };
  const forwards = [spec("api", 8080)];
  await apply(forwards, { again: { args: ["--env=dev"], cwd: "/shop" } });
  const its = { args: ["--env=dev", "--profile=all"], cwd: "/shop" };
  await apply(forwards, { again: its, names: ["api"], owner: "client" }, client);
  expect(supervisor.again?.args).toEqual(["--env=dev"]);
  await supervisor.release({ names: null, to: "project" }, client);
  expect(supervisor.again).toEqual(its);
});
