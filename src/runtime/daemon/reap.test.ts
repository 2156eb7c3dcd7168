import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { longGone, projectIn, realDeps, recordOf, tempFolder } from "../../../test/fakes/lockfolder.ts";
import { encodeClaim, encodeLock, type Claim, type LockRecord } from "../wire/lockrecord.ts";
import { newInstance } from "./proof.ts";
import type { ProjectFiles } from "./projectfiles.ts";
import { reap } from "./reap.ts";

const dead = recordOf(longGone);

function lockedBy(record: LockRecord): ProjectFiles {
  const files = projectIn(tempFolder());
  mkdirSync(files.folder);
  writeFileSync(files.lock, encodeLock(record));
  return files;
}

/** A reaper that holds the right to remove what `instance` wrote, as of a process that ended or of this one. */
function claimOn(files: ProjectFiles, instance: string, over: Partial<Claim>): Claim {
  const claim = { schema: 1, instance: newInstance(), ...realDeps.here, ...over } as const;
  writeFileSync(join(files.folder, `reap.${instance}`), encodeClaim(claim));
  return claim;
}

/** Calls until it is done, and tells how often that was. */
function reapAll(files: ProjectFiles, instance: string): number {
  for (let calls = 1; ; calls++) if (reap(realDeps, files, instance) === "done") return calls;
}

describe("reap", () => {
  test("removes the lock of the dead, and leaves nothing else", () => {
    const files = lockedBy(dead);
    expect(reap(realDeps, files, dead.instance)).toBe("done");
    expect(readdirSync(files.folder)).toEqual([]);
  });

  test("leaves the lock of whoever came since", () => {
    const next = recordOf();
    const files = lockedBy(next);
    expect(reap(realDeps, files, dead.instance)).toBe("done");
    expect(readdirSync(files.folder)).toEqual(["lock"]);
  });

  test("is done where the lock, or the folder, is gone already", () => {
    const files = lockedBy(dead);
    reapAll(files, dead.instance);
    expect(reap(realDeps, files, dead.instance)).toBe("done");
    expect(reap(realDeps, projectIn(tempFolder()), dead.instance)).toBe("done");
  });

  test("keeps out while a living reaper is at it", () => {
    const files = lockedBy(dead);
    claimOn(files, dead.instance, {});
    expect(reap(realDeps, files, dead.instance)).toBe("busy");
    expect(existsSync(files.lock)).toBe(true);
    expect(readdirSync(files.folder).sort()).toEqual(["lock", `reap.${dead.instance}`]);
  });

  test("keeps out while nobody can tell whether the reaper lives", () => {
    const files = lockedBy(dead);
    claimOn(files, dead.instance, { pidNs: "pid:[1]" });
    expect(reap(realDeps, files, dead.instance)).toBe("busy");
    expect(existsSync(files.lock)).toBe(true);
  });

  test.each([1, 2, 5])("gets past %i reapers that died, each at the work of the one before", (count) => {
    const files = lockedBy(dead);
    let instance = dead.instance;
    for (let i = 0; i < count; i++) ({ instance } = claimOn(files, instance, longGone));
    expect(reapAll(files, dead.instance)).toBe(count + 1);
    expect(readdirSync(files.folder)).toEqual([]);
  });

  test("gets past more dead reapers than it follows in one go", () => {
    const files = lockedBy(dead);
    let instance = dead.instance;
    for (let i = 0; i < 6; i++) ({ instance } = claimOn(files, instance, longGone));
    reapAll(files, dead.instance);
    expect(existsSync(files.lock)).toBe(false);
  });
});
