import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { fileOf, projectOf } from "../behaviour/stage.ts";
import { recordOf } from "../fakes/lockfolder.ts";
import { Project } from "../rig/project.ts";
import { projectFiles } from "../../src/runtime/daemon/projectfiles.ts";
import { encodeLock, type LockRecord } from "../../src/runtime/wire/lockrecord.ts";

/** So many that hang would take as many seconds, one after the other. */
const SILENT = 15;

describe.concurrent("ls", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("shows all that runs, from anywhere, in the order of their names", async () => {
    const api = { target: "svc/app", port: 80, local: "auto" };
    await using project = await projectOf(world, namespace, { api, db: api });
    expect(await project.run("ls")).toMatchObject({
      status: 0,
      stdout: "",
      stderr: "nothing is running\n",
    });
    const text = fileOf(namespace, { api, db: api });
    await project.write(text.replace("{", '{ "environments": { "staging": {} },'));
    await project.ok("up", "--wait", "-p", "store");
    await project.ok("up", "--wait", "-e", "staging", "api");
    await project.ok("stop", "-p", "store", "db");
    const elsewhere = { cwd: project.env["HOME"] ?? "" };

    const { stdout } = await project.start(["ls"], elsewhere).ended;
    const file = join(project.folder, "forwards.yaml");
    expect(stdout.split("\n")).toEqual([
      expect.stringMatching(/^PROJECT  ENV      READY  SUPERVISOR +FILE$/),
      expect.stringMatching(new RegExp(`^shop     staging  1/1    pid \\d+ +${file}$`)),
      expect.stringMatching(new RegExp(`^store    -        1/1    pid \\d+, 1 stopped +${file}$`)),
      "",
    ]);
    expect((await project.start(["ls", "-q"], elsewhere).ended).stdout).toBe("shop@staging\nstore\n");
    expect(JSON.parse((await project.ok("ls", "--json")).stdout)).toMatchObject({
      schema: "kfwd.ls/1",
      projects: [
        {
          project: "shop@staging",
          name: "shop",
          env: "staging",
          state: "running",
          ready: 1,
          total: 1,
          stopped: 0,
          supervisor: { mode: "detached" },
          file,
          trouble: null,
        },
        { project: "store", env: null, ready: 1, total: 1, stopped: 1 },
      ],
    });
    await project.ok("down", "-p", "store");
    await project.ok("down", "-e", "staging");
  });

  test("shows what has died, hangs, cannot be read or reached as that, and what is well all the same", async () => {
    const api = { target: "svc/app", port: 80, local: "auto" };
    await using project = await projectOf(world, namespace, { api });
    for (const name of ["dead", "hung", "well"]) await project.ok("up", "--wait", "-p", name);
    const pidOf = async (name: string): Promise<number> =>
      (JSON.parse((await project.ok("status", "--json", "-p", name)).stdout) as Report).supervisor.pid;
    const [dead, hung] = [await pidOf("dead"), await pidOf("hung")];
    putLock(project, "0000000000000001", { project: "far", host: "elsewhere", bootId: "0" });
    const damaged = putLock(project, "0000000000000002", {}, "garbage");
    process.kill(dead, "SIGKILL");
    while (project.processes().includes(dead)) await new Promise((resolve) => setImmediate(resolve));
    process.kill(hung, "SIGSTOP");
    try {
      const { stdout, stderr, status } = await project.run("ls");
      const rows = stdout
        .trimEnd()
        .split("\n")
        .slice(1)
        .map((row) => row.split(/ {2,}/).slice(0, 4).join("|"));
      expect(rows).toEqual([
        `dead|-|-|pid ${dead} has died`,
        expect.stringMatching(/^far\|-\|-\|pid \d+ elsewhere$/),
        `hung|-|-|pid ${hung} does not answer`,
        expect.stringMatching(/^well\|-\|1\/1\|pid \d+$/),
        "?|-|-|the lock cannot be read",
      ]);
      expect(stdout).toContain(damaged);
      expect(stderr).toContain("hint: `kfwd prune` removes what died\n");
      expect(stderr).toContain("hint: kfwd down --force -p hung\n");
      expect(status).toBe(0);
      const { projects } = JSON.parse((await project.ok("ls", "--json")).stdout) as Listing;
      expect(projects.map(({ state, trouble }) => [state, trouble === null])).toEqual([
        ["dead", false],
        ["elsewhere", false],
        ["unresponsive", false],
        ["running", true],
        ["damaged", false],
      ]);
      expect((await project.ok("ls", "-q")).stdout).toBe("dead\nfar\nhung\nwell\n");
    } finally {
      process.kill(hung, "SIGCONT");
    }
    for (const name of ["dead", "hung", "well"]) await project.ok("down", "-p", name);
  });

  test(`takes no longer for ${SILENT} supervisors that hang than for one`, async () => {
    await using project = await Project.create();
    const path = join(project.root, "silent.sock");
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket.on("error", () => {})));
    await once(server.listen(path), "listening");
    for (let index = 0; index < SILENT; index++) {
      const id = index.toString(16).padStart(16, "0");
      putLock(project, id, { project: `hung-${id}`, socket: path, startTicks: null });
    }
    const startedMs = performance.now();
    const { stdout } = await project.ok("ls");
    expect(performance.now() - startedMs).toBeLessThan(SILENT * 1_000);
    expect(stdout.match(/does not answer/g)?.length).toBe(SILENT);
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });

  test("does not let a name steer the terminal", async () => {
    await using project = await Project.create();
    putLock(project, "00000000000000ff", { project: "\u001b[2Jshop", host: "elsewhere", bootId: "0" });
    const { stdout, stderr } = await project.ok("ls");
    expect(stdout).toContain("\\u001b[2Jshop");
    expect(stdout + stderr + (await project.ok("ls", "-q")).stdout).not.toContain("\u001b");
  });
});

interface Report {
  readonly supervisor: { readonly pid: number };
}

interface Listing {
  readonly projects: readonly { readonly state: string; readonly trouble: string | null }[];
}

/** A lock in the project's runtime folder; answers its path. */
function putLock(project: Project, id: string, change: Partial<LockRecord>, text?: string): string {
  const files = projectFiles(project.env["KFWD_RUNTIME_DIR"] ?? "", id);
  mkdirSync(files.folder, { recursive: true, mode: 0o700 });
  writeFileSync(files.lock, text ?? encodeLock(recordOf(change)), { mode: 0o600 });
  return files.lock;
}
