import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, fileOf, portsOf, projectOf } from "../behaviour/stage.ts";
import { dial, expectEcho, within } from "../rig/client.ts";
import type { Project, Running } from "../rig/project.ts";

const FORWARDS = {
  api: { target: "svc/app", port: 7000, local: "auto" },
  web: { target: "svc/app", port: 7001, local: "auto" },
};

const STOPPED = "the forwards were stopped from elsewhere";

/** What `up` in the foreground tells of what others do to its forwards. */
describe.concurrent("`up` in the foreground", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** Keeps the forwards itself, or follows a supervisor that ran before. */
  const manners = ["keeps them", "follows"] as const;

  async function projectFor(manner: (typeof manners)[number]): Promise<Project> {
    return manner === "follows" ? bringUp(world, namespace, FORWARDS) : projectOf(world, namespace, FORWARDS);
  }

  async function upAndReady(project: Project, ...args: string[]): Promise<Running> {
    const up = project.start(["up", ...args]);
    await up.says(/(kfwd: ready \d\/\d\n|"summary")/);
    return up;
  }

  /** What is said after the first line of the whole, without times and addresses. */
  function laterLines(stderr: string): readonly string[] {
    const lines = stderr.trimEnd().split("\n");
    const start = lines.findIndex((line) => line.startsWith("kfwd: "));
    return lines.slice(start + 1).map((line) => line.replace(/^\S+Z /, "").replace(/ local=.*/, ""));
  }

  describe.each(manners)("that %s", (manner) => {
    test("ends with a line that says so when all are stopped from elsewhere, exit 0", async () => {
      await using project = await projectFor(manner);
      const up = await upAndReady(project);
      const client = await dial((await portsOf(project))("api"));
      await expectEcho(client);
      const down = project.start(["down", "-t", "30s"]);
      // One forward has gone by now, the other waits for its client.
      await vi.waitFor(async () => expect((await project.forward("web")).state).toBe("stopped"), {
        timeout: 15_000,
      });
      expect((await project.forward("api")).state).toBe("stopping");
      client.destroy();
      expect(await within(down.ended)).toMatchObject({ status: 0 });
      const { status, stderr } = await within(up.ended);
      expect({ status, said: laterLines(stderr) }).toEqual({ status: 0, said: [STOPPED] });
    });

    test("has a line for a forward that is stopped from elsewhere, and counts what is left", async () => {
      await using project = await projectFor(manner);
      const up = await upAndReady(project);
      await project.ok("down", "web");
      await up.says(/kfwd: ready 1\/1\n/);
      await project.ok("up", "-d");
      await up.says(/kfwd: ready 2\/2\n(.*\n)*.* web ready.*\n(.*\n)*kfwd: ready 2\/2\n/);
      await project.ok("down");
      const { status, stderr } = await within(up.ended);
      expect(status).toBe(0);
      expect(laterLines(stderr)).toEqual([
        "web stopped",
        "kfwd: ready 1/1",
        "kfwd: degraded 1/2",
        "web ready",
        "kfwd: ready 2/2",
        STOPPED,
      ]);
    });

    test("--json: a document for a forward that is stopped, and one for the end", async () => {
      await using project = await projectFor(manner);
      const up = await upAndReady(project, "--json");
      await project.ok("down", "web");
      await up.says(/"web","state":"stopped"/);
      await project.ok("down");
      const { status, stdout, stderr } = await within(up.ended);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      const documents = stdout.trimEnd().split("\n");
      const last = documents.slice(-3).map((line) => JSON.parse(line) as object);
      expect(last).toMatchObject([
        { type: "entry", entry: "web", state: "stopped", reason: null, pod: null },
        { type: "summary", ready: 1, total: 1 },
        { schema: "kfwd.up/1", type: "stopped" },
      ]);
    });
  });

  test("of some forwards speaks of them alone, whatever else comes and goes", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    const up = await upAndReady(project, "web");
    await project.ok("up", "--wait");
    await project.ok("down", "api");
    await project.ok("down", "web"); // the last one: nothing is left to keep
    const { status, stderr } = await within(up.ended);
    expect(status).toBe(0);
    expect(stderr).not.toContain("api");
    expect(stderr).toMatch(/^\S+ web ready .*\nkfwd: ready 1\/1\n/);
    expect(laterLines(stderr)).toEqual(["web stopped", STOPPED]);
  });

  test("of all forwards speaks of those that a later file adds, too", async () => {
    await using project = await projectOf(world, namespace, FORWARDS);
    const up = await upAndReady(project);
    await project.write(fileOf(namespace, { ...FORWARDS, more: FORWARDS.api }));
    await project.ok("up", "-d");
    await up.says(/ more ready (.*\n)*kfwd: ready 3\/3\n/);
    up.kill("SIGINT");
    expect((await within(up.ended)).stderr).toMatch(/\n3 forwards stopped\n$/);
  });

  test("that is told to start some while others run says nothing of these", async () => {
    await using project = await bringUp(world, namespace, FORWARDS);
    await project.ok("down", "web");
    const { stderr } = await project.ok("up", "--wait", "web");
    expect(stderr).toMatch(/^\S+ web ready [^\n]*\nkfwd: ready 1\/1\n$/);
    const up = await upAndReady(project, "web");
    up.kill("SIGINT");
    const ended = await within(up.ended);
    expect(ended.stderr).not.toContain("api");
    expect(ended.stderr).toMatch(/\nkfwd: ready 1\/1\ndetached: [^\n]*\n$/);
    const json = await project.ok("up", "-d", "--json", "web");
    const entries = json.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { entry?: string });
    expect(entries.flatMap(({ entry }) => entry ?? [])).toEqual(["web"]);
    expect(entries.at(-1)).toMatchObject({ type: "summary", ready: 1, total: 1 });
  });
});
