import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dial, expectEcho, httpGet } from "../rig/client.ts";
import type { Project } from "../rig/project.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, portsOf } from "../behaviour/stage.ts";

/** How long a peer may be dead before nobody is led there any more, and what a busy machine may add. */
const DEAD_MS = 16_000;
const BUSY_MS = 3_000;

/** The cluster still takes a pod for ready whose node cannot be reached. */
describe("a node that is lost", () => {
  let world: SandboxWorld;
  let namespace: string;
  let project: Project;
  let port: (name: string) => number;

  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app", { replicas: 2 });
    project = await bringUp(world, namespace, {
      web: { target: "svc/app", port: "http", local: "auto" },
      echo: { target: "svc/app", port: 7000, local: "auto" },
    });
    port = await portsOf(project);
  });
  afterAll(async () => {
    await project[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test("new clients are led to a pod of another, long before the cluster has noticed", async () => {
    const { sandbox } = world;
    const { pod } = await project.forward("web");
    const echo = await dial(port("echo"));
    await expectEcho(echo);
    const ended = new Promise<string>((resolve) => echo.on("error", ({ message }) => resolve(message)));
    const lostMs = performance.now();
    sandbox.faults.upgrades = { hang: true, only: ({ name }) => name === pod };
    sandbox.cutUpgrades("silence");
    await ended;
    expect(await httpGet(port("web"))).toMatch(/^hello from app-/);
    expect(performance.now() - lostMs).toBeLessThan(DEAD_MS + BUSY_MS);
    for (const name of ["web", "echo"]) {
      await project.until(name, ({ state, pod: now }) => state === "ready" && now !== pod);
    }
    const pods = await world.podsOf(namespace, "app");
    expect(pods.map(({ ready }) => ready)).toEqual([true, true]);
  });

  test("one that answers with an error is left at once", async () => {
    const { sandbox } = world;
    const { pod } = await project.forward("web");
    const body = "error dialing backend: dial tcp 10.0.0.7:10250: connect: connection refused";
    sandbox.faults.upgrades = { status: 500, body, only: ({ name }) => name === pod };
    sandbox.cutUpgrades("reset");
    await project.until("web", ({ state, pod: now }) => state === "ready" && now !== pod);
    sandbox.faults.clear();
  });

  test("while all of them fail, or the API server does, nobody is led elsewhere", async () => {
    const { sandbox } = world;
    const { pod } = await project.forward("web");
    sandbox.stopApi();
    await project.until("web", ({ state }) => state === "waiting");
    await sandbox.startApi();
    const { pod: now } = await project.until("web", ({ state }) => state === "ready");
    expect(now).toBe(pod);
  });
});
