import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { projectOf } from "../behaviour/stage.ts";
import { freePort } from "../rig/freeport.ts";
import { within } from "../rig/client.ts";

describe.concurrent("stop, start and restart", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const api = { target: "svc/app", port: 80, local: "auto" };

  test("tell what does not run, what was never started, and what is unknown", async () => {
    await using project = await projectOf(world, namespace, { api, later: api });
    for (const command of ["stop", "start", "restart"]) {
      const { status, stderr } = await project.run(command, "api");
      expect({ status, stderr }).toEqual({
        status: 3,
        stderr: "error: nothing is running for project shop\nhint: kfwd up\n",
      });
    }
    await project.ok("up", "-d", "--wait", "api");
    for (const command of ["stop", "start", "restart"]) {
      const idle = await project.run(command, "api", "later");
      expect([command, idle.status, idle.stderr]).toEqual([
        command,
        3,
        'error: forward "later" has not been started\nhint: kfwd up later\n',
      ]);
      const unknown = await project.run(command, "apii");
      expect([command, unknown.status, unknown.stderr]).toEqual([
        command,
        2,
        'error: no forward named "apii"\nhint: did you mean "api"? known: api, later\n',
      ]);
    }
    expect((await project.forward("api")).state).toBe("ready");
    expect((await project.ok("down", "later")).stderr).toBe("not running: later\nnothing to stop\n");
    expect(await project.run("down", "x*")).toMatchObject({ status: 2 });
  });

  test("leave nothing that `port` and `env` could name, until it is started", async () => {
    await using project = await projectOf(world, namespace, {
      api: { ...api, local: await freePort() },
      auto: api,
    });
    await project.ok("up", "-d", "--wait");
    await project.ok("stop");
    for (const [command, name] of [
      ["port", "api"],
      ["port", "auto"],
      ["env", "auto"],
    ] as const) {
      const { status, stdout, stderr } = await project.run(command, name);
      expect([status, stdout, stderr]).toEqual([
        3,
        "",
        `error: forward "${name}" is stopped\nhint: kfwd start ${name}\n`,
      ]);
    }
    await project.ok("start");
    await project.ok("port", "api");
  });

  test("of a port that another has taken meanwhile: exit 5, and status says so", async () => {
    const port = await freePort();
    await using project = await projectOf(world, namespace, { api: { ...api, local: port } });
    await project.ok("up", "-d", "--wait");
    await project.ok("stop");
    await using other = await projectOf(world, namespace, { api: { ...api, local: port } });
    await other.ok("up", "-d", "--wait");
    const { status, stderr } = await project.run("start", "api");
    expect(status).toBe(5);
    expect(stderr).toMatch(/ api failed .*reason=PortBusy/);
    await other.ok("stop");
    await project.ok("restart", "api");
    await project.until("api", ({ state }) => state === "ready");
  });

  test("are told by a foreground `up`, whose last line counts what is not stopped", async () => {
    await using project = await projectOf(world, namespace, { api, db: api });
    const up = project.start(["up"]);
    await up.says(/^kfwd: ready 2\/2$/m);
    await project.ok("stop", "db");
    await up.says(/Z db stopped /);
    await up.says(/^kfwd: ready 1\/1$/m);
    await project.ok("start", "db");
    await up.says(/^kfwd: ready 1\/1\n(.*\n)*.* db ready .*\n(.*\n)*kfwd: ready 2\/2$/m);
    await project.ok("stop", "db");
    up.kill("SIGINT");
    const { status, stderr } = await within(up.ended);
    expect([status, stderr.trimEnd().split("\n").at(-1)]).toEqual([0, "1 forward stopped"]);
  });

  test("are seen by `status --watch`, which first says what the file declares beside", async () => {
    await using project = await projectOf(world, namespace, { api, db: api, later: api });
    await project.ok("up", "-d", "--wait", "api", "db");
    const lines = project.start(["status", "--watch", "d*"]);
    const json = project.start(["status", "--watch", "--json"]);
    await lines.says(/ db ready /);
    await json.says(/"type":"file","configChanged":false,"notStarted":\["later"\],"undeclared":\[\]/);
    await project.ok("stop");
    await lines.says(/ db stopped /);
    expect(lines.stdout).not.toContain("api");
    await project.ok("start", "db");
    await lines.says(/ db stopped [^]* db ready /);
    await project.ok("down");
    await Promise.all([within(lines.ended), within(json.ended)]);
  });
});
