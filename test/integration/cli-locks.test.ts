import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordOf } from "../fakes/lockfolder.ts";
import { Project, type Ended } from "../rig/project.ts";
import { parseStat } from "../../src/runtime/daemon/identity.ts";
import { projectFiles, projectId, type ProjectFiles } from "../../src/runtime/daemon/projectfiles.ts";
import { encodeLock, type LockRecord } from "../../src/runtime/wire/lockrecord.ts";

/** `status` gives a supervisor a second, and another program two; the rest is for a busy machine. */
const STATUS_MS = 5_000;

/** Locks that no supervisor of ours has left so: nothing is followed, nobody signalled, and it is said what is wrong. */
describe.concurrent("a lock", () => {
  /** Stands for whoever has the pid that a lock names. */
  let innocent: ChildProcess;
  let innocentTicks: number;
  beforeAll(async () => {
    innocent = spawn("sleep", ["600"], { stdio: "ignore" });
    await once(innocent, "spawn");
    innocentTicks = ticksOf(innocent.pid ?? 0);
  });
  afterAll(() => {
    const { exitCode, signalCode } = innocent;
    innocent.kill("SIGKILL");
    expect({ exitCode, signalCode }).toEqual({ exitCode: null, signalCode: null });
  });

  describe.concurrent("that is damaged", () => {
    test.each([
      ["empty", "is empty", (path: string) => writeFileSync(path, "")],
      ["garbage", "is not JSON", (path: string) => writeFileSync(path, "\u0000\u001b[2J\u00ff")],
      [
        "cut short",
        "is not JSON",
        (path: string) => {
          writeFileSync(path, encodeLock(recordOf()));
          truncateSync(path, 200);
        },
      ],
      ["another document", "is not a lock", (path: string) => writeFileSync(path, "[]")],
      [
        "with a pid that means our own group",
        'has no usable "pid"',
        (path: string) => writeFileSync(path, JSON.stringify({ ...recordOf(), pid: 0 })),
      ],
      [
        "with a pid that means everyone",
        'has no usable "pid"',
        (path: string) => writeFileSync(path, JSON.stringify({ ...recordOf(), pid: -1 })),
      ],
      [
        "of a later version",
        "was written by a later version of kfwd",
        (path: string) => writeFileSync(path, JSON.stringify({ schema: 2, owner: "me" })),
      ],
      ["huge", "is larger than 64 KiB", (path: string) => writeFileSync(path, Buffer.alloc(50_000_000))],
      ["a folder", "is a folder", (path: string) => mkdirSync(path)],
      ["a named pipe", "is a named pipe", (path: string) => void execFileSync("mkfifo", [path])],
      [
        "a symbolic link",
        "is a symbolic link",
        (path: string) => {
          writeFileSync(`${path}.elsewhere`, encodeLock(recordOf()));
          symlinkSync(`${path}.elsewhere`, path);
        },
      ],
    ])("(%s): no command touches it, each says that it %s, exit 5", async (_, why, damage) => {
      await using project = await Project.create({ file: FILE });
      const { lock } = lockFiles(project);
      damage(lock);
      const before = lstatSync(lock);
      for (const args of [["status"], ["up"], ["up", "-d"], ["down"], ["down", "--force"]]) {
        expect(await project.run(...args)).toMatchObject({
          status: 5,
          stdout: "",
          stderr: `error: cannot use lock "${lock}": it ${why}\nhint: if no kfwd of this project runs, remove it: rm -r ${lock}\n`,
        });
      }
      const { ino, size, mtimeMs } = lstatSync(lock);
      expect({ ino, size, mtimeMs }).toEqual({ ino: before.ino, size: before.size, mtimeMs: before.mtimeMs });
      execFileSync("rm", ["-r", lock]); // what it says to do, helps
      expect((await project.run("status")).stderr).toContain("error: nothing is running");
    });
  });

  describe.concurrent("that names another process", () => {
    test("of a dead owner, with a project name that would steer the terminal: what `prune` says of it does not", async () => {
      await using project = await Project.create({ file: FILE });
      const dead = { pid: innocent.pid ?? 0, startTicks: innocentTicks - 1 };
      putLock(project, { ...dead, project: "\u001b[2Jshop" });
      const { stderr } = await project.run("prune", "--yes");
      expect(stderr).toContain("lock of project \\u001b[2Jshop: pid");
      expect(stderr).not.toContain("\u001b");
    });

    test("whose pid was given again: its owner is dead, and `down --force` ends nobody", async () => {
      await using project = await Project.create({ file: FILE });
      const { lock, folder } = putLock(project, { pid: innocent.pid ?? 0, startTicks: innocentTicks - 1 });
      const { status, stderr } = await project.run("status");
      expect(status).toBe(3);
      expect(stderr).toContain(`its supervisor (pid ${innocent.pid}) was killed or crashed`);
      const down = await project.ok("down", "--force");
      expect(down.stderr).toBe(`nothing was running any more; removed the lock of pid ${innocent.pid}\n`);
      expect([existsSync(lock), existsSync(folder)]).toEqual([false, false]);
    });

    test.each([
      ["nothing tells from its owner", () => ({ pid: innocent.pid ?? 0, startTicks: null })],
      ["is init", () => ({ pid: 1, startTicks: null })],
      ["is init, and started when its owner did", () => ({ pid: 1, startTicks: ticksOf(1) })],
      ["is the parent of the command", () => ({ pid: process.pid })],
    ])("that %s: nobody is signalled, the lock stays, exit 3", async (_, who) => {
      await using project = await Project.create({ file: FILE });
      const { lock } = putLock(project, who());
      const { pid } = who();
      expect(await project.run("status")).toMatchObject({
        status: 3,
        stderr: `error: the supervisor of project "shop" (pid ${pid}) does not answer\nhint: kfwd down --force\n`,
      });
      for (const args of [["down"], ["down", "--force"]]) {
        expect(await project.run(...args)).toMatchObject({
          status: 3,
          stderr:
            `error: cannot end the supervisor of project "shop": nothing proves that pid ${pid} is it\n` +
            `hint: end process ${pid} if it is kfwd, otherwise remove the lock: rm ${lock}\n`,
        });
      }
      expect(existsSync(lock)).toBe(true);
    });

    test.each([
      ["on another machine", { host: "elsewhere", bootId: "0" }, 'runs on host "elsewhere"'],
      ["in another container", { pidNs: "pid:[1]" }, "runs in another container"],
    ])("%s: it is said where, and nothing is done, exit 3", async (_, change, words) => {
      await using project = await Project.create({ file: FILE });
      await using server = await foreignServer(project, () => {});
      const { lock } = putLock(project, { ...change, pid: innocent.pid ?? 0, socket: server.path });
      for (const args of [["status"], ["up", "-d"], ["down", "--force"]]) {
        const { status, stderr } = await project.run(...args);
        expect(status).toBe(3);
        expect(stderr).toContain(`it ${words}, as pid ${innocent.pid}\nhint: run kfwd there`);
      }
      expect(existsSync(lock)).toBe(true);
    });
  });

  describe.concurrent("whose socket leads to another program", () => {
    test.each([
      ["that says nothing", () => {}],
      ["that hangs up", (socket: Socket) => void socket.destroy()],
      ["that answers HTTP", (socket: Socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")],
      ["that answers in JSON", (socket: Socket) => void socket.write('{"id":1,"result":{"proof":"x"}}\n')],
      [
        "that refuses",
        (socket: Socket) => void socket.write('{"id":1,"error":{"code":"NO","message":"\u001b[2J"}}\n'),
      ],
      ["that never ends a line", flood],
    ])("%s: it is not believed, exit 3 within seconds", async (_, answer) => {
      await using project = await Project.create({ file: FILE });
      await using server = await foreignServer(project, answer);
      putLock(project, { pid: innocent.pid ?? 0, startTicks: null, socket: server.path });
      const startedMs = performance.now();
      expect(await project.run("status")).toMatchObject({
        status: 3,
        stdout: "",
        stderr: `error: the supervisor of project "shop" (pid ${innocent.pid}) does not answer\nhint: kfwd down --force\n`,
      });
      expect(performance.now() - startedMs).toBeLessThan(STATUS_MS);
      expect(server.calls()).toBeGreaterThan(0);
      const down: Ended = await project.run("down", "--force");
      expect(down).toMatchObject({ status: 3 });
      expect(existsSync(server.path)).toBe(true); // it is not ours to remove
    });
  });
});

/** When a process was started, as the kernel counts. */
function ticksOf(pid: number): number {
  return parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"))?.startTicks ?? 0;
}

const FILE = 'forwards: { echo: "8080:svc/app:http" }';

/** Where the project's lock belongs; its folders are there then. */
function lockFiles(project: Project): ProjectFiles {
  const configPath = join(project.folder, "forwards.yaml");
  const id = projectId({ configPath, uid: process.geteuid?.(), explicitName: "" });
  const files = projectFiles(project.env["KFWD_RUNTIME_DIR"] ?? "", id);
  mkdirSync(files.folder, { recursive: true, mode: 0o700 });
  return files;
}

/** A lock as a supervisor of this machine writes it, but for what is changed. */
function putLock(project: Project, change: Partial<LockRecord>): ProjectFiles {
  const files = lockFiles(project);
  const config = { path: join(project.folder, "forwards.yaml"), sha256: "" };
  writeFileSync(files.lock, encodeLock(recordOf({ config, ...change })), { mode: 0o600 });
  return files;
}

/** A server on a socket beside the project that knows nothing of kfwd. */
async function foreignServer(
  project: Project,
  answer: (socket: Socket) => void,
): Promise<AsyncDisposable & { readonly path: string; calls(): number }> {
  const path = join(project.root, "foreign.sock");
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => {}));
    socket.once("data", () => answer(socket));
  });
  await once(server.listen(path), "listening");
  return {
    path,
    calls: () => sockets.length,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function flood(socket: Socket): void {
  const part = Buffer.alloc(64 * 1024, "x");
  const more = (): void => {
    while (!socket.destroyed && socket.write(part));
  };
  socket.on("drain", more);
  more();
}
