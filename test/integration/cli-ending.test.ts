import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, projectOf } from "../behaviour/stage.ts";
import { idleControl } from "../puppets/idlecontrol.ts";
import { dial, expectEcho, within } from "../rig/client.ts";
import { freePort } from "../rig/freeport.ts";
import { ownerOf } from "../rig/owner.ts";
import type { Project, Running } from "../rig/project.ts";
import { KfwdError } from "../../src/errors.ts";

const PATIENCE = { timeout: 15_000 };

/** `up` that meets a supervisor on its way out: it starts its own, and never half joins the old one. */
describe.concurrent("`up` while the supervisor ends", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const echo = (local: number | "auto" = "auto") => ({ target: "svc/app", port: 7000, local });

  interface Draining extends AsyncDisposable {
    readonly project: Project;
    /** Goes on as long as nobody ends it. */
    readonly client: Socket;
    readonly down: Running;
    readonly oldPid: number;
  }

  /** A project whose `down` waits for a client. */
  async function draining(): Promise<Draining> {
    const port = await freePort();
    const project = await bringUp(world, namespace, { echo: echo(port) });
    const oldPid = project.supervisorPid;
    const client = await dial(port);
    await expectEcho(client);
    const down = project.start(["down", "-t", "30s"]);
    await vi.waitFor(
      () => expect(JSON.parse(readFileSync(project.lockPath, "utf8"))).toMatchObject({ state: "stopping" }),
      PATIENCE,
    );
    return { project, client, down, oldPid, [Symbol.asyncDispose]: () => project[Symbol.asyncDispose]() };
  }

  const WAITING =
    /^waiting for the supervisor that is being stopped \(pid \d+\): its connections may go on for \d+(\.\d)?s\n/m;

  test("`-d` waits for its end, cuts nobody off, and then starts another on the same port", async () => {
    await using stage = await draining();
    const { project, client, down, oldPid } = stage;
    const up = project.start(["up", "--wait"]);
    await up.says(WAITING);
    await expectEcho(client);
    client.destroy();
    expect(await within(down.ended)).toMatchObject({ status: 0 });
    const { status, stderr } = await within(up.ended);
    expect(status).toBe(0);
    expect(stderr).toMatch(/\nkfwd: ready 1\/1\n$/);
    expect(project.supervisorPid).not.toBe(oldPid);
    expect((await project.forward("echo")).state).toBe("ready");
  });

  test("in the foreground it does the same, and then keeps the forwards itself", async () => {
    await using stage = await draining();
    const { project, client, down } = stage;
    const up = project.start(["up"]);
    await up.says(WAITING);
    await expectEcho(client);
    client.destroy();
    await up.says(/kfwd: ready 1\/1\n/);
    expect(await within(down.ended)).toMatchObject({ status: 0 });
    expect(project.supervisorPid).toBe(up.child.pid);
    up.kill("SIGINT");
    expect(await within(up.ended)).toMatchObject({ status: 0 });
  });

  test("Ctrl-C ends the wait, and nothing is started", async () => {
    await using stage = await draining();
    const { project, client, down, oldPid } = stage;
    const up = project.start(["up", "-d"]);
    await up.says(WAITING);
    up.kill("SIGINT");
    expect(await within(up.ended)).toMatchObject({ status: 130 });
    await expectEcho(client);
    expect(project.supervisorPid).toBe(oldPid);
    client.destroy();
    await within(down.ended);
    expect((await project.run("status")).status).toBe(3);
  });

  test("that never comes to an end is given up, exit 3", async () => {
    await using project = await projectOf(world, namespace, { echo: echo() });
    await using owner = await ownerOf(project, { ...idleControl, drainLeftMs: 100 });
    const { pid } = owner.record;
    const { status, stderr } = await within(project.start(["up", "-d"]).ended);
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr:
        `waiting for the supervisor that is being stopped (pid ${pid}): its connections may go on for 0.1s\n` +
        `error: the supervisor of project "shop" (pid ${pid}) is being stopped, but does not end\n` +
        "hint: kfwd down --force\n",
    });
  });

  const stopping = new KfwdError("NOT_RUNNING", "the supervisor is being stopped");

  test.each([
    ["refuses the file", () => Promise.reject(stopping)],
    ["breaks off", () => new Promise<never>(() => {})],
  ])("that begins when `up` has joined it, and %s: another is started", async (_, answer) => {
    await using project = await projectOf(world, namespace, { echo: echo() });
    let asked = (): void => {};
    const joined = new Promise<void>((resolve) => (asked = resolve));
    const apply = (): Promise<never> => {
      asked();
      return answer();
    };
    const owner = await ownerOf(project, { ...idleControl, apply });
    const up = project.start(["up", "--wait"]);
    await within(joined);
    await owner[Symbol.asyncDispose]();
    expect(await within(up.ended)).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/kfwd: ready 1\/1\n$/) as string,
    });
    expect(project.supervisorPid).not.toBe(process.pid);
  });

  test("that is announced for ever and never comes is not tried for ever, exit 5", async () => {
    await using project = await projectOf(world, namespace, { echo: echo() });
    let asked = 0;
    const apply = (): Promise<never> => {
      asked++;
      return Promise.reject(stopping);
    };
    await using owner = await ownerOf(project, { ...idleControl, apply });
    const { status, stderr } = await within(project.start(["up", "-d"]).ended);
    expect(status).toBe(5);
    expect(stderr).toMatch(/^error: cannot get hold of project "shop": its supervisors keep ending\n/);
    expect(asked).toBe(10);
    expect(project.supervisorPid).toBe(owner.record.pid);
  });
});
