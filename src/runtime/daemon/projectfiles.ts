/** The files of one project, and the name that leads to them. */
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { KfwdError } from "../../errors.ts";
import { errnoOf, fileTrouble } from "../../errno.ts";
import { makePrivateFolder, type PlaceFacts } from "./place.ts";

/** 16 hex digits. */
const ID_PATTERN = /^[0-9a-f]{16}$/;

/**
 * What names a project on this machine: 16 hex digits of its file's real path, the user, and the name given with `-p`
 * (`""` if none). A `name:` in the file is for show only: two checkouts of one repository are two projects.
 */
export function projectId(project: {
  readonly configPath: string;
  readonly uid: number | undefined;
  readonly explicitName: string;
}): string {
  const { configPath, uid, explicitName } = project;
  const text = `${realPath(configPath)}\0${uid ?? ""}\0${explicitName}`;
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** Symlinks resolved, as far as the path exists: `down` must find a project whose file is gone. */
export function realPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync.native(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(realPath(parent), basename(absolute));
  }
}

/** The files of one project. */
export interface ProjectFiles {
  readonly id: string;
  /** Private to the project; made when its lock is. */
  readonly folder: string;
  readonly lock: string;
}

export function projectFiles(runtimeFolder: string, id: string): ProjectFiles {
  const folder = join(runtimeFolder, id);
  return { id, folder, lock: join(folder, "lock") };
}

/** Every project that has a folder, running or not, in the order of their ids. */
export function listProjects(runtimeFolder: string): readonly ProjectFiles[] {
  let names: string[];
  try {
    names = readdirSync(runtimeFolder);
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return [];
    throw new KfwdError("RUNTIME_FOLDER", `cannot list folder "${runtimeFolder}": ${fileTrouble(thrown)}`, {
      cause: thrown,
    });
  }
  return names
    .filter((name) => ID_PATTERN.test(name))
    .sort()
    .map((id) => projectFiles(runtimeFolder, id));
}

/** Where a project's log goes: it outlives the runtime folder, so that a crash can be read after a reboot. */
export function logPath(facts: PlaceFacts, id: string): string {
  const { env, platform, home } = facts;
  const stateHome = env["XDG_STATE_HOME"];
  if (stateHome !== undefined && isAbsolute(stateHome)) return join(stateHome, "kfwd", id, "kfwd.log");
  const base =
    platform === "win32"
      ? (env["LOCALAPPDATA"] ?? join(home, "AppData", "Local"))
      : join(home, ".local", "state");
  return join(base, "kfwd", id, "kfwd.log");
}

/** Longest socket path, in bytes: macOS has room for 104 with the final zero, Linux for 108. Longer ones are cut silently. */
export const SOCKET_PATH_MAX_BYTES = 103;

/**
 * A new path for a control socket, 8 hex digits and `.sock`, in a folder that exists and is private. Each supervisor
 * has its own, so that an old one's end cannot remove a new one's socket. A project folder whose path leaves no room
 * is replaced by one below `/tmp`. On Windows it is the name of a pipe.
 * @throws KfwdError `RUNTIME_FOLDER`.
 */
export function newSocketPath(files: ProjectFiles, facts: PlaceFacts): string {
  const name = randomBytes(4).toString("hex");
  if (facts.platform === "win32") return `\\\\.\\pipe\\kfwd-${files.id}-${name}`;
  const short = join(`/tmp/kfwd-${facts.uid}`, files.id.slice(0, 8));
  const folder = fits(join(files.folder, `${name}.sock`)) ? files.folder : short;
  if (folder === short) makePrivateFolder(dirname(short), facts.uid);
  makePrivateFolder(folder, facts.uid);
  return join(folder, `${name}.sock`);
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES;
}
