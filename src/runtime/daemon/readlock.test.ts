import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { recordOf, tempFolder, uid } from "../../../test/fakes/lockfolder.ts";
import { encodeLock } from "../wire/lockrecord.ts";
import { readLock } from "./readlock.ts";

describe("readLock", () => {
  test("gives a good lock, and none where nothing is", () => {
    const path = join(tempFolder(), "lock");
    expect(readLock(path, uid)).toEqual({ kind: "none" });
    expect(readLock(join(path, "below", "nothing"), uid)).toEqual({ kind: "none" });
    const record = recordOf();
    writeFileSync(path, encodeLock(record));
    expect(readLock(path, uid)).toEqual({ kind: "value", value: record });
  });

  const hostile: readonly { readonly name: string; make(path: string): unknown; readonly why: string }[] = [
    { name: "an empty file", make: (p) => writeFileSync(p, ""), why: "is empty" },
    { name: "garbage", make: (p) => writeFileSync(p, Buffer.alloc(300, 0xa5)), why: "is not JSON" },
    {
      name: "a truncated lock",
      make: (p) => writeFileSync(p, encodeLock(recordOf()).subarray(0, 99)),
      why: "is not JSON",
    },
    {
      name: "a file of 1 GiB",
      make: (p) => (writeFileSync(p, ""), truncateSync(p, 2 ** 30)),
      why: "is larger than 64 KiB",
    },
    { name: "a folder", make: (p) => mkdirSync(p), why: "is a folder" },
    { name: "a named pipe", make: (p) => execFileSync("mkfifo", [p]), why: "is a named pipe" },
    {
      name: "a symlink to a good lock",
      make: (p) => (writeFileSync(`${p}.x`, encodeLock(recordOf())), symlinkSync(`${p}.x`, p)),
      why: "is a symbolic link",
    },
    { name: "a symlink to nothing", make: (p) => symlinkSync(`${p}.gone`, p), why: "is a symbolic link" },
    {
      name: "a symlink to an endless device",
      make: (p) => symlinkSync("/dev/zero", p),
      why: "is a symbolic link",
    },
    {
      name: "a lock of a later format",
      make: (p) => writeFileSync(p, JSON.stringify({ schema: 2 })),
      why: "was written by a later version of kfwd",
    },
    ...[0, -1, 2 ** 31].map((pid) => ({
      name: `a lock of pid ${pid}`,
      make: (p: string) => writeFileSync(p, JSON.stringify({ ...recordOf(), pid })),
      why: 'has no usable "pid"',
    })),
  ];
  test.each(hostile)("answers at once when it is $name", ({ make, why }) => {
    const path = join(tempFolder(), "lock");
    make(path);
    const startedMs = performance.now();
    expect(readLock(path, uid)).toEqual({ kind: "bad", why });
    expect(performance.now() - startedMs).toBeLessThan(100);
  });

  test("answers when it is a socket", async () => {
    const path = join(tempFolder(), "lock");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => void server.close());
    expect(readLock(path, uid)).toEqual({ kind: "bad", why: "is a socket" });
  });

  test.runIf(uid === 0)("does not believe another user's file", () => {
    const path = join(tempFolder(), "lock");
    writeFileSync(path, encodeLock(recordOf()));
    chownSync(path, 1234, 1234);
    expect(readLock(path, uid)).toEqual({ kind: "bad", why: "belongs to uid 1234" });
  });

  test.runIf(uid !== 0)("says so when it may not be read", () => {
    const path = join(tempFolder(), "lock");
    writeFileSync(path, encodeLock(recordOf()));
    chmodSync(path, 0);
    expect(readLock(path, uid)).toEqual({ kind: "bad", why: "cannot be read: permission denied" });
  });
});
