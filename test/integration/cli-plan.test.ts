import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, fileOf, projectOf } from "../behaviour/stage.ts";
import { dial, expectEcho, closing, within } from "../rig/client.ts";
import { freePort } from "../rig/freeport.ts";
import type { Project } from "../rig/project.ts";
import { lackOfTerminals, onTerminal } from "../rig/terminal.ts";

/** What `up` is going to do with what runs, and how it is told to do something else. */
describe.concurrent("up and what runs already", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const echo = { target: "svc/app", port: 7000, local: "auto" };
  const other = { target: "svc/app", port: 7001, local: "auto" };
  const names = async (project: Project): Promise<string[]> =>
    (await project.status()).entries.map(({ name }) => name);

  test("--dry-run of what does not run yet: all would start, and nothing does", async () => {
    const local = await freePort();
    await using project = await projectOf(world, namespace, { web: { ...echo, local }, db: other });
    expect(await project.run("up", "--dry-run")).toMatchObject({
      status: 0,
      stdout: [
        `start    web  localhost:${local}  svc/app:7000`,
        `start    db   localhost:?      svc/app:7001\n`,
      ].join("\n"),
      stderr: "dry run: 2 forwards would change, 0 would not; nothing runs yet\n",
    });
    expect(await project.run("up", "-d", "--wait", "--dry-run", "--exit-code", "-q")).toMatchObject({
      status: 1,
      stdout: "",
      stderr: "",
    });
    expect((await project.run("status")).status).toBe(3);
    expect(project.processes()).toEqual([]);
  });

  test("--dry-run beside a supervisor: what it would do to each, and it does nothing", async () => {
    await using project = await bringUp(world, namespace, { same: echo, changed: echo, old: echo });
    expect(await project.run("up", "--dry-run", "--exit-code")).toMatchObject({ status: 0 });
    const ports = new Map((await project.status()).entries.map(({ name, localPort }) => [name, localPort]));
    await project.write(fileOf(namespace, { same: echo, changed: other, fresh: echo }));
    const plan = await project.run("up", "--dry-run", "--exit-code", "--json");
    expect(plan.status).toBe(1);
    expect(JSON.parse(plan.stdout)).toEqual({
      schema: "kfwd.plan/1",
      project: "shop",
      supervisor: "running",
      wouldChange: true,
      changes: [
        { entry: "old", action: "remove" },
        { entry: "same", action: "keep" },
        { entry: "changed", action: "replace" },
        { entry: "fresh", action: "start" },
      ],
    });
    const some = await project.run("up", "--dry-run", "same", "fresh");
    expect(some.stdout).toMatch(/^keep {5}same .*\nstart {4}fresh .*\n$/);
    const held = await project.run("up", "--dry-run", "--keep-orphans", "--no-recreate");
    expect(held.stdout).toMatch(/^keep {5}same .*\nkeep {5}changed .*\nstart {4}fresh .*\n$/);
    const anew = await project.run("up", "--dry-run", "--force-recreate");
    expect(anew.stdout).toMatch(
      /^remove {3}old\nreplace {2}same .*\nreplace {2}changed .*\nstart {4}fresh .*\n$/,
    );
    const after = (await project.status()).entries.map(({ name, localPort }) => [name, localPort] as const);
    expect(new Map(after)).toEqual(ports);
  });

  test("--dry-run of what `up` would refuse is refused", async () => {
    await using project = await projectOf(world, namespace, { echo });
    expect((await project.run("up", "--dry-run", "ecko")).status).toBe(2);
    await project.ok("up", "-d");
    expect((await project.run("up", "--dry-run", "-C", "nope")).status).toBe(4);
    await project.write("forwards: [");
    expect((await project.run("up", "--dry-run")).status).toBe(2);
  });

  test("--keep-orphans leaves up what is not in the file any more; without it, it goes", async () => {
    await using project = await bringUp(world, namespace, { old: echo, same: echo });
    await project.write(fileOf(namespace, { same: echo, fresh: echo }));
    await project.ok("up", "-d", "--keep-orphans");
    expect(await names(project)).toEqual(["same", "fresh", "old"]);
    expect((await project.run("status")).stderr).toContain(
      "not in the file any more, `kfwd up` stops it: old",
    );
    await project.ok("up", "-d");
    expect(await names(project)).toEqual(["same", "fresh"]);
  });

  test("--force-recreate replaces what is unchanged, --no-recreate nothing, not both", async () => {
    await using project = await bringUp(world, namespace, { echo });
    const client = await dial(await project.port("echo"));
    await expectEcho(client);
    await project.write(fileOf(namespace, { echo: other }));
    await project.ok("up", "-d", "--no-recreate");
    await expectEcho(client);
    expect((await project.run("status")).stderr).toContain("has changed since; `kfwd up` makes it so");
    await project.write(fileOf(namespace, { echo }));
    await project.ok("up", "-d");
    await expectEcho(client);
    const gone = closing(client);
    await project.ok("up", "-d", "--force-recreate");
    await within(gone);
    expect(await project.run("up", "--force-recreate", "--no-recreate")).toMatchObject({
      status: 2,
      stderr: "error: --force-recreate cannot go with --no-recreate\nhint: kfwd help up\n",
    });
    expect(await project.run("up", "--exit-code")).toMatchObject({ status: 2 });
  });

  describe("--fail-fast", () => {
    async function occupied(): Promise<{ readonly port: number } & AsyncDisposable> {
      const port = await freePort();
      const server = createServer().listen(port, "127.0.0.1");
      return { port, [Symbol.asyncDispose]: async () => void server.close() };
    }

    test.each([
      ["in the foreground", []],
      ["with --wait", ["--wait"]],
      ["with -d", ["-d"]],
    ] as const)("%s: the first failure stops all, exit 1", async (_, flags) => {
      await using taken = await occupied();
      await using project = await projectOf(world, namespace, { echo, db: { ...echo, local: taken.port } });
      const ended = await within(project.run("up", "--fail-fast", ...flags));
      expect(ended.status).toBe(1);
      expect(ended.stderr).toMatch(/^error: forward "db" failed, so all are stopped: .* in use/m);
      expect(ended.stderr).not.toMatch(/from elsewhere|kfwd: /);
      expect((await project.run("status")).status).toBe(3);
    });

    test("what is not required may fail, and a signal ends it as ever", async () => {
      await using taken = await occupied();
      const extra = { ...echo, local: taken.port, required: false };
      await using project = await projectOf(world, namespace, { echo, extra });
      const up = project.start(["up", "--fail-fast"]);
      await up.says(/kfwd: ready 1\/2/);
      up.kill("SIGINT");
      expect(await within(up.ended)).toMatchObject({ status: 0 });
    });

    test("of named ones beside others only these are stopped", async () => {
      await using taken = await occupied();
      const forwards = { echo, db: { ...echo, local: taken.port }, api: other };
      await using project = await projectOf(world, namespace, forwards);
      await project.ok("up", "--wait", "echo");
      const ended = await within(project.run("up", "--fail-fast", "db", "api"));
      expect(ended.status).toBe(1);
      expect(await names(project)).toEqual(["echo"]);
    });
  });

  test.skipIf(lackOfTerminals() !== "")(
    `on a terminal what is unchanged is named${lackOfTerminals()}`,
    async () => {
      await using project = await bringUp(world, namespace, { echo, db: other });
      await project.write(fileOf(namespace, { echo, db: echo }));
      const up = onTerminal(project, "up -d");
      const { status, stdout } = await within(up.ended);
      expect(status).toBe(0);
      expect(stdout).toContain("unchanged: echo\r\n");
      expect((await project.ok("up", "-d")).stderr).not.toContain("unchanged");
    },
  );
});
