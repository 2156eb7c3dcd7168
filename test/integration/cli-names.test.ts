import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { Project } from "../rig/project.ts";

/** What a project is called: the name given with -p, else that of the file, else that of its folder. */
describe.concurrent("the name of a project", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** In a folder that is called `shop`. */
  function projectNamed(name: string | undefined): Promise<Project> {
    const forwards = { api: { target: "svc/app", port: 7000, local: "auto" } };
    const file = JSON.stringify({ ...(name === undefined ? {} : { name }), namespace, forwards });
    return Project.create({ kubeconfig: world.kubeconfig("admin"), file });
  }

  /** What every command calls it that has something to say of it. */
  async function callsOf(project: Project, ...args: string[]) {
    const status = await project.run("status", ...args);
    const json = await project.run("status", "--json", ...args);
    const down = await project.run("down", ...args);
    return {
      status: status.stderr,
      json: (JSON.parse(json.stderr) as Failure).error.message,
      down: down.stderr,
    };
  }

  function nothingRuns(name: string, hint = "kfwd up") {
    const said = `nothing is running for project ${name}`;
    return { status: `error: ${said}\nhint: ${hint}\n`, json: said, down: `${said}\n` };
  }

  interface Failure {
    readonly error: { readonly message: string };
  }

  test.each([
    ["its file's", "store", [], "store"],
    ["its folder's, where the file has none", undefined, [], "shop"],
    ["the one given with -p", "store", ["-p", "mine"], "mine"],
  ])("%s: before it first runs, while it runs, and after", async (_, own, args, name) => {
    await using project = await projectNamed(own);
    expect(await callsOf(project, ...args)).toEqual(nothingRuns(name));
    await project.ok("up", "--wait", ...args);
    expect(JSON.parse((await project.ok("status", "--json", ...args)).stdout)).toMatchObject({
      project: name,
    });
    expect(JSON.parse((await project.ok("status", "--json", "-p", name)).stdout)).toMatchObject({
      project: name,
    });
    await project.ok("down", ...args);
    expect(await callsOf(project, ...args)).toEqual(nothingRuns(name));
  });

  test("the file's, also where the rest of the file is wrong", async () => {
    await using project = await projectNamed("store");
    await project.write("name: store\nforwards:\n  api: { target: svc/api, prot: tcp }\n");
    expect(await callsOf(project)).toEqual(nothingRuns("store"));
    await project.write("name: Not A Name\nforwards: {}\n");
    expect(await callsOf(project)).toEqual(nothingRuns("shop"));
  });

  test("that of the real folder, through a link to it", async () => {
    await using project = await projectNamed(undefined);
    await symlink(project.folder, join(project.root, "link"));
    const { stderr } = await project.run("status", "-f", "../link/forwards.yaml");
    expect(stderr).toContain("for project shop\n");
  });

  test("that of the folder, for what came on standard input", async () => {
    await using project = await projectNamed(undefined);
    expect((await project.run("status", "-f", "-")).stderr).toContain("for project shop\n");
  });

  test("given with -p though the file has the same: the project that runs", async () => {
    await using project = await projectNamed("store");
    await project.ok("up", "--wait");
    const pid = project.supervisorPid;
    await project.ok("up", "-d", "-p", "store");
    expect(project.processes()).toEqual([pid]);
    await project.ok("down", "-p", "store");
    await project.ok("up", "-d", "-p", "store");
    await project.ok("status");
    await project.ok("down");
    expect((await project.run("status", "-p", "store")).status).toBe(3);
  });

  test("taken by a file that another project of it was started with: each is found", async () => {
    await using project = await projectNamed("store");
    await project.ok("up", "--wait", "-p", "mine");
    const pid = project.supervisorPid;
    const forwards = { other: { target: "svc/app", port: 7001, local: "auto" } };
    await project.write(JSON.stringify({ name: "mine", namespace, forwards }));
    await project.ok("up", "--wait");
    const pidOf = async (...args: string[]): Promise<number> =>
      (JSON.parse((await project.ok("status", "--json", ...args)).stdout) as Report).supervisor.pid;
    expect(await pidOf("-p", "mine")).toBe(pid);
    expect(await pidOf()).not.toBe(pid);
    await project.ok("down");
    await project.ok("down", "-p", "mine");
  });

  interface Report {
    readonly supervisor: { readonly pid: number };
  }

  test("under which its file runs, is told where nothing runs without it", async () => {
    await using project = await projectNamed("store");
    await project.ok("up", "--wait", "-p", "mine");
    const hint = "its file runs as project mine: kfwd status -p mine";
    const { status, stderr } = await project.run("status");
    expect({ status, stderr }).toEqual({ status: 3, stderr: nothingRuns("store", hint).status });
    await project.ok("down", "-p", "mine");
  });

  test("of a file that is not there and never ran: exit 2, not silence", async () => {
    await using project = await projectNamed("store");
    await mkdir(join(project.folder, "folder"));
    for (const command of ["status", "down"]) {
      const missing = await project.run(command, "-f", "forward.yaml");
      expect(missing).toMatchObject({ status: 2, stdout: "" });
      expect(missing.stderr).toContain(`there is no file "${join(project.folder, "forward.yaml")}"`);
      expect(await project.run(command, "-f", "folder")).toMatchObject({ status: 2, stdout: "" });
    }
    await project.ok("up", "--wait");
    await rm(join(project.folder, "forwards.yaml"));
    await project.ok("down", "-f", "forwards.yaml");
  });
});
