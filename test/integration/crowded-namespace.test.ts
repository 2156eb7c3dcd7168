import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { dial, expectEcho, httpGet } from "../rig/client.ts";
import type { Project } from "../rig/project.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { fileOf, projectOf, rssOf } from "../behaviour/stage.ts";

const PODS = 5_000;

/** How many answers a list of them and the app takes. */
const PAGES = 11;

/** What a pod may add to the supervisor's memory, with all the garbage that reading it made. */
const CROWD_MIB = 30;

/** How long until that garbage must be gone. */
const SETTLE_MS = 20_000;

/** How long bytes of other forwards may be held up by the reading of such a list, on a machine that is very busy. */
const HELD_UP_MS = 2_000;

/** A namespace with thousands of pods, of which a forward needs one. */
describe("a crowded namespace", () => {
  let world: SandboxWorld;
  let project: Project;
  let quiet: string;
  let crowded: string;

  beforeAll(async () => {
    world = await SandboxWorld.start();
    quiet = await world.newNamespace();
    crowded = await world.newNamespace();
    await world.deploy(quiet, "app");
    await world.deploy(crowded, "app");
    const padding = { "kfwd.test/as-large-as-managed-fields": "x".repeat(3_000) };
    for (let i = 0; i < PODS; i++) {
      const labels = {
        app: `crowd-${i % 50}`,
        "pod-template-hash": `7c9d${i % 97}`,
        release: "stable",
        tier: "batch",
      };
      world.sandbox.cluster.createUnboundPod(crowded, { name: `crowd-${i}`, labels }, padding);
    }
    project = await projectOf(world, quiet, { near: { target: "svc/app", port: 7000, local: "auto" } });
    await project.ok("up", "--wait");
  });
  afterAll(async () => {
    await project[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test("costs little memory, holds up no other forward, and is followed", async () => {
    const { sandbox } = world;
    const echo = await dial(await project.port("near"));
    await expectEcho(echo);
    const before = rssOf(project.supervisorPid);
    const forwards = {
      near: { target: "svc/app", port: 7000, local: "auto" },
      far: { target: `${crowded}/svc/app`, port: "http", local: "auto" },
    };
    await project.write(fileOf(quiet, forwards));

    let [worstMs, echoes] = [0, 0];
    const up = { is: "under way" };
    const coming = project.ok("up", "--wait").finally(() => (up.is = "over"));
    while (up.is === "under way") {
      const askedMs = performance.now();
      await expectEcho(echo);
      echoes++;
      worstMs = Math.max(worstMs, performance.now() - askedMs);
    }
    await coming;
    expect(sandbox.requests.count({ verb: "list", resource: "pods", namespace: crowded })).toBe(PAGES);
    expect(echoes).toBeGreaterThan(PAGES); // between the pages, and within them
    expect(worstMs).toBeLessThan(HELD_UP_MS);
    // What reading left behind is given back when there is a moment for it.
    const grownMib = (): number => rssOf(project.supervisorPid) - before;
    await vi.waitFor(() => expect(grownMib()).toBeLessThan(CROWD_MIB), { timeout: SETTLE_MS, interval: 200 });

    const [pod] = await world.podsOf(crowded, "app");
    await world.deletePod(crowded, pod?.name ?? "");
    await project.until("far", ({ state, pod: now }) => state === "ready" && now !== pod?.name);
    expect(await httpGet(await project.port("far"))).toMatch(/^hello from app-/);
    echo.destroy();
  });
});
