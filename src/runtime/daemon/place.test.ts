import { chmodSync, chownSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { factsOf, tempFolder, uid } from "../../../test/fakes/lockfolder.ts";
import { KfwdError } from "../../errors.ts";
import { findRuntimeFolder, openRuntimeFolder, runtimeCandidates } from "./place.ts";

function errorOf(work: () => unknown): KfwdError {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof KfwdError) return thrown;
  }
  throw new Error("no KfwdError");
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

describe("the candidates", () => {
  const linux = (env: Record<string, string>) =>
    runtimeCandidates(factsOf(env, { uid: 1000, platform: "linux" })).map((c) => c.path);

  test("on Linux: what was named, else the login's folder, else /tmp", () => {
    expect(linux({ KFWD_RUNTIME_DIR: "/k", XDG_RUNTIME_DIR: "/x" })).toEqual(["/k"]);
    expect(linux({ XDG_RUNTIME_DIR: "/x" })).toEqual(["/x/kfwd", "/run/user/1000/kfwd", "/tmp/kfwd-1000"]);
    expect(linux({ KFWD_RUNTIME_DIR: "", XDG_RUNTIME_DIR: "" })).toEqual([
      "/run/user/1000/kfwd",
      "/tmp/kfwd-1000",
    ]);
  });

  test("a relative XDG_RUNTIME_DIR is ignored, as its specification says", () => {
    expect(linux({ XDG_RUNTIME_DIR: "run" })).toEqual(["/run/user/1000/kfwd", "/tmp/kfwd-1000"]);
  });

  test("a relative KFWD_RUNTIME_DIR is an error", () => {
    const error = errorOf(() => linux({ KFWD_RUNTIME_DIR: "run" }));
    expect(error.code).toBe("RUNTIME_FOLDER");
    expect(error.message).toContain('"run": it is not an absolute path');
  });

  test("on macOS the user's temporary folder comes before /tmp", () => {
    const facts = factsOf({ TMPDIR: "/var/folders/xy/T/" }, { uid: 501, platform: "darwin" });
    expect(runtimeCandidates(facts).map((c) => c.path)).toEqual([
      "/var/folders/xy/T/kfwd-501",
      "/tmp/kfwd-501",
    ]);
  });
});

describe("the runtime folder", () => {
  test("is made, with its parents, for us alone", () => {
    const base = tempFolder();
    const path = join(base, "a", "b");
    expect(openRuntimeFolder(factsOf({ KFWD_RUNTIME_DIR: path }))).toBe(path);
    expect([modeOf(path), modeOf(join(base, "a"))]).toEqual([0o700, 0o700]);
    expect(openRuntimeFolder(factsOf({ KFWD_RUNTIME_DIR: path }))).toBe(path);
  });

  test("is only looked for by those who only look", () => {
    const path = join(tempFolder(), "run");
    expect(findRuntimeFolder(factsOf({ KFWD_RUNTIME_DIR: path }))).toBe(path);
    expect(existsSync(path)).toBe(false);
  });

  test("of the login is taken when the login's folder is ours", () => {
    const base = tempFolder();
    expect(openRuntimeFolder(factsOf({ XDG_RUNTIME_DIR: base }))).toBe(join(base, "kfwd"));
  });

  test("of the login is passed over when that folder is missing or another user's", () => {
    const base = tempFolder();
    const missing = factsOf({ XDG_RUNTIME_DIR: join(base, "gone") }, { platform: "linux", uid: 4_000_000 });
    expect(findRuntimeFolder(missing)).toBe("/tmp/kfwd-4000000");
    const anothers = factsOf({ XDG_RUNTIME_DIR: base }, { uid: 4_000_000 });
    expect(findRuntimeFolder(anothers)).toBe("/tmp/kfwd-4000000");
    expect(existsSync(join(base, "kfwd"))).toBe(false);
  });

  test("of the login is passed over when nobody can tell whose that folder is", () => {
    const circle = join(tempFolder(), "circle");
    symlinkSync(circle, circle);
    const facts = factsOf({ XDG_RUNTIME_DIR: circle }, { platform: "linux", uid: 4_000_000 });
    expect(findRuntimeFolder(facts)).toBe("/tmp/kfwd-4000000");
  });

  const asRoot = test.runIf(uid === 0);

  test.each([
    {
      name: "others may enter",
      make: (path: string) => (mkdirSync(path), chmodSync(path, 0o755)),
      why: "others can use it (mode 0755, wanted 0700)",
      hint: (path: string) => `chmod 700 ${path}`,
    },
    {
      name: "its group may read",
      make: (path: string) => (mkdirSync(path), chmodSync(path, 0o740)),
      why: "others can use it (mode 0740, wanted 0700)",
      hint: (path: string) => `chmod 700 ${path}`,
    },
    {
      name: "it is a symlink to a good folder",
      make: (path: string) => (mkdirSync(`${path}.real`, { mode: 0o700 }), symlinkSync(`${path}.real`, path)),
      why: "it is a symbolic link",
      hint: (path: string) => `rm ${path}`,
    },
    {
      name: "it is a symlink to nothing",
      make: (path: string) => symlinkSync(`${path}.none`, path),
      why: "it is a symbolic link",
      hint: (path: string) => `rm ${path}`,
    },
    {
      name: "it is a file",
      make: (path: string) => writeFileSync(path, ""),
      why: "it is not a folder",
      hint: (path: string) => `rm ${path}`,
    },
  ])("is refused, not repaired, when $name", ({ make, why, hint }) => {
    const base = tempFolder();
    const path = join(base, "kfwd");
    make(path);
    const before = statSync(path, { throwIfNoEntry: false })?.mode;
    for (const use of [openRuntimeFolder, findRuntimeFolder]) {
      const error = errorOf(() => use(factsOf({ XDG_RUNTIME_DIR: base })));
      expect(error).toMatchObject({ code: "RUNTIME_FOLDER", hint: hint(path) });
      expect(error.message).toBe(`cannot use folder "${path}": ${why}`);
      const named = errorOf(() => use(factsOf({ KFWD_RUNTIME_DIR: path })));
      expect([named.code, named.message]).toEqual([error.code, error.message]);
    }
    expect(statSync(path, { throwIfNoEntry: false })?.mode).toBe(before);
  });

  test("that a user has named is never to be changed or removed", () => {
    const folder = join(tempFolder(), "tmp");
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    const file = join(folder, "file");
    writeFileSync(file, "");
    const hintFor = (path: string) =>
      errorOf(() => openRuntimeFolder(factsOf({ KFWD_RUNTIME_DIR: path }))).hint;
    expect(hintFor(folder)).toBe(`export KFWD_RUNTIME_DIR=${folder}/kfwd`);
    expect(hintFor(file)).toBe("name another folder with KFWD_RUNTIME_DIR");
    expect(hintFor("/")).toBe("export KFWD_RUNTIME_DIR=/kfwd");
  });

  asRoot("is refused when it is another user's", () => {
    const base = join(tempFolder(), "run dir");
    const path = join(base, "kfwd");
    mkdirSync(path, { mode: 0o700, recursive: true });
    chownSync(path, 1234, 1234);
    const error = errorOf(() => openRuntimeFolder(factsOf({ XDG_RUNTIME_DIR: base })));
    expect(error.message).toContain("it is owned by uid 1234");
    expect(error.hint).toBe(`sudo rm -r '${path}'`);
  });

  asRoot("of root makes an ordinary user think of sudo, unless he has named it", () => {
    const base = tempFolder();
    const path = join(base, "kfwd");
    mkdirSync(path, { mode: 0o700 });
    chownSync(base, 1234, 1234);
    const facts = (env: Record<string, string>) => factsOf(env, { uid: 1234 });
    const error = errorOf(() => openRuntimeFolder(facts({ XDG_RUNTIME_DIR: base })));
    expect(error.message).toContain("owned by root: was kfwd run with sudo?");
    const named = errorOf(() => openRuntimeFolder(facts({ KFWD_RUNTIME_DIR: path })));
    expect(named.message).toContain("it is owned by uid 0");
    expect(named.hint).not.toContain("sudo");
  });

  test("a path through a file is an error with its reason", () => {
    const file = join(tempFolder(), "file");
    writeFileSync(file, "");
    const error = errorOf(() => openRuntimeFolder(factsOf({ KFWD_RUNTIME_DIR: join(file, "run") })));
    expect(error.message).toContain("a part of the path is not a folder");
  });
});
