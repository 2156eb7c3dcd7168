import { mkdirSync, unlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  longGone,
  never,
  projectIn,
  realDeps,
  recordOf,
  serveControl,
  tempFolder,
  withoutDescriptors,
} from "../../../test/fakes/lockfolder.ts";
import { end, ownerPuppet } from "../../../test/fakes/owner.ts";
import { idleControl } from "../../../test/puppets/idlecontrol.ts";
import type { Clock } from "../deps.ts";
import { encodeLock, type LockRecord } from "../wire/lockrecord.ts";
import { inspect, lockTrouble, type LockState } from "./inspect.ts";
import type { ProjectFiles } from "./projectfiles.ts";

/** What a project with this lock looks like. */
function lockedBy(over: Partial<LockRecord>): { readonly files: ProjectFiles; readonly record: LockRecord } {
  const files = projectIn(tempFolder());
  mkdirSync(files.folder, { mode: 0o700 });
  const record = recordOf({ socket: join(files.folder, "0a1b2c3d.sock"), ...over });
  writeFileSync(files.lock, encodeLock(record));
  return { files, record };
}

function look(files: ProjectFiles): Promise<LockState> {
  return inspect(realDeps, files, never);
}

/** What stands at the owner's socket. */
const sockets = {
  absent: async () => {},
  refused: async (record: LockRecord) => writeFileSync(record.socket, ""), // connects are refused as by a dead socket
  impostor: async (record: LockRecord) => {
    const server = createServer((socket) => void socket.on("error", () => {}).end());
    await new Promise<void>((resolve) => server.listen(record.socket, resolve));
    onTestFinished(() => void server.close());
  },
  alive: async (record: LockRecord) => {
    const deps = { ...realDeps, control: idleControl, instance: record.instance };
    const server = await serveControl(deps, record.socket);
    onTestFinished(() => server[Symbol.asyncDispose]());
  },
};

describe("inspect", () => {
  test("finds nobody where no lock is", async () => {
    expect(await look(projectIn(tempFolder()))).toEqual({ kind: "none" });
  });

  test("finds a damaged lock and says what is wrong with it", async () => {
    const files = projectIn(tempFolder());
    mkdirSync(files.lock, { recursive: true });
    expect(await look(files)).toEqual({ kind: "damaged", why: "is a folder" });
  });

  test("takes no lock for damaged because it cannot open a file", async () => {
    const { files } = lockedBy({});
    await expect(withoutDescriptors(() => look(files))).rejects.toMatchObject({
      code: "TOO_MANY_FILES",
      message: `cannot read lock "${files.lock}": too many open files`,
    });
  });

  const dead = { kind: "dead", why: "crashed" };
  const unproven = { kind: "unresponsive", owner: "unproven" };
  const container = { pidNs: "pid:[1]", host: "c1" };
  test.each([
    { owner: "this process", over: {}, socket: "alive", wanted: { kind: "alive" } },
    { owner: "this process", over: {}, socket: "absent", wanted: { kind: "unresponsive", owner: "alive" } },
    { owner: "this process", over: {}, socket: "refused", wanted: { kind: "unresponsive", owner: "alive" } },
    { owner: "this process", over: {}, socket: "impostor", wanted: { kind: "unresponsive", owner: "alive" } },
    { owner: "a process that ended", over: longGone, socket: "absent", wanted: dead },
    { owner: "a process that ended", over: longGone, socket: "refused", wanted: dead },
    { owner: "a process that ended", over: longGone, socket: "impostor", wanted: dead },
    { owner: "a pid that another has now", over: { startTicks: 1 }, socket: "refused", wanted: dead },
    {
      owner: "a pid of unknown start",
      over: { startTicks: null },
      socket: "alive",
      wanted: { kind: "alive" },
    },
    { owner: "a pid of unknown start", over: { startTicks: null }, socket: "refused", wanted: dead },
    { owner: "a pid of unknown start", over: { startTicks: null }, socket: "absent", wanted: unproven },
    { owner: "a pid of unknown start", over: { startTicks: null }, socket: "impostor", wanted: unproven },
    { owner: "a container's process", over: container, socket: "alive", wanted: { kind: "alive" } },
    {
      owner: "a container's process",
      over: container,
      socket: "refused",
      wanted: { kind: "dead", why: "container" },
    },
    { owner: "a container's process", over: container, socket: "absent", wanted: { kind: "elsewhere" } },
    { owner: "a container's process", over: container, socket: "impostor", wanted: { kind: "elsewhere" } },
    {
      owner: "one before the reboot",
      over: { bootId: "old" },
      socket: "alive",
      wanted: { kind: "dead", why: "rebooted" },
    },
    {
      owner: "another machine's",
      over: { bootId: "b", host: "h" },
      socket: "alive",
      wanted: { kind: "elsewhere" },
    },
  ] as const)("takes $owner with its socket $socket for $wanted", async ({ over, socket, wanted }) => {
    const { files, record } = lockedBy(over);
    await sockets[socket](record);
    expect(await look(files)).toMatchObject({ ...wanted, record });
  });

  test("waits no longer than a second for an owner that hangs", async () => {
    const { files, record } = lockedBy({});
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(record.socket, resolve));
    onTestFinished(() => void server.close());
    const startedMs = performance.now();
    expect(await look(files)).toMatchObject({ kind: "unresponsive", owner: "alive" });
    expect(performance.now() - startedMs).toBeLessThan(1_500);
  });

  test("looks again when the lock changes hands meanwhile", async () => {
    const { files, record } = lockedBy(longGone);
    const next = recordOf({ socket: join(files.folder, "ffffffff.sock") });
    await sockets.alive(next);
    const server = createServer((socket) => {
      writeFileSync(files.lock, encodeLock(next)); // while the first owner is being greeted
      socket.on("error", () => {}).end();
    });
    await new Promise<void>((resolve) => server.listen(record.socket, resolve));
    onTestFinished(() => void server.close());
    expect(await look(files)).toMatchObject({ kind: "alive", record: next });
  });

  test("ends with the signal's reason", async () => {
    const { files } = lockedBy({});
    await expect(inspect(realDeps, files, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
  });
});

describe("a supervisor in another process", () => {
  const startOwner = ownerPuppet();

  test("is alive, then unresponsive while it is stopped, then alive, then dead when it is killed", async () => {
    const files = projectIn(tempFolder());
    const child = await startOwner(files);
    expect(await look(files)).toMatchObject({ kind: "alive", hello: { pid: child.pid, version: "1.2.3" } });
    child.kill("SIGSTOP");
    expect(await look(files)).toMatchObject({ kind: "unresponsive", owner: "alive" });
    child.kill("SIGCONT");
    expect(await look(files)).toMatchObject({ kind: "alive" });
    await end(child);
    const startedMs = performance.now();
    expect(await look(files)).toMatchObject({ kind: "dead", why: "crashed", record: { pid: child.pid } });
    expect(performance.now() - startedMs).toBeLessThan(200);
  });

  test("is waited for while it dies: its sockets close a little before it is gone", async () => {
    const files = projectIn(tempFolder());
    const child = await startOwner(files);
    const alive = await look(files);
    if (alive.kind !== "alive") throw new Error(`it is ${alive.kind}`);
    unlinkSync(alive.record.socket);
    await sockets.refused(alive.record);
    const clock: Clock = {
      ...realDeps.clock,
      sleep: (ms, signal) => {
        child.kill("SIGKILL");
        return realDeps.clock.sleep(ms, signal);
      },
    };
    expect(await inspect({ ...realDeps, clock }, files, never)).toMatchObject({
      kind: "dead",
      why: "crashed",
    });
  });
});

describe("lockTrouble", () => {
  const files = projectIn("/run/kfwd");
  test.each([
    {
      state: { kind: "damaged", why: "is a named pipe" } as const,
      code: "LOCK_DAMAGED",
      message: 'cannot use lock "/run/kfwd/0123456789abcdef/lock": it is a named pipe',
    },
    {
      state: { kind: "elsewhere", why: 'runs on host "box"', record: recordOf({ pid: 77 }) } as const,
      code: "OWNED_ELSEWHERE",
      message: 'cannot reach the supervisor of project "shop": it runs on host "box", as pid 77',
    },
    {
      state: { kind: "unresponsive", owner: "alive", record: recordOf({ pid: 77 }) } as const,
      code: "UNRESPONSIVE",
      message: 'the supervisor of project "shop" (pid 77) does not answer',
    },
  ])("says $message", ({ state, code, message }) => {
    expect(lockTrouble(state, files)).toMatchObject({ code, message });
  });
});
