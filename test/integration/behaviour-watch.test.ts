import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { dial, expectEcho, httpGet } from "../rig/client.ts";
import { Project } from "../rig/project.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, fileOf, type Forwards } from "../behaviour/stage.ts";

/** What only a sandbox can do to a watch on purpose, and count. */
describe("watches", () => {
  let world: SandboxWorld;
  let namespace: string;
  let project: Project;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "kfwd-users-"));
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
    project = await bringUp(world, namespace, {
      web: { target: "svc/app", port: "http", local: "auto" },
      echo: { target: "svc/app", port: 7000, local: "auto" },
    });
  });
  afterAll(async () => {
    await project[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  test("forwards share them: one of pods and one of Services, however many there are", () => {
    const { requests, open } = world.sandbox;
    expect(open.watches).toBe(2);
    for (const resource of ["pods", "services"]) expect(requests.count({ verb: "list", resource })).toBe(1);
  });

  test.each([
    ["are told that their version is too old", () => world.sandbox.compact({ tellWatches: true }), 1],
    [
      "are cut, and their version is too old by the time they come back (told by an event)",
      () => {
        world.sandbox.compact();
        world.sandbox.dropWatches("reset");
      },
      1,
    ],
    [
      "are cut, and their version is too old by the time they come back (told by the status)",
      () => {
        world.sandbox.faults.expiredWatch = "status";
        world.sandbox.compact();
        world.sandbox.dropWatches("reset");
      },
      1,
    ],
    ["end in order", () => world.sandbox.dropWatches("end"), 0],
    ["are cut in the middle of a line", () => world.sandbox.dropWatches("half line"), 0],
  ])("watches that %s: nothing is done twice, and the next change is seen", async (_, harm, lists) => {
    const { sandbox } = world;
    await project.until("web", ({ state }) => state === "ready");
    const before = await project.status();
    const pod = before.entries[0]?.pod ?? "";
    const client = await dial(await project.port("echo"));
    await expectEcho(client);
    sandbox.requests.clear();

    harm();
    const isBack = (): boolean =>
      sandbox.open.watches === 2 && sandbox.requests.count({ verb: "watch" }) >= 2;
    await sandbox.until(isBack);
    await vi.waitFor(() => {
      for (const resource of ["pods", "services"]) {
        expect(sandbox.requests.count({ verb: "list", resource })).toBe(lists);
      }
    });
    await expectEcho(client);
    client.destroy();
    const after = await project.status();
    expect(after.entries.map(({ state, since }) => [state, since])).toEqual(
      before.entries.map(({ state, since }) => [state, since]),
    );

    await world.deletePod(namespace, pod);
    await project.until("web", ({ state, pod: now }) => state === "ready" && now !== pod);
    expect(await httpGet(await project.port("web"))).not.toContain(pod);
  });

  describe("that are refused", () => {
    const FORWARD = { verbs: ["create"], resources: ["pods/portforward"] };

    async function projectAs(user: string, forwards: Forwards): Promise<Project> {
      const { sandbox } = world;
      const kubeconfig = join(folder, user);
      await sandbox.writeKubeconfig(kubeconfig, user);
      return Project.create({ kubeconfig, file: fileOf(namespace, forwards) });
    }

    test("to a user who may list: forwards work, and what changes is found when it matters", async () => {
      const { sandbox } = world;
      sandbox.setUser("lister", [{ verbs: ["get", "list"], resources: ["*"] }, FORWARD]);
      await using mine = await projectAs("lister", {
        web: { target: "svc/app", port: "http", local: "auto" },
      });
      await mine.ok("up", "--wait");
      const { pod } = await mine.forward("web");
      sandbox.requests.clear();
      await world.deletePod(namespace, pod ?? "", { force: true });
      expect(await httpGet(await mine.port("web"))).toMatch(/^hello from app-/); // held until it is found
      await mine.until("web", ({ state, pod: now }) => state === "ready" && now !== pod, 20_000);
      expect(sandbox.requests.count({ user: "lister", verb: "list" })).toBeLessThan(20);
    });

    test("to a user who may but read the pod that is named: its forward works", async () => {
      const { sandbox } = world;
      sandbox.setUser("reader", [{ verbs: ["get"], resources: ["pods"] }, FORWARD]);
      await world.createPod(namespace, "lonely");
      await using mine = await projectAs("reader", {
        named: { target: "pod/lonely", port: "http", local: "auto" },
        absent: { target: "pod/absent", port: "http", local: "auto", required: false },
        chosen: { target: "svc/app", port: "http", local: "auto", required: false },
      });
      await mine.ok("up", "--wait");
      expect(await httpGet(await mine.port("named"))).toMatch(/^hello from lonely/);
      const { reason: why } = await mine.forward("absent");
      expect(why).toMatchObject({
        code: "PodMissing",
        hint: "check the name: you may not list and watch the pods there",
      });
      const { reason } = await mine.forward("chosen");
      expect(reason?.message).toMatch(/^user "reader" may not list (pods|services) in namespace /);
    });
  });

  test("a forward that waits for pods asks nothing of the API server", async () => {
    await world.scale(namespace, "app", 0);
    await project.until("web", ({ reason }) => reason?.code === "NoPods");
    await project.until("echo", ({ reason }) => reason?.code === "NoPods");
    world.sandbox.requests.clear();
    for (let look = 0; look < 10; look++) await project.status(); // a second or so
    expect(world.sandbox.requests.all).toEqual([]);
    await world.scale(namespace, "app", 1);
    await project.until("web", ({ state }) => state === "ready");
  });
});
