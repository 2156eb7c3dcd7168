import { expect, test } from "vitest";
import { settle } from "../../test/fakes/clock.ts";
import { FakeWorld } from "../../test/fakes/world.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { keepRecord, type LockUpdate } from "./keeprecord.ts";
import { Supervisor } from "./supervisor.ts";

function spec(name: string, local: number): ForwardSpec {
  return {
    name,
    target: { kind: "svc", name },
    protocol: "tcp",
    local,
    bind: ["localhost"],
    required: true,
    source: { file: "f", line: 1, column: 1 },
  };
}

test("what is bound is written once for a whole start, again when it changes, and again when writing failed", async () => {
  const world = new FakeWorld();
  const supervisor = new Supervisor(world, { pid: 1, mode: "detached", version: "", startedAt: "", log: "" });
  const written: LockUpdate[] = [];
  let disk: "fine" | "full" = "fine";
  const keeping = await keepRecord(world, supervisor, async (update) => {
    if (disk === "full") throw new Error("no space left");
    written.push(update);
  });
  const config = { path: "/f", sha256: "0" };
  const apply = async (...forwards: ForwardSpec[]): Promise<void> => {
    await supervisor.apply({ project: "shop", config, forwards, names: null });
    await settle();
    await world.clock.advance(50);
  };

  await apply(spec("a", 1), spec("b", 2));
  expect(written.map(({ forwards }) => forwards.map(({ name, port }) => `${name} ${port}`))).toEqual([
    ["a 1", "b 2"],
  ]);
  expect(written[0]).toMatchObject({ project: "shop", config, state: "ready" });

  const client = { pid: 9, closed: new AbortController().signal };
  const claimed = {
    project: "shop",
    config,
    forwards: [spec("b", 2)],
    names: ["b"],
    owner: "client",
  } as const;
  await supervisor.apply(claimed, client);
  await world.clock.advance(50);
  expect(written.splice(1)).toMatchObject([{ owners: [{ pid: 9, names: ["b"] }] }]);

  world.cluster.podIsReady("p"); // states change, ports do not
  await world.clock.advance(50);
  expect(written.length).toBe(1);

  disk = "full";
  await apply(spec("a", 1));
  expect(world.log.lines).toContain("lock.update");
  disk = "fine";
  world.cluster.noPodIsReady();
  await world.clock.advance(50);
  expect(written.at(-1)?.forwards.map(({ name }) => name)).toEqual(["a"]);

  await supervisor.halt({ names: ["a"], drainMs: 0 });
  await world.clock.advance(50);
  expect(written.at(-1)).toMatchObject({ forwards: [], stopped: ["a"] });
  await supervisor.start({ names: ["a"] });
  await world.clock.advance(50);
  expect(written.at(-1)).toMatchObject({ forwards: [{ name: "a" }], stopped: [] });

  world.cluster.podIsReady("p");
  world.cluster.tunnelNow.opens();
  world.net.connect(1);
  await settle();
  const stopped = supervisor.stop({ names: null, drainMs: 1_000 });
  await world.clock.advance(50);
  expect(written.at(-1)).toMatchObject({ state: "stopping", forwards: [{ name: "a" }] });
  await world.clock.advance(1_000);
  await stopped;

  await keeping[Symbol.asyncDispose]();
  world.cluster.podIsReady("q");
  expect(world.clock.pending).toBe(0);
});
