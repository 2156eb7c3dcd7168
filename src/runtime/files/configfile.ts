/** Finds and reads forwards.yaml: the I/O that src/schema must not do. */
import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { errnoOf, fileTrouble } from "../../errno.ts";
import { KfwdError } from "../../errors.ts";
import { NotAFile, readRegularFile, statIfThere } from "../../readfile.ts";

/** Looked for in each folder, in this order. */
const CONFIG_NAMES = ["forwards.yaml", "forwards.yml", "kfwd.yaml", "kfwd.yml"] as const;

/** More than a file may have: the parser refuses it by its length, without reading on. */
export const READ_MAX_BYTES = 512 * 1024;

/** Where a search starts and ends. */
export interface Search {
  readonly cwd: string;
  /** The search goes up from `cwd` and does not pass this folder. */
  readonly home: string;
}

/**
 * The absolute path of the project's file: `named` if given, else the first of {@link CONFIG_NAMES} in the working
 * folder or one of its parents.
 * @throws KfwdError `CONFIG_NOT_FOUND`.
 */
export function findConfig(search: Search, named: string | undefined): string {
  if (named !== undefined) return resolve(search.cwd, named);
  for (const folder of foldersUpwards(search)) {
    const found = CONFIG_NAMES.map((name) => join(folder, name)).find(isThere);
    if (found !== undefined) return found;
  }
  throw new KfwdError("CONFIG_NOT_FOUND", `no forwards.yaml in ${search.cwd} or its parents`);
}

/** Names of the files beside a found one that would have been taken in its place; links to the same file are not told. */
export function rivalsOf(path: string): readonly string[] {
  const folder = dirname(path);
  const own = CONFIG_NAMES.findIndex((name) => name === basename(path));
  return CONFIG_NAMES.slice(own + 1).filter((name) => {
    const rival = join(folder, name);
    return isThere(rival) && realIfThere(rival) !== realIfThere(path);
  });
}

function realIfThere(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}

/** The working folder and its parents, up to the home folder or the root. */
export function foldersUpwards({ cwd, home }: Search): readonly string[] {
  const folders = foldersAbove(resolve(cwd));
  const last = folders.indexOf(home);
  return last === -1 ? folders : folders.slice(0, last + 1);
}

/** A folder and all its parents, the folder first. */
export function foldersAbove(folder: string): readonly string[] {
  const folders = [folder];
  for (let at = folder; at !== dirname(at); at = dirname(at)) folders.push(dirname(at));
  return folders;
}

/** A path as messages show it: relative to the working folder if it is below. */
export function shownPath(path: string, cwd: string): string {
  const fromCwd = relative(cwd, path);
  return fromCwd === "" || fromCwd.startsWith("..") ? path : fromCwd;
}

/** A file as it was read. */
export interface ConfigText {
  /** Absolute, symlinks resolved; null for standard input. */
  readonly path: string | null;
  /** As messages name it: relative to the working folder. */
  readonly shownAs: string;
  /** Relative paths in the file start here. */
  readonly folder: string;
  readonly text: string;
  /** Of the bytes, in hex. */
  readonly sha256: string;
}

/** @throws KfwdError `CONFIG_NOT_FOUND`, `CONFIG_UNREADABLE`. */
export function readConfig(path: string, cwd: string): ConfigText {
  const bytes = readBytes(path);
  const real = realpathSync.native(path);
  return {
    path: real,
    shownAs: shownPath(path, cwd),
    folder: dirname(real),
    text: bytes.toString("utf8"),
    sha256: sha256(bytes),
  };
}

/** The path of `forwards.local.yaml` beside `forwards.yaml`, if it is there. */
export function localPathOf({ path, shownAs }: ConfigText, cwd: string): string | undefined {
  if (path === null) return undefined;
  const extension = extname(path);
  const local = join(dirname(resolve(cwd, shownAs)), `${basename(path, extension)}.local${extension}`);
  return statIfThere(local) === undefined ? undefined : local;
}

/** SHA-256 of the file's bytes in hex; undefined when it cannot be read. */
export function hashOfFile(path: string): string | undefined {
  try {
    return sha256(readBytes(path));
  } catch {
    return undefined;
  }
}

/** What came on standard input. */
export function configFromText(text: string, cwd: string): ConfigText {
  const bytes = Buffer.from(text);
  return { path: null, shownAs: "<stdin>", folder: cwd, text, sha256: sha256(bytes) };
}

/** The name of a project whose file has none: its folder's, in the characters a name may have. */
export function projectNameOf(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 63);
  return name === "" ? "default" : name;
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What cannot be looked at is there as well, since reading it tells why; not so in a folder that is closed to us. */
function isThere(path: string): boolean {
  try {
    return statIfThere(path) !== undefined;
  } catch (thrown) {
    return errnoOf(thrown) !== "EACCES";
  }
}

function readBytes(path: string): Buffer {
  try {
    return readRegularFile(path, READ_MAX_BYTES);
  } catch (thrown) {
    if (thrown instanceof NotAFile) throw unreadable(path, thrown.message, thrown);
    const errno = errnoOf(thrown) ?? "";
    if (errno === "ENOENT" || errno === "ENOTDIR") {
      throw new KfwdError("CONFIG_NOT_FOUND", `there is no file "${path}"`, { cause: thrown });
    }
    throw unreadable(path, fileTrouble(thrown), thrown);
  }
}

function unreadable(path: string, why: string, cause: unknown): KfwdError {
  return new KfwdError("CONFIG_UNREADABLE", `cannot read "${path}": ${why}`, { cause });
}
