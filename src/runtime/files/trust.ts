/**
 * Which files this user has allowed to do what a file of a stranger must not: each by its real path and contents, so
 * that any change asks again. A mark is a file whose name is the hash of both.
 */
import { createHash } from "node:crypto";
import { lstatSync, statSync, writeFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { fileTrouble } from "../../errno.ts";
import { KfwdError } from "../../errors.ts";
import { makeFolder } from "../daemon/makefolder.ts";
import type { PlaceFacts } from "../daemon/place.ts";

/** A file whose contents were read. */
export interface ReadFile {
  readonly path: string;
  readonly sha256: string;
}

/** Whether every one of the files is allowed as it is now. */
export function areTrusted(files: readonly ReadFile[], facts: PlaceFacts): boolean {
  const folder = trustFolder(facts);
  return isPrivate(folder, facts.uid) && files.every((file) => isFile(join(folder, markOf(file))));
}

/** Allows the files as they are now. @throws KfwdError `STATE_FOLDER`. */
export function trust(files: readonly ReadFile[], facts: PlaceFacts): void {
  const folder = trustFolder(facts);
  try {
    makeFolder(folder);
    if (!isPrivate(folder, facts.uid)) {
      const hint = `chmod 700 ${folder}`;
      throw new KfwdError("STATE_FOLDER", `cannot use folder "${folder}": others can write to it`, { hint });
    }
    for (const file of files) writeFileSync(join(folder, markOf(file)), `${file.path}\n`, { mode: 0o600 });
  } catch (thrown) {
    if (thrown instanceof KfwdError) throw thrown;
    const message = `cannot write to folder "${folder}": ${fileTrouble(thrown)}`;
    throw new KfwdError("STATE_FOLDER", message, {
      cause: thrown,
      hint: "name another one with XDG_DATA_HOME",
    });
  }
}

/** Where the marks are kept; it may not be there. */
export function trustFolder({ env, platform, home }: PlaceFacts): string {
  const named = env["XDG_DATA_HOME"];
  if (named !== undefined && isAbsolute(named)) return join(named, "kfwd", "trust");
  const base =
    platform === "win32"
      ? (env["LOCALAPPDATA"] ?? join(home, "AppData", "Local"))
      : join(home, ".local", "share");
  return join(base, "kfwd", "trust");
}

function markOf({ path, sha256 }: ReadFile): string {
  return createHash("sha256").update(`${path}\0${sha256}`).digest("hex");
}

/** A folder that others can write to says nothing about what this user allowed. */
function isPrivate(folder: string, uid: number | undefined): boolean {
  try {
    const stat = lstatSync(folder);
    return stat.isDirectory() && (uid === undefined || (stat.uid === uid && (stat.mode & 0o022) === 0));
  } catch {
    return false;
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
