import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, projectOf } from "../behaviour/stage.ts";
import { within } from "../rig/client.ts";
import { freePort } from "../rig/freeport.ts";
import { untilItListens } from "../rig/signals.ts";

describe.concurrent("kfwd wait", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
    await world.createService(namespace, "empty", {});
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const api = { target: "svc/app", port: 80, local: "auto" };
  const late = { target: "svc/empty", port: 80, local: "auto" };

  test("ready: what runs and is required, and says so", async () => {
    await using project = await bringUp(world, namespace, { api, extra: { ...late, required: false } });
    expect(await project.run("wait")).toMatchObject({ status: 0, stdout: "", stderr: "kfwd: ready 1/2\n" });
    const json = await project.run("wait", "api", "--json");
    expect(JSON.parse(json.stdout)).toEqual({ schema: "kfwd.wait/1", for: "ready", ready: 1, total: 1 });
    const named = await project.run("wait", "extra", "--timeout", "200ms");
    expect(named.status).toBe(1); // named, it counts
  });

  test("ready: returns as soon as the pod is there", async () => {
    const own = await world.newNamespace();
    await world.deploy(own, "app", { replicas: 0 });
    await using project = await projectOf(world, own, { api });
    await project.ok("up", "-d");
    const waiting = project.start(["wait"]);
    await untilItListens(waiting);
    await world.scale(own, "app", 1);
    expect(await within(waiting.ended)).toMatchObject({ status: 0, stderr: "kfwd: ready 1/1\n" });
  });

  test("too late: exit 1, with who is late and why", async () => {
    await using project = await projectOf(world, namespace, { api, late });
    await project.ok("up", "-d");
    await project.until("late", ({ state }) => state === "waiting");
    const ended = await project.run("wait", "--timeout", "300ms");
    expect(ended).toMatchObject({ status: 1, stdout: "" });
    expect(ended.stderr).toMatch(
      /^error: 1 of 2 not ready after 0\.3 s: late \(NoPods\)\n {2}late: .+\nhint: kfwd logs late\n$/,
    );
    const { stderr } = await project.run("wait", "late", "--timeout", "300ms", "--json");
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: "KFWD_NOT_READY_IN_TIME" } });
  });

  test("a forward that only a person can mend is not waited for", async () => {
    const local = await freePort();
    const server = createServer().listen(local, "127.0.0.1");
    try {
      await using project = await projectOf(world, namespace, { api: { ...api, local } });
      await project.run("up", "-d");
      const ended = await within(project.run("wait", "--timeout", "10m"));
      expect(ended.status).toBe(1);
      expect(ended.stderr).toMatch(
        /^error: not ready, and not to be waited for: api \(PortBusy\)\n {2}api: /,
      );
    } finally {
      server.close();
    }
  });

  test("names: one that is not there is a mistake, one that was not started is late", async () => {
    await using project = await projectOf(world, namespace, { api, late });
    const early = await project.run("wait", "apii", "--timeout", "10m");
    expect(early).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('did you mean "api"') as string,
    });
    await project.ok("up", "--wait", "api");
    expect(await project.run("wait", "api")).toMatchObject({ status: 0 });
    const mistyped = await project.run("wait", "apii");
    expect(mistyped.stderr).toContain('error: no forward named "apii"');
    const ended = await project.run("wait", "late", "--timeout", "200ms");
    expect(ended).toMatchObject({
      status: 1,
      stderr: "error: 1 of 1 not ready after 0.2 s: late (not started)\nhint: kfwd up -d late\n",
    });
  });

  test("nothing runs: exit 3 at once, but with --timeout only when none has come by then", async () => {
    await using project = await projectOf(world, namespace, { api });
    expect(await within(project.run("wait"))).toMatchObject({
      status: 3,
      stderr: "error: nothing is running for project shop\nhint: kfwd up\n",
    });
    expect(await project.run("wait", "--timeout", "300ms")).toMatchObject({
      status: 3,
      stderr: "error: nothing is running for project shop\n  none came within 0.3 s\nhint: kfwd up\n",
    });
    const waiting = project.start(["wait", "api", "--timeout", "60s"]);
    await untilItListens(waiting);
    const up = project.start(["up"]);
    expect(await waiting.ended).toMatchObject({ status: 0, stderr: "kfwd: ready 1/1\n" });
    up.kill("SIGINT");
    await up.ended;
  });

  test("a supervisor that is killed while it is waited for: exit 3, and how it died", async () => {
    await using project = await projectOf(world, namespace, { late });
    await project.ok("up", "-d");
    const waiting = project.start(["wait"]);
    await untilItListens(waiting);
    const pid = project.supervisorPid;
    process.kill(pid, "SIGKILL");
    const ended = await within(waiting.ended);
    expect(ended.status).toBe(3);
    expect(ended.stderr).toContain(`its supervisor (pid ${pid}) was killed or crashed`);
  });

  test("a project that is stopped while it is waited for: exit 3", async () => {
    await using project = await projectOf(world, namespace, { late });
    await project.ok("up", "-d");
    const waiting = project.start(["wait"]);
    await untilItListens(waiting);
    await project.ok("down");
    const ended = await within(waiting.ended);
    expect(ended.status).toBe(3);
    expect(ended.stderr).toMatch(/was stopped while|is being stopped|nothing is running/);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s ends it with exit status %i", async (signal, status) => {
    await using project = await projectOf(world, namespace, { late });
    await project.ok("up", "-d");
    const waiting = project.start(["wait"]);
    await untilItListens(waiting);
    waiting.kill(signal);
    expect(await within(waiting.ended)).toMatchObject({ status, stderr: "" });
  });

  test("down: at once where nothing runs, else when it was stopped", async () => {
    await using project = await projectOf(world, namespace, { api, late });
    expect(await project.run("wait", "--for", "down")).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect((await project.run("wait", "--for", "down", "apii")).status).toBe(2);
    await project.ok("up", "-d");
    expect(await project.run("wait", "--for", "down", "--timeout", "200ms")).toMatchObject({
      status: 1,
      stderr: "error: still up after 0.2 s: api, late\nhint: kfwd down\n",
    });
    const [one, all] = [
      project.start(["wait", "--for", "down", "late"]),
      project.start(["wait", "--for=down"]),
    ];
    await untilItListens(one);
    await untilItListens(all);
    await project.ok("down", "late");
    expect(await within(one.ended)).toMatchObject({ status: 0, stderr: "" });
    await project.ok("down");
    expect(await within(all.ended)).toMatchObject({ status: 0, stderr: "" });
  });

  test("down: a supervisor that is killed is down, too", async () => {
    await using project = await projectOf(world, namespace, { api });
    await project.ok("up", "-d");
    const waiting = project.start(["wait", "--for", "down", "--json"]);
    await untilItListens(waiting);
    process.kill(project.supervisorPid, "SIGKILL");
    const ended = await within(waiting.ended);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(JSON.parse(ended.stdout)).toEqual({ schema: "kfwd.wait/1", for: "down" });
    expect((await project.run("wait", "--for", "down")).status).toBe(0);
  });
});
