import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { fileOf, projectOf } from "../behaviour/stage.ts";
import { httpGet } from "../rig/client.ts";
import { within } from "../rig/client.ts";

describe.concurrent("status", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const api = { target: "svc/app", port: 80, local: "auto" };
  const late = { target: "svc/none", port: 80, local: "auto" };

  test("has all that is known with -o wide, and chooses by state and name", async () => {
    await using project = await projectOf(world, namespace, { api, late });
    await project.ok("up", "-d", "--wait", "api");
    await project.ok("up", "-d");
    await httpGet(await project.port("api"));
    await project.until("api", ({ traffic }) => traffic.served === 1);
    await project.until("late", ({ state }) => state === "waiting");
    const wide = await project.run("status", "-o", "wide");
    const [head = "", first = "", second = ""] = wide.stdout.split("\n");
    expect(head).toMatch(
      /^NAME +LOCAL +TARGET +STATUS +UP +CONNS +POD +CONTEXT +NAMESPACE +IN +OUT +SERVED +WAITED +REFUSED +RESTARTS +NEXT TRY +LAST ERROR$/,
    );
    expect(first).toMatch(/^api .* ready .* app-\S+:8080 .* \d+ B +\d+ B +1 +0 +0 +0 +- +-$/);
    expect(second).toMatch(/^late .* waiting \(ServiceMissing\) /);
    expect(wide.status).toBe(1);

    expect(await project.run("status", "--names")).toMatchObject({ stdout: "api\nlate\n", status: 1 });
    expect(await project.run("ps", "--names", "--status", "waiting")).toMatchObject({ stdout: "late\n" });
    const both = await project.run("ps", "--status", "ready", "--status", "failed", "-o", "json");
    const { entries } = JSON.parse(both.stdout) as { entries: { name: string }[] };
    expect(entries.map(({ name }) => name)).toEqual(["api"]);
    expect(await project.run("status", "-q", "api")).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect(await project.run("status", "-q")).toMatchObject({ status: 1, stdout: "", stderr: "" });
  });

  test("shows what was not started, and what is not in the file any more", async () => {
    await using project = await projectOf(world, namespace, { api, late });
    await project.ok("up", "-d", "--wait", "api");
    const partly = await project.run("status");
    expect(partly).toMatchObject({ status: 0, stderr: "" });
    expect(partly.stdout).toMatch(/^late +localhost:\? +svc\/none:80 +not started +- +-$/m);
    expect(await project.run("status", "late")).toMatchObject({ status: 1 });
    const json = JSON.parse((await project.ok("status", "--json")).stdout) as object;
    expect(json).toMatchObject({ notStarted: ["late"], undeclared: [], configChanged: false });

    await project.write(fileOf(namespace, { late }));
    const orphaned = await project.run("status");
    expect(orphaned.stderr).toMatch(
      /has changed since; .*\nnot in the file any more, `kfwd up` stops it: api\n$/,
    );
    const after = JSON.parse((await project.ok("status", "--json")).stdout) as object;
    expect(after).toMatchObject({ notStarted: ["late"], undeclared: ["api"], configChanged: true });

    await project.write("forwards: [\n");
    const broken = await project.run("status");
    expect(broken).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/^\S+ has changed since; .*\n$/) as string,
    });
    expect(broken.stdout).toMatch(/^api .* ready /m);
  });

  test("knows of a change in an included file", async () => {
    await using project = await projectOf(world, namespace, { late });
    await project.write(fileOf(namespace, { api }), "more.yaml");
    await project.write(fileOf(namespace, { late }).replace("{", '{ "include": ["more.yaml"],'));
    const isChanged = async () =>
      (JSON.parse((await project.ok("status", "--json")).stdout) as { configChanged: boolean }).configChanged;
    await project.ok("up", "-d", "--wait", "api");
    expect(await isChanged()).toBe(false);
    await project.write(fileOf(namespace, { api: { ...api, description: "changed" } }), "more.yaml");
    expect(await isChanged()).toBe(true);
  });

  test("and the log's commands end with a status that says what runs", async () => {
    await using project = await projectOf(world, namespace, { api, late });
    const rows = [
      ["status", 3, 1, 3, 3],
      ["status api", 3, 0, 3, 3],
      ["status -q late", 3, 1, 3, 3],
      ["status --names nobody", 3, 2, 3, 3],
      ["status --watch nobody", 3, 2, 3, 3],
      ["logs -n 1", 3, 0, 0, 0],
      ["logs nobody", 3, 2, 2, 2],
      ["events --since 1h", 3, undefined, 0, 0],
      ["events", 3, undefined, 3, 3],
      ["events nobody", 3, 2, 2, 2],
    ] as const;
    const exits = async (column: 1 | 2 | 3 | 4): Promise<void> => {
      const asked = rows.filter((row) => row[column] !== undefined);
      const found: (readonly [string, number | null])[] = [];
      for (const [line] of asked) found.push([line, (await project.run(...line.split(" "))).status]);
      expect(found).toEqual(asked.map((row) => [row[0], row[column]]));
    };
    await exits(1); // nothing has run yet
    await project.ok("up", "-d", "--wait", "api");
    await project.ok("up", "-d");
    await exits(2);
    process.kill(project.supervisorPid, "SIGKILL");
    while (project.processes().length > 0) await new Promise((resolve) => setImmediate(resolve));
    await exits(3);
    await project.ok("down");
    await exits(4);
  });

  test("watched, it tells each change in a line until the supervisor ends", async () => {
    await using project = await projectOf(world, namespace, { api, late });
    await project.ok("up", "-d", "--wait", "api");
    const lines = project.start(["status", "--watch"]);
    const json = project.start(["status", "--watch", "--json", "late"]);
    await lines.says(/^\S+Z api ready local=\S+ target=svc\/app:80 pod=\S+ ms=\d+$/m);
    const missing = await project.run("status", "--watch", "nobody");
    expect(missing).toMatchObject({ status: 2, stdout: "" });
    await project.ok("up", "-d");
    await lines.says(/^\S+Z late waiting .* reason=ServiceMissing/m);
    await json.says(/"state":"waiting"/);
    await project.ok("down");
    expect(await within(lines.ended)).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("has ended") as string,
    });
    const { status, stdout } = await within(json.ended);
    expect(status).toBe(3);
    const told = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { schema: string; type: string; status?: { name: string } });
    expect(new Set(told.map(({ schema }) => schema))).toEqual(new Set(["kfwd.watch/1"]));
    expect(new Set(told.map(({ status: of }) => of?.name))).toEqual(new Set(["late", undefined]));
    expect(told.filter(({ type }) => type === "ended").length).toBe(1);
  });

  test("watched, it tells once what a stage waits for that takes long", async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => void sockets.add(socket.on("error", () => {}))).listen(
      0,
      "127.0.0.1",
    );
    await once(silent, "listening");
    try {
      const far = { ...api, kubeconfig: "far.kubeconfig" };
      await using project = await projectOf(world, namespace, { api, far });
      await project.write(
        JSON.stringify({
          "current-context": "far",
          contexts: [{ name: "far", context: { cluster: "far", user: "far" } }],
          clusters: [
            {
              name: "far",
              cluster: { server: `https://127.0.0.1:${(silent.address() as AddressInfo).port}` },
            },
          ],
          users: [{ name: "far", user: {} }],
        }),
        "far.kubeconfig",
      );
      await project.ok("up", "-d", "--wait", "api");
      const lines = project.start(["status", "--watch"]);
      await lines.says(/api ready/);
      await project.ok("up", "-d");
      await lines.says(/^\S+Z far resolving (?!.*reason=)/m);
      await lines.says(/^\S+Z far resolving .* reason=NoAnswerYet message="no answer yet from /m);
      await project.ok("down");
      const { stdout } = await within(lines.ended);
      expect(stdout.match(/ far resolving .* reason=NoAnswerYet/g)).toHaveLength(1);
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });

  test("watched, it ends with 130 on Ctrl-C, and says so when the supervisor is killed", async () => {
    await using project = await projectOf(world, namespace, { api });
    await project.ok("up", "-d", "--wait");
    const first = project.start(["status", "--watch"]);
    await first.says(/api ready/);
    first.kill("SIGINT");
    expect(await within(first.ended)).toMatchObject({ status: 130, stderr: "" });
    const second = project.start(["status", "--watch"]);
    await second.says(/api ready/);
    process.kill(project.supervisorPid, "SIGKILL");
    expect(await within(second.ended)).toMatchObject({ status: 3 });
  });
});
