import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { projectOf } from "../behaviour/stage.ts";
import type { Project } from "../rig/project.ts";

const IS_ROOT = process.geteuid?.() === 0;
const NOBODY = 65_534;

/** To follow a name where file systems cannot be mounted: by others than root, and in most containers. */
const NO_DISKS = mayMount() ? "" : " (left out: this process may not mount)";

/** Folders that kfwd must not use, or cannot: it says so and how to mend it, and nothing is left half done. */
describe.concurrent("a runtime folder", () => {
  let world: SandboxWorld;
  let namespace: string;
  const forwards = { echo: { target: "svc/app", port: 7000, local: "auto" } };
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** Every command must refuse the folder in the same words, and leave what is there alone. */
  async function expectRefusal(project: Project, why: string, hint: string): Promise<void> {
    const run = project.env["KFWD_RUNTIME_DIR"] ?? "";
    const before = listing(project.root);
    for (const args of [["up"], ["up", "-d"], ["status"], ["down", "--force"]]) {
      const { status, stdout, stderr } = await project.run(...args);
      expect({ status, stdout, stderr }).toEqual({
        status: 5,
        stdout: "",
        stderr: `error: cannot use folder "${run}": ${why}\nhint: ${hint}\n`,
      });
    }
    expect(project.processes()).toEqual([]);
    expect(listing(project.root)).toEqual(before);
  }

  test.each([
    ["that is a file", (run: string) => writeFileSync(run, ""), "it is not a folder"],
    [
      "that is a symbolic link, even to a fine one",
      (run: string) => {
        mkdirSync(`${run}-real`, { mode: 0o700 });
        symlinkSync(`${run}-real`, run);
      },
      "it is a symbolic link",
    ],
  ])("%s is refused, exit 5", async (_, spoil, why) => {
    await using project = await projectOf(world, namespace, forwards);
    spoil(project.env["KFWD_RUNTIME_DIR"] ?? "");
    await expectRefusal(project, why, "name another folder with KFWD_RUNTIME_DIR");
  });

  test.each([
    ["write to", 0o777],
    ["look into", 0o750],
  ])("that others may %s is refused, exit 5, but one below it is none of theirs", async (_, mode) => {
    await using project = await projectOf(world, namespace, forwards);
    const run = project.env["KFWD_RUNTIME_DIR"] ?? "";
    makeFolder(run, mode);
    const why = `others can use it (mode 0${mode.toString(8)}, wanted 0700)`;
    await expectRefusal(project, why, `export KFWD_RUNTIME_DIR=${run}/kfwd`);
    project.env["KFWD_RUNTIME_DIR"] = `${run}/kfwd`;
    await project.ok("up", "--wait");
  });

  test.runIf(IS_ROOT)("of another user is refused, exit 5", async () => {
    await using project = await projectOf(world, namespace, forwards);
    const run = project.env["KFWD_RUNTIME_DIR"] ?? "";
    makeFolder(run, 0o700);
    chownSync(run, NOBODY, NOBODY);
    await expectRefusal(project, `it is owned by uid ${NOBODY}`, `export KFWD_RUNTIME_DIR=${run}/kfwd`);
  });

  test.each([
    [
      "that is no absolute path",
      () => "run",
      /^error: cannot use KFWD_RUNTIME_DIR "run": it is not an absolute path\nhint: export KFWD_RUNTIME_DIR=\/\S+\/shop\/run\n$/,
    ],
    [
      "below a file",
      (project: Project) => join(project.folder, "forwards.yaml", "run"),
      /^error: cannot make folder "\S+": a part of the path is not a folder\nhint: name another folder with KFWD_RUNTIME_DIR\n$/,
    ],
    [
      "in a file system that takes none",
      () => "/proc/kfwd/run", // on a machine without /proc: below no folder that is there
      /^error: cannot make folder "\/proc\/kfwd\/run": .+\nhint: name another folder with KFWD_RUNTIME_DIR\n$/,
    ],
  ])("%s is refused, exit 5", async (_, path, said) => {
    await using project = await projectOf(world, namespace, forwards);
    for (const args of [["up"], ["up", "-d"]]) {
      const env = { KFWD_RUNTIME_DIR: path(project) };
      const { status, stderr } = await project.start(args, { env }).ended;
      expect(status).toBe(5);
      expect(stderr).toMatch(said);
    }
  });

  test.skipIf(NO_DISKS)(
    "on a full disk is refused, exit 5, and is used once there is room" + NO_DISKS,
    async () => {
      await using project = await projectOf(world, namespace, forwards);
      const run = project.env["KFWD_RUNTIME_DIR"] ?? "";
      using disk = smallDisk(run, "size=64k,mode=0700");
      disk.fill();
      for (const args of [["up"], ["up", "-d"]]) {
        const { status, stderr } = await project.run(...args);
        expect(status).toBe(5);
        expect(stderr).toMatch(
          /^error: cannot write "\S+\/lock": the disk is full\nhint: .*KFWD_RUNTIME_DIR\n$/,
        );
        await vi.waitFor(() => expect(project.processes()).toEqual([]), { timeout: 5_000 }); // it has just said why
        expect(readdirSync(run)).toEqual(["filler"]);
      }
      rmSync(join(run, "filler"));
      await project.ok("up", "--wait");
      await project.ok("down");
    },
  );

  test.skipIf(NO_DISKS)("that fills up later: the forwards go on, and can be ended" + NO_DISKS, async () => {
    await using project = await projectOf(world, namespace, forwards);
    const run = project.env["KFWD_RUNTIME_DIR"] ?? "";
    using disk = smallDisk(run, "size=64k,mode=0700");
    await project.ok("up", "--wait");
    disk.fill();
    expect((await project.run("up", "-d", "-p", "other")).status).toBe(5); // for which there is no room
    expect(readdirSync(run)).toHaveLength(2);
    await project.write(JSON.stringify({ namespace, forwards: { ...forwards, more: forwards.echo } }));
    await project.ok("up", "--wait");
    expect((await project.status()).entries.map(({ state }) => state)).toEqual(["ready", "ready"]);
    await project.ok("down");
    expect(readdirSync(run)).toEqual(["filler"]);
  });

  test.skipIf(NO_DISKS)("no room for the log: the forwards run without one" + NO_DISKS, async () => {
    await using project = await projectOf(world, namespace, forwards);
    const state = project.env["XDG_STATE_HOME"] ?? "";
    using disk = smallDisk(state, "size=16k");
    disk.fill();
    await project.ok("up", "--wait");
    const { supervisor } = await project.status();
    expect(statSync(supervisor.log).size).toBe(0);
    await project.ok("down");
  });

  test.skipIf(NO_DISKS)(
    "no room for the log's file either: refused, exit 5, nothing runs" + NO_DISKS,
    async () => {
      await using project = await projectOf(world, namespace, forwards);
      const state = project.env["XDG_STATE_HOME"] ?? "";
      using disk = smallDisk(state, "size=16k,nr_inodes=2");
      disk.fill();
      const { status, stderr } = await project.run("up", "-d");
      expect(status).toBe(5);
      expect(stderr).toMatch(
        /^error: cannot open log "\S+\/kfwd\.log": the disk is full\nhint: name another folder with XDG_STATE_HOME\n$/,
      );
      expect(project.processes()).toEqual([]);
    },
  );
});

/** Every path below a folder with its kind and mode. */
function listing(folder: string): readonly string[] {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return paths.map((path) => `${path} ${lstatSync(join(folder, path)).mode.toString(8)}`);
}

function makeFolder(path: string, mode: number): void {
  mkdirSync(path);
  chmodSync(path, mode); // which no umask changes
}

function mayMount(): boolean {
  if (!IS_ROOT || process.platform !== "linux") return false;
  const probe = execFileSync("mktemp", ["-d"], { encoding: "utf8" }).trim();
  try {
    smallDisk(probe, "size=4k")[Symbol.dispose]();
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true });
  }
}

/** A file system of its own at a path. */
function smallDisk(path: string, options: string): Disposable & { fill(): void } {
  if (!existsSync(path)) mkdirSync(path);
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], { stdio: "ignore" });
  return {
    fill: () => {
      const { bavail, bsize } = statfsSync(path);
      writeFileSync(join(path, "filler"), Buffer.alloc(bavail * bsize));
    },
    [Symbol.dispose]: () => void execFileSync("umount", ["-l", path]),
  };
}
