import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { projectOf } from "../behaviour/stage.ts";
import { within } from "../rig/client.ts";
import { untilItListens } from "../rig/signals.ts";

describe.concurrent("`--wait` of port, url and env", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
    await world.createService(namespace, "empty", {});
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const api = { target: "svc/app", port: "http", local: "auto" };
  const late = { target: "svc/empty", port: 80, local: "auto" };

  test("print once the forward is ready, also when `up` has not even started", async () => {
    const own = await world.newNamespace();
    await world.deploy(own, "app", { replicas: 0 });
    await using project = await projectOf(world, own, { api });
    const commands = [
      ["port", "api"],
      ["url", "api"],
      ["env", "--shell", "dotenv"],
    ];
    const waiting = commands.map((args) => project.start([...args, "--wait", "--timeout", "60s"]));
    await Promise.all(waiting.map(untilItListens));
    await project.ok("up", "-d");
    await world.scale(own, "app", 1);
    const [port, url, env] = await Promise.all(waiting.map(({ ended }) => ended));
    const local = await project.port("api");
    expect(port).toMatchObject({ status: 0, stdout: `127.0.0.1:${local}\n`, stderr: "" });
    expect(url).toMatchObject({ status: 0, stdout: `http://localhost:${local}\n` });
    expect(env?.stdout).toBe(`API_HOST=127.0.0.1\nAPI_PORT=${local}\nAPI_URL=http://localhost:${local}\n`);
  });

  test("say who is late and print nothing", async () => {
    await using project = await projectOf(world, namespace, { api, late: { ...late, required: false } });
    await project.ok("up", "-d");
    for (const command of ["port", "env"]) {
      const ended = await project.run(command, "late", "--wait", "--timeout", "200ms");
      expect(ended).toMatchObject({ status: 1, stdout: "" });
      expect(ended.stderr).toContain("error: 1 of 1 not ready after 0.2 s: late (");
    }
    expect((await project.run("env", "--wait")).status).toBe(0); // what is not required is not waited for
  });

  test("nothing runs: exit 3 at once", async () => {
    await using project = await projectOf(world, namespace, { api });
    expect(await within(project.run("url", "api", "--wait"))).toMatchObject({ status: 3, stdout: "" });
  });

  test("flags that make no sense together are refused", async () => {
    await using project = await projectOf(world, namespace, { api });
    expect(await project.run("port", "api", "--wait", "--static")).toMatchObject({
      status: 2,
      stderr: "error: --wait cannot go with --static\nhint: kfwd help port\n",
    });
    expect(await project.run("env", "--timeout", "5s")).toMatchObject({
      status: 2,
      stderr: "error: --timeout says how long --wait waits\nhint: add --wait\n",
    });
    expect((await project.run("wait", "--timeout", "soon")).status).toBe(2);
    expect((await project.run("wait", "--for", "lunch")).stderr).toBe(
      'error: option "--for <state>" cannot be "lunch": it must be ready or down\nhint: kfwd help wait\n',
    );
  });
});
