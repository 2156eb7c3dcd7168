import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  longGone,
  never,
  projectIn,
  realDeps,
  recordOf,
  tempFolder,
  uid,
  withoutDescriptors,
} from "../../../test/fakes/lockfolder.ts";
import { FakeClock } from "../../../test/fakes/clock.ts";
import { encodeClaim, encodeLock, type LockRecord } from "../wire/lockrecord.ts";
import { acquire } from "./lock.ts";
import type { OwnedLock } from "./ownedlock.ts";
import { newInstance } from "./proof.ts";
import type { ProjectFiles } from "./projectfiles.ts";
import { readLock } from "./readlock.ts";

async function owned(files: ProjectFiles, record = recordOf()): Promise<OwnedLock> {
  const acquired = await acquire(realDeps, files, record, never);
  if (acquired.kind !== "owned") throw new Error(`held: ${acquired.holder.kind}`);
  return acquired.lock;
}

/** A project whose lock was left by a process that ended. */
function abandoned(): { readonly files: ProjectFiles; readonly dead: LockRecord } {
  const files = projectIn(tempFolder());
  mkdirSync(files.folder, { mode: 0o700 });
  const dead = recordOf(longGone);
  writeFileSync(files.lock, encodeLock(dead));
  return { files, dead };
}

describe("acquire", () => {
  test("takes a free lock, and writes it for us alone", async () => {
    const files = projectIn(tempFolder());
    const record = recordOf();
    const lock = await owned(files, record);
    expect(lock.record).toEqual(record);
    expect(readLock(files.lock, uid)).toEqual({ kind: "value", value: record });
    expect(lstatSync(files.lock).mode & 0o777).toBe(0o600);
    expect(readdirSync(files.folder)).toEqual(["lock"]);
  });

  test("takes the lock of a dead owner, and sweeps what the dead have left", async () => {
    const { files, dead } = abandoned();
    const claim = { schema: 1, instance: newInstance(), ...realDeps.here, ...longGone } as const;
    writeFileSync(join(files.folder, "t.4000000.0a1b2c3d"), "{half a rec");
    writeFileSync(join(files.folder, "t.4000000.0a1b2c3e"), encodeClaim(claim));
    writeFileSync(join(files.folder, `reap.${dead.instance}`), encodeClaim(claim));
    writeFileSync(join(files.folder, `reap.${newInstance()}`), "garbage");
    writeFileSync(join(files.folder, "0a1b2c3d.sock"), ""); // refuses connections as a dead socket does
    writeFileSync(join(files.folder, "notes.txt"), "not ours");
    await owned(files);
    expect(readdirSync(files.folder).sort()).toEqual(["lock", "notes.txt"]);
  });

  test("takes over what the dead owner says of its relay pods, in its own lock from the first moment", async () => {
    const files = projectIn(tempFolder());
    mkdirSync(files.folder, { mode: 0o700 });
    const relay = { kubeconfig: null, context: "kt", namespace: "shop", pod: "kfwd-relay-x", uid: "u-1" };
    writeFileSync(files.lock, encodeLock(recordOf({ ...longGone, relays: [relay] })));
    const acquired = await acquire(realDeps, files, recordOf(), never);
    expect(acquired).toMatchObject({ kind: "owned", left: [relay], lock: { record: { relays: [relay] } } });
    expect(readLock(files.lock, uid)).toMatchObject({ value: { relays: [relay] } });
  });

  test("leaves the temporary file of a process that lives", async () => {
    const { files } = abandoned();
    const name = `t.${process.ppid}.0a1b2c3d`;
    writeFileSync(join(files.folder, name), "{half a rec");
    await owned(files);
    expect(readdirSync(files.folder)).toContain(name);
  });

  test("gives up what another owner has, without changing anything", async () => {
    const files = projectIn(tempFolder());
    const first = await owned(files);
    const before = readFileSync(files.lock);
    const acquired = await acquire(realDeps, files, recordOf(), never);
    expect(acquired).toMatchObject({ kind: "held", holder: { kind: "unresponsive", record: first.record } });
    expect(readFileSync(files.lock)).toEqual(before);
    expect(readdirSync(files.folder)).toEqual(["lock"]);
  });

  test("leaves a damaged lock where it is", async () => {
    const files = projectIn(tempFolder());
    mkdirSync(files.folder, { mode: 0o700 });
    execFileSync("mkfifo", [files.lock]);
    expect(await acquire(realDeps, files, recordOf(), never)).toEqual({
      kind: "held",
      holder: { kind: "damaged", why: "is a named pipe" },
    });
    expect(statSync(files.lock).isFIFO()).toBe(true);
  });

  test("gives up after ten seconds behind a reaper that does not get on", async () => {
    const { files, dead } = abandoned();
    const stuck = { schema: 1, instance: newInstance(), ...realDeps.here } as const;
    writeFileSync(join(files.folder, `reap.${dead.instance}`), encodeClaim(stuck));
    const clock = new FakeClock();
    const acquiring = acquire({ ...realDeps, clock }, files, recordOf(), never);
    const failing = expect(acquiring).rejects.toMatchObject({ code: "LOCK_TAKEN" });
    const ended: string[] = [];
    void failing.then(() => ended.push("as it should"));
    while (ended.length === 0) await clock.advance(50);
    expect(clock.now()).toBeLessThanOrEqual(11_000);
    expect(readdirSync(files.folder).sort()).toEqual(["lock", `reap.${dead.instance}`]);
  });

  test("ends with the signal's reason", async () => {
    const aborted = AbortSignal.abort(new Error("enough"));
    await expect(acquire(realDeps, projectIn(tempFolder()), recordOf(), aborted)).rejects.toThrow("enough");
  });

  test("refuses a project folder that others may use", async () => {
    const files = projectIn(tempFolder());
    mkdirSync(files.folder, { mode: 0o755 });
    await expect(acquire(realDeps, files, recordOf(), never)).rejects.toMatchObject({
      code: "RUNTIME_FOLDER",
      hint: `chmod 700 ${files.folder}`,
    });
  });
});

describe("on a full disk", () => {
  /** 64 KiB of memory as a disk; needs root. */
  function smallDisk(): string | undefined {
    const folder = tempFolder();
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", folder], {
        stdio: "ignore",
      });
    } catch {
      return undefined;
    }
    onTestFinished(() => void execFileSync("umount", [folder]));
    return folder;
  }

  function fill(folder: string): void {
    let bytes = 64 * 1024;
    for (let number = 0; bytes >= 1; number++) {
      try {
        writeFileSync(join(folder, `full${number}`), Buffer.alloc(bytes));
      } catch {
        rmSync(join(folder, `full${number}`), { force: true });
        bytes = Math.floor(bytes / 2);
      }
    }
  }

  test("nobody gets the lock, and nothing half written stays", async ({ skip }) => {
    const disk = smallDisk();
    if (disk === undefined) return skip("a small disk needs root and mount(8)");
    const files = projectIn(disk);
    mkdirSync(files.folder, { mode: 0o700 });
    fill(disk);
    const acquiring = acquire(realDeps, files, recordOf(), never);
    await expect(acquiring).rejects.toMatchObject({
      code: "RUNTIME_FOLDER",
      message: `cannot write "${files.lock}": the disk is full`,
    });
    expect(readdirSync(files.folder)).toEqual([]);
  });

  test("an owner keeps the old text, and writes all changes when there is room again", async ({ skip }) => {
    const disk = smallDisk();
    if (disk === undefined) return skip("a small disk needs root and mount(8)");
    const files = projectIn(disk);
    const lock = await owned(files);
    const before = readFileSync(files.lock);
    fill(disk);
    await expect(lock.update({ state: "stopping" })).rejects.toMatchObject({ code: "RUNTIME_FOLDER" });
    expect(readFileSync(files.lock)).toEqual(before);
    expect(readdirSync(files.folder)).toEqual(["lock"]);
    expect(await lock.check()).toEqual({ kind: "held" });
    for (const name of readdirSync(disk)) if (name.startsWith("full")) rmSync(join(disk, name));
    await lock.update({ lastWords: "oops" });
    expect(readLock(files.lock, uid)).toMatchObject({ value: { state: "stopping", lastWords: "oops" } });
  });
});

describe("an owned lock", () => {
  const other = recordOf();
  const vanish = {
    alone: (files: ProjectFiles) => rmSync(files.lock),
    folder: (files: ProjectFiles) => rmSync(files.folder, { recursive: true }),
    runtime: (files: ProjectFiles) => rmSync(dirname(files.folder), { recursive: true }),
  };

  test("is rewritten as a whole, change by change, in order", async () => {
    const files = projectIn(tempFolder());
    const lock = await owned(files);
    await Promise.all([
      lock.update({ state: "starting", project: "a" }),
      lock.update({ state: "ready" }),
      lock.update({ forwards: [] }),
    ]);
    const wanted = { ...lock.record, state: "ready", project: "a", forwards: [] };
    expect(readLock(files.lock, uid)).toEqual({ kind: "value", value: wanted });
    expect(readdirSync(files.folder)).toEqual(["lock"]);
  });

  test("is touched by each check", async () => {
    const files = projectIn(tempFolder());
    const lock = await owned(files);
    utimesSync(files.lock, 1, 1);
    expect(await lock.check()).toEqual({ kind: "held" });
    expect(statSync(files.lock).mtimeMs).toBeGreaterThan(1_000_000);
  });

  test("is not given up while no file can be opened to look at it", async () => {
    const files = projectIn(tempFolder());
    const lock = await owned(files);
    expect(await withoutDescriptors(() => lock.check())).toEqual({ kind: "unseen" });
    expect(await lock.check()).toEqual({ kind: "held" });
  });

  test.each(Object.entries(vanish))("is put back after it vanished: %s", async (_, remove) => {
    const files = projectIn(join(tempFolder(), "run"));
    const lock = await owned(files);
    remove(files);
    expect(await lock.check()).toEqual({ kind: "restored" });
    expect(readLock(files.lock, uid)).toEqual({ kind: "value", value: lock.record });
    expect(await lock.check()).toEqual({ kind: "held" });
  });

  test("is homeless while its folder cannot be made, and goes on when it can", async () => {
    const files = projectIn(join(tempFolder(), "run"));
    const lock = await owned(files);
    rmSync(dirname(files.folder), { recursive: true });
    writeFileSync(dirname(files.folder), "");
    expect(await lock.check()).toMatchObject({
      kind: "homeless",
      why: expect.stringContaining("not a folder"),
    });
    rmSync(dirname(files.folder));
    expect(await lock.check()).toEqual({ kind: "restored" });
  });

  test.each([
    {
      name: "another's",
      bytes: encodeLock(other),
      why: `another supervisor (pid ${process.pid}) has taken the lock`,
    },
    { name: "garbage", bytes: Buffer.from("?"), why: "the lock is not JSON" },
  ])("that became $name is lost: neither updated nor removed", async ({ bytes, why }) => {
    const files = projectIn(tempFolder());
    const lock = await owned(files);
    writeFileSync(files.lock, bytes);
    expect(await lock.check()).toEqual({ kind: "lost", why });
    await expect(lock.update({ state: "ready" })).rejects.toMatchObject({ code: "LOCK_TAKEN" });
    await lock[Symbol.asyncDispose]();
    expect(readFileSync(files.lock)).toEqual(bytes);
  });

  test("goes when it is disposed, with its empty folder, and a late update does not bring it back", async () => {
    const files = projectIn(tempFolder());
    const lock = await owned(files);
    await lock[Symbol.asyncDispose]();
    await lock.update({ state: "ready" });
    expect(readdirSync(dirname(files.folder))).toEqual([]);
    await lock[Symbol.asyncDispose]();
  });

  test("waits for an update under way before it goes", async () => {
    const files = projectIn(tempFolder());
    const lock = await owned(files);
    await Promise.all([lock.update({ state: "stopping" }), lock[Symbol.asyncDispose]()]);
    expect(readdirSync(dirname(files.folder))).toEqual([]);
  });
});
