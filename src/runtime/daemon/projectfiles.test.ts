import { createServer } from "node:net";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { factsOf, projectIn, tempFolder, uid } from "../../../test/fakes/lockfolder.ts";
import { makePrivateFolder } from "./place.ts";
import { removeEmptyFolder } from "./publish.ts";
import {
  listProjects,
  logPath,
  newSocketPath,
  projectFiles,
  projectId,
  SOCKET_PATH_MAX_BYTES,
} from "./projectfiles.ts";

describe("a project's id", () => {
  const idOf = (configPath: string, explicitName = "", user: number | undefined = 1000) =>
    projectId({ configPath, explicitName, uid: user });

  function project(): { readonly folder: string; readonly file: string } {
    const folder = join(tempFolder(), "shop");
    mkdirSync(folder);
    const file = join(folder, "forwards.yaml");
    writeFileSync(file, "");
    return { folder, file };
  }

  test("is 16 hex digits, and the same each time", () => {
    const { file } = project();
    expect(idOf(file)).toMatch(/^[0-9a-f]{16}$/);
    expect(idOf(file)).toBe(idOf(file));
  });

  test("is the same through a symlinked folder and through dots", () => {
    const { folder, file } = project();
    symlinkSync(folder, `${folder}.link`);
    expect(idOf(join(`${folder}.link`, "forwards.yaml"))).toBe(idOf(file));
    expect(idOf(`${folder}/../shop/./forwards.yaml`)).toBe(idOf(file));
  });

  test("differs by file, by user and by the name given", () => {
    const { file } = project();
    const ids = [idOf(file), idOf(`${file}.2`), idOf(file, "shop-2"), idOf(file, "", 1001)];
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("stays when the file is gone, and when its folder is", () => {
    const { folder, file } = project();
    symlinkSync(folder, `${folder}.link`);
    const before = idOf(file);
    rmSync(file);
    expect(idOf(join(`${folder}.link`, "forwards.yaml"))).toBe(before);
    renameSync(folder, `${folder}.moved`);
    expect(idOf(file)).toBe(before);
  });
});

function removeShort(folder: string): void {
  removeEmptyFolder(folder);
  removeEmptyFolder(dirname(folder));
}

describe("a socket's path", () => {
  test("is in the project's folder, and new each time", () => {
    const files = projectIn(tempFolder());
    const [first, second] = [newSocketPath(files, factsOf({})), newSocketPath(files, factsOf({}))];
    expect(first).not.toBe(second);
    expect(dirname(first)).toBe(files.folder);
    expect(first).toMatch(/\/[0-9a-f]{8}\.sock$/);
  });

  test.each([0, 1])(
    "is short enough to be bound whole where the folder leaves %i bytes too few",
    (missing) => {
      const base = tempFolder();
      const room = SOCKET_PATH_MAX_BYTES - `${base}//0123456789abcdef/deadbeef.sock`.length + missing;
      const runtime = join(base, "x".repeat(room));
      mkdirSync(runtime, { mode: 0o700 });
      const path = newSocketPath(projectFiles(runtime, "0123456789abcdef"), factsOf({}));
      const short = `/tmp/kfwd-${uid}/01234567`;
      if (missing === 1) onTestFinished(() => removeShort(short));
      expect(dirname(path)).toBe(missing === 0 ? join(runtime, "0123456789abcdef") : short);
      expect(Buffer.byteLength(path)).toBeLessThanOrEqual(SOCKET_PATH_MAX_BYTES);
    },
  );

  test("counts bytes, not letters", () => {
    const runtime = join(tempFolder(), "é".repeat(35));
    mkdirSync(runtime, { mode: 0o700 });
    const path = newSocketPath(projectFiles(runtime, "fedcba9876543210"), factsOf({}));
    onTestFinished(() => removeShort(dirname(path)));
    expect(dirname(path)).toBe(`/tmp/kfwd-${uid}/fedcba98`);
  });

  test("is a pipe's name on Windows", () => {
    const facts = factsOf({}, { platform: "win32", uid: undefined });
    expect(newSocketPath(projectIn("C:\\kfwd"), facts)).toMatch(
      /^\\\\\.\\pipe\\kfwd-0123456789abcdef-[0-9a-f]{8}$/,
    );
  });

  test("at the limit is bound as it is: nothing is cut off", async () => {
    const base = tempFolder();
    const path = join(base, "s".repeat(SOCKET_PATH_MAX_BYTES - base.length - 1));
    expect(Buffer.byteLength(path)).toBe(SOCKET_PATH_MAX_BYTES);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => void server.close());
    expect(server.address()).toBe(path);
  });
});

describe("projects", () => {
  test("are found by their folders, and nothing else is", () => {
    const runtime = tempFolder();
    const ids = ["ffffffffffffffff", "0000000000000000"];
    for (const id of ids) makePrivateFolder(projectFiles(runtime, id).folder, uid);
    mkdirSync(join(runtime, "not-an-id"));
    writeFileSync(join(runtime, "lock"), "");
    expect(listProjects(runtime)).toEqual([...ids].sort().map((id) => projectFiles(runtime, id)));
  });

  test("are none where there is no folder", () => {
    expect(listProjects(join(tempFolder(), "gone"))).toEqual([]);
  });
});

describe("the log's path", () => {
  test.each([
    { env: { XDG_STATE_HOME: "/s" }, wanted: "/s/kfwd/ab/kfwd.log" },
    { env: { XDG_STATE_HOME: "relative" }, wanted: "/home/ann/.local/state/kfwd/ab/kfwd.log" },
    { env: {}, wanted: "/home/ann/.local/state/kfwd/ab/kfwd.log" },
  ])("with $env is $wanted", ({ env, wanted }) => {
    expect(logPath(factsOf(env, { platform: "linux", home: "/home/ann" }), "ab")).toBe(wanted);
  });
});
