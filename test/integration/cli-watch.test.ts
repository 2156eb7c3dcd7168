import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, fileOf, portsOf, projectOf } from "../behaviour/stage.ts";
import { dial, expectEcho, within } from "../rig/client.ts";
import type { Project } from "../rig/project.ts";

const API = { target: "svc/app", port: 7000, local: "auto" };

/** Files that are read again, by `up --watch` and by a supervisor that gets SIGHUP. */
describe("files that change while the project runs", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** As editors do that keep the old file until the new one is whole. */
  async function replace(project: Project, text: string): Promise<void> {
    await project.write(text, ".forwards.yaml.new");
    await rename(join(project.folder, ".forwards.yaml.new"), join(project.folder, "forwards.yaml"));
  }

  test("--watch: right ones are made true, wrong ones shown and left", async () => {
    await using project = await projectOf(world, namespace, { api: API });
    const up = project.start(["up", "--watch"]);
    await up.says(/kfwd: ready 1\/1/);
    const client = await dial((await portsOf(project))("api"));
    await expectEcho(client);

    await replace(project, fileOf(namespace, { api: API, web: API }));
    await up.says(/^forwards.yaml was read again: started web; 1 forward unchanged$/m);
    await up.says(/kfwd: ready 2\/2/);

    await replace(project, `version: 1\nforwards:\n  api: { targt: svc/app }\n`);
    await up.says(/targt.*\n +forwards.yaml:3:10\n(.*\n)*the forwards stay as they were\n/);
    await rm(join(project.folder, "forwards.yaml"));
    await up.says(/no forwards.yaml in .*\n(.*\n)*the forwards stay as they were\n/);
    await expectEcho(client);

    await project.write(fileOf(namespace, { api: API }));
    await up.says(/^forwards.yaml was read again: removed web; 1 forward unchanged$/m);
    await project.write(
      "forwards: { more: { target: svc/app, port: '${PORT:-7000}', local: auto } }",
      "forwards.local.yaml",
    );
    await up.says(/read again: started more; 1 forward unchanged$/m);
    await project.write("PORT=7001\n", ".env");
    await up.says(/read again: replaced more; 1 forward unchanged$/m);
    await expectEcho(client);
    client.destroy();
    up.kill("SIGINT");
    expect((await within(up.ended)).status).toBe(0);
  });

  test("--watch: what a file may not do without being trusted, it may not once it is read again", async () => {
    await using project = await projectOf(world, namespace, { api: API });
    project.env["KFWD_TRUST"] = undefined;
    const up = project.start(["up", "--watch", "--trust"]);
    await up.says(/kfwd: ready 1\/1/);
    await project.write(fileOf(namespace, { api: { ...API, bind: "all" } }));
    await up.says(/error: "forwards.yaml" is not trusted(.*\n)*the forwards stay as they were\n/);
    expect((await project.forward("api")).bind).toEqual(["localhost"]);
    await project.ok("allow");
    await project.write(fileOf(namespace, { api: { ...API, bind: "all" }, web: API }));
    await vi.waitFor(() => expect(up.stderr.match(/is not trusted/g)).toHaveLength(2), { timeout: 15_000 });
    const text = fileOf(namespace, { api: API, db: API });
    await project.write(text.replace('"version"', '"protect": ["sandbox"], "version"'));
    await up.says(
      /error: context "sandbox" matches protect "sandbox"(.*\n)*the forwards stay as they were\n/,
    );
    expect((await project.status()).entries.map(({ name }) => name)).toEqual(["api"]);
  });

  test("KFWD_TRUST=1, too, was for the files as they were, on SIGHUP as with --watch", async () => {
    await using project = await bringUp(world, namespace, { api: API });
    const { supervisorPid } = project;
    const up = project.start(["up", "--watch"], { env: { KFWD_PROJECT: "watching" } });
    await up.says(/kfwd: ready 1\/1/);
    await project.write(fileOf(namespace, { api: { ...API, bind: "all" } }));
    await up.says(/error: "forwards.yaml" is not trusted(.*\n)*the forwards stay as they were\n/);
    process.kill(supervisorPid, "SIGHUP");
    const logs = project.start(["logs", "-f"]);
    await logs.says(/not read again .*is not trusted/);
    expect((await project.forward("api")).bind).toEqual(["localhost"]);
  });

  test("--watch: of the forwards that were named, what leaves the file is removed, and the rest still made true", async () => {
    await using project = await projectOf(world, namespace, { api: API, db: API, web: API });
    const up = project.start(["up", "api", "db*", "--watch"]);
    await up.says(/kfwd: ready 2\/2/);
    await project.write(fileOf(namespace, { api: { ...API, port: 7001 }, web: API }));
    await up.says(/^forwards.yaml was read again: replaced api; removed db$/m);
    await project.write(fileOf(namespace, { api: { ...API, port: 7001 }, "db-2": API, web: API }));
    await up.says(/^forwards.yaml was read again: started db-2; 1 forward unchanged$/m);
  });

  test("--watch is refused in the background and of standard input", async () => {
    await using project = await projectOf(world, namespace, { api: API });
    for (const args of [
      ["-d", "-w"],
      ["--wait", "-w"],
      ["-w", "-f", "-"],
    ]) {
      const run = project.start(["up", ...args], { stdin: fileOf(namespace, { api: API }) });
      const { status, stderr } = await within(run.ended);
      expect({ args, status }).toEqual({ args, status: 2 });
      expect(stderr).toMatch(/^error: --watch .*\nhint: /);
    }
  });

  test("SIGHUP: a supervisor in the background reads them as its `up` did, and keeps what a wrong one has not", async () => {
    await using project = await bringUp(world, namespace, { api: API });
    const client = await dial((await portsOf(project))("api"));
    await expectEcho(client);
    await project.write(fileOf(namespace, { api: API, web: API }));
    process.kill(project.supervisorPid, "SIGHUP");
    await vi.waitFor(async () => expect((await project.status()).entries).toHaveLength(2), {
      timeout: 15_000,
    });

    await project.write("forwards: { api: { targt: svc/app } }");
    process.kill(project.supervisorPid, "SIGHUP");
    const logs = project.start(["logs", "-f"]);
    await logs.says(/not read again .*unknown key .*targt/);
    expect((await project.status()).entries).toHaveLength(2);
    await expectEcho(client);
    client.destroy();
  });

  test("SIGHUP: of the forwards that were named, what has left the file is removed, and the rest made true", async () => {
    await using project = await projectOf(world, namespace, { api: API, db: API, web: API });
    await project.ok("up", "api", "db", "--wait");
    await project.write(fileOf(namespace, { api: { ...API, port: 7001 }, web: API }));
    process.kill(project.supervisorPid, "SIGHUP");
    const logs = project.start(["logs", "-f"]);
    await logs.says(/^db +\| \S+ removed: it is not in the file any more$/m);
    await logs.says(/(?<!not )read again/);
    const { entries } = await project.status();
    expect(entries.map(({ name, targetText }) => [name, targetText])).toEqual([["api", "svc/app:7001"]]);
  });

  test("SIGHUP: --keep-orphans and --no-recreate go on to hold, and no --ttl begins anew", async () => {
    await using project = await projectOf(world, namespace, { api: API, db: API, web: API });
    await project.ok("up", "--wait", "--keep-orphans", "--no-recreate", "--ttl", "1h");
    await project.ok("stop", "web");
    await project.write(fileOf(namespace, { api: { ...API, port: 7001 }, web: API, more: API }));
    process.kill(project.supervisorPid, "SIGHUP");
    const logs = project.start(["logs", "-f"]);
    await logs.says(/(?<!not )read again/);
    const { entries } = await project.status();
    const seen = new Map(entries.map((entry) => [entry.name, entry]));
    expect([...seen.keys()].sort()).toEqual(["api", "db", "more", "web"]);
    expect(seen.get("api")?.targetText).toBe("svc/app:7000");
    expect(seen.get("web")?.state).toBe("stopped");
    const end = (name: string): number => Date.parse(seen.get(name)?.endsAt ?? "");
    expect(end("more")).toBeGreaterThan(end("api"));
  });

  test("SIGHUP: the file that was found above is read again, whatever has come to lie nearer", async () => {
    await using project = await projectOf(world, namespace, { api: API });
    const below = join(project.folder, "below");
    await mkdir(below);
    await mkdir(join(project.root, "team"));
    await rename(join(project.folder, "forwards.yaml"), join(project.root, "team", "shop.yaml"));
    await symlink("../team/shop.yaml", join(project.folder, "forwards.yaml"));
    await project.write("X=1\n", "below/more.env");
    const start = project.start(["up", "--wait", "--dotenv", "more.env"], { cwd: below });
    expect((await within(start.ended)).status).toBe(0);
    const { supervisorPid } = project;
    await project.write(fileOf(namespace, { other: API }), "below/forwards.yaml");
    await project.write(fileOf(namespace, { api: API, web: API }));
    process.kill(supervisorPid, "SIGHUP");
    const logs = project.start(["logs", "-f"]);
    await logs.says(/(?<!not )read again/);
    expect((await project.status()).entries.map(({ name }) => name)).toEqual(["api", "web"]);
  });

  test("SIGHUP: nothing comes back once everything is being stopped", async () => {
    await using project = await bringUp(world, namespace, { api: API });
    const client = await dial((await portsOf(project))("api"));
    await expectEcho(client);
    const logs = project.start(["logs", "-f"]);
    const down = project.start(["down", "--timeout", "60s"]);
    await vi.waitFor(async () => expect((await project.forward("api")).state).toBe("stopping"), {
      timeout: 15_000,
    });
    process.kill(project.supervisorPid, "SIGHUP");
    await logs.says(/reading again/);
    await vi.waitFor(() => expect(project.processes().length).toBeGreaterThan(3), { timeout: 15_000 });
    client.destroy();
    expect((await within(down.ended)).status).toBe(0);
    logs.kill("SIGKILL");
    await vi.waitFor(() => expect(project.processes()).toEqual([]), { timeout: 15_000 });
  });
});
