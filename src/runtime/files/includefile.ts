/** Finds and reads the files that others include: inside the project's root alone, whatever links say. */
import { realpathSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { errnoOf, fileTrouble } from "../../errno.ts";
import { NotAFile, readRegularFile, statIfThere } from "../../readfile.ts";
import type { IncludeAnswer, IncludeReader } from "../../schema/includes.ts";
import { foldersAbove, READ_MAX_BYTES, shownPath } from "./configfile.ts";
import type { VariableSource } from "./variablefiles.ts";

const PACKAGE = /^pkg:((?:@[a-z0-9~][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*)\/(.+)$/;

/** The folder that a project's files must not leave: the git repository's, else that of the project's own file. */
export function projectRoot(folder: string): string {
  const repository = foldersAbove(folder).find((above) => isThere(join(above, ".git")));
  return repository ?? folder;
}

/** A reader for the includes of a project; what it has read is told to `onRead`. */
export function includeReader(
  around: {
    readonly root: string;
    readonly home: string;
    readonly cwd: string;
    readonly variables: VariableSource;
  },
  onRead: (path: string, bytes: Buffer) => void,
): IncludeReader {
  return (wanted, from) => {
    const found = locate(wanted, from.folder, around.root);
    if (typeof found !== "string") return found;
    try {
      const path = realpathSync.native(found);
      if (!isInside(path, around.root)) {
        const hint = `files may be included from ${around.root} and below`;
        return { kind: "refused", why: `it leads out of the project, to ${path}`, hint };
      }
      const bytes = readRegularFile(path, READ_MAX_BYTES);
      onRead(path, bytes);
      const folder = dirname(path);
      const file = {
        name: isInside(around.cwd, around.root) ? relative(around.cwd, found) : shownPath(found, around.cwd),
        path,
        folder,
        home: around.home,
        root: around.root,
        text: bytes.toString("utf8"),
        variables: around.variables.of(folder),
      };
      return { kind: "file", file };
    } catch (thrown) {
      return answerTo(thrown);
    }
  };
}

/** The path that is meant, or why there is none. */
function locate(wanted: string, folder: string, root: string): string | IncludeAnswer {
  const [, name, path] = PACKAGE.exec(wanted) ?? [];
  if (name !== undefined && path !== undefined) {
    const homes = foldersAbove(folder).filter((above) => isInside(above, root));
    const packages = homes.map((above) => join(above, "node_modules", name));
    const found = packages.find(isThere);
    return found === undefined ? { kind: "missing" } : join(found, path);
  }
  if (wanted.startsWith("pkg:")) {
    return { kind: "refused", why: "it names no file of a package", hint: "pkg:@acme/ports/forwards.yaml" };
  }
  if (isAbsolute(wanted) || wanted.startsWith("~")) {
    return {
      kind: "refused",
      why: "the path is not relative to this file",
      hint: "../platform/forwards.yaml",
    };
  }
  return resolve(folder, wanted);
}

function answerTo(thrown: unknown): IncludeAnswer {
  if (thrown instanceof NotAFile) return { kind: "refused", why: thrown.message };
  const errno = errnoOf(thrown);
  if (errno === undefined) throw thrown;
  return errno === "ENOENT" || errno === "ENOTDIR"
    ? { kind: "missing" }
    : { kind: "refused", why: fileTrouble(thrown) };
}

/** Whether a path is a folder or below it. */
export function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

function isThere(path: string): boolean {
  try {
    return statIfThere(path) !== undefined;
  } catch {
    return false;
  }
}
