import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../../test/fakes/lockfolder.ts";
import { errnoOf } from "../../errno.ts";
import { makeFolder } from "./makefolder.ts";

function errnoOfMaking(path: string): string | undefined {
  try {
    makeFolder(path);
  } catch (thrown) {
    return errnoOf(thrown);
  }
  throw new Error("it was made");
}

test("a folder is made for us alone, and so are the parents it lacks", () => {
  const base = tempFolder();
  makeFolder(join(base, "a", "b", "c"));
  expect(["a", "a/b", "a/b/c"].map((path) => statSync(join(base, path)).mode & 0o777)).toEqual([
    0o700, 0o700, 0o700,
  ]);
});

test("a folder that is there stays as it is", () => {
  const path = join(tempFolder(), "open");
  mkdirSync(path, { mode: 0o750 });
  makeFolder(path);
  expect(statSync(path).mode & 0o777).toBe(0o750);
});

describe("a folder that cannot be made is given up at once", () => {
  test.each([
    {
      name: "below a file",
      spoil: (base: string) => writeFileSync(join(base, "x"), ""),
      errno: "ENOTDIR",
    },
    {
      name: "below a symlink that leads nowhere",
      spoil: (base: string) => symlinkSync(join(base, "nowhere"), join(base, "x")),
      errno: "ENOENT",
    },
  ])("$name", ({ spoil, errno }) => {
    const base = tempFolder();
    spoil(base);
    expect(errnoOfMaking(join(base, "x", "y", "z"))).toBe(errno);
  });

  test.runIf(existsSync("/proc/self"))("in a file system that takes none", () => {
    expect(errnoOfMaking("/proc/kfwd/a")).toBe("ENOENT");
  });
});
