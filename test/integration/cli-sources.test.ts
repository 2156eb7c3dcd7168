import { mkdir, rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, fileOf } from "../behaviour/stage.ts";
import { ask } from "../rig/client.ts";
import { Project } from "../rig/project.ts";

/** Where a command takes its forwards from, and what it makes of those that are not possible yet. */
describe.concurrent("the source of forwards", () => {
  let world: SandboxWorld;
  let namespace: string;
  let file: string;
  const echo = { target: "svc/app", port: 7000, local: "auto" };
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
    file = fileOf(namespace, { echo });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** A project without a file. */
  const empty = (): Promise<Project> => Project.create({ kubeconfig: world.kubeconfig("admin") });

  test("standard input with `-f -`, for every command of that folder", async () => {
    await using project = await empty();
    const up = await project.start(["up", "--wait", "-f", "-"], { stdin: file }).ended;
    expect(up).toMatchObject({ status: 0, stdout: "" });
    const { stdout } = await project.ok("status", "--json", "-f", "-");
    const report = JSON.parse(stdout) as { config: object; entries: { name: string; localPort: number }[] };
    expect(report).toMatchObject({ project: "shop", configChanged: false, config: { path: null } });
    expect(await ask(report.entries[0]?.localPort ?? 0)).toBe("ping\n");
    expect((await project.ok("down", "-f", "-")).stderr).toContain("1 forward stopped");
  });

  test("KFWD_FILE, which -f overrules", async () => {
    await using project = await empty();
    await project.write(file, "by-env.yaml");
    await project.write(fileOf(namespace, { other: echo }), "by-flag.yaml");
    const env = { KFWD_FILE: "by-env.yaml" };
    expect((await project.start(["up", "--wait"], { env }).ended).status).toBe(0);
    const { stdout } = await project.start(["status"], { env }).ended;
    expect(stdout).toMatch(/^echo /m);
    const overruled = await project.start(["status", "-f", "by-flag.yaml"], { env }).ended;
    expect(overruled).toMatchObject({ status: 3, stdout: "" });
    expect((await project.start(["down"], { env }).ended).status).toBe(0);
  });

  test.each(["forwards.yml", "kfwd.yaml", "kfwd.yml"])("%s, found from a folder below", async (name) => {
    await using project = await empty();
    await project.write(file, name);
    const below = join(project.folder, "services", "api");
    await mkdir(below, { recursive: true });
    expect((await project.start(["up", "--wait"], { cwd: below }).ended).status).toBe(0);
    expect((await project.forward("echo")).state).toBe("ready"); // seen from its own folder
    const path = join(project.folder, name);
    expect((await project.status()).config.path).toBe(path);
  });

  test("the nearest file, and of several in a folder the first by its name", async () => {
    await using project = await empty();
    await project.write("not: read", "kfwd.yaml");
    await project.write("not: read", "../forwards.yaml");
    await project.write(file);
    await project.ok("up", "--wait");
    expect((await project.status()).config.path).toBe(join(project.folder, "forwards.yaml"));
  });

  test("a folder by another path is the same project", async () => {
    await using project = await bringUp(world, namespace, { echo });
    const link = join(project.root, "link");
    await symlink(project.folder, link);
    const up = await project.start(["up", "-d"], { cwd: link }).ended;
    expect(up.status).toBe(0);
    expect(project.processes()).toEqual([project.supervisorPid]);
  });

  test("a folder that was moved is another project, and the old one is ended by its name", async () => {
    await using project = await bringUp(world, namespace, { echo });
    const moved = join(project.root, "moved");
    await rename(project.folder, moved);
    expect((await project.start(["status"], { cwd: moved }).ended).status).toBe(3);
    expect((await project.start(["status", "-p", "shop"], { cwd: moved }).ended).status).toBe(0);
    const down = await project.start(["down", "-p", "shop"], { cwd: moved }).ended;
    expect(down).toMatchObject({ status: 0, stderr: expect.stringContaining("1 forward stopped") as string });
    await rename(moved, project.folder);
  });

  test("-f given twice: the second changes what the first says", async () => {
    await using project = await empty();
    await project.write(file, "a.yaml");
    await project.write("forwards: { echo: { description: changed } }", "b.yaml");
    await project.ok("up", "--wait", "-f", "a.yaml", "-f", "b.yaml");
    const { stdout } = await project.run("status", "--json", "-f", "a.yaml");
    expect(JSON.parse(stdout)).toMatchObject({ entries: [{ name: "echo", description: "changed" }] });
    expect((await project.run("down", "-f", "a.yaml")).status).toBe(0);
  });
});
