/** Puts a whole file in place at once, so that nobody ever reads half of one. */
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, rmdirSync, unlinkSync, writeSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KfwdError } from "../../errors.ts";
import { errnoOf, fileTrouble } from "../../errno.ts";

/** Temporary files are called this, a pid, and 8 hex digits. */
export const TEMP_PATTERN = /^t\.(\d{1,10})\.[0-9a-f]{8}$/;

/**
 * Creates `path` with these bytes, mode 0600, unless something is there: link(2) decides between many who try.
 * `folderGone`: somebody removed the empty folder meanwhile.
 * @throws KfwdError `RUNTIME_FOLDER`; nothing is left behind then.
 */
export function publishNew(path: string, bytes: Buffer): "published" | "exists" | "folderGone" {
  const temp = writeTemp(path, bytes);
  if (temp === undefined) return "folderGone";
  try {
    linkSync(temp, path);
  } catch (thrown) {
    switch (errnoOf(thrown)) {
      case "EEXIST":
        return "exists";
      case "ENOENT": // the temporary file was swept away with the folder
        return "folderGone";
      case undefined:
      default:
        throw unwritable(path, thrown);
    }
  } finally {
    removeFile(temp);
  }
  syncFolder(path);
  return "published";
}

/**
 * Replaces `path` by these bytes, mode 0600, surviving a power failure as either the old or the new. Does not block:
 * a supervisor carries traffic meanwhile, and a busy disk may take its time.
 * @throws KfwdError `RUNTIME_FOLDER`; the old file stands then.
 */
export async function replaceFile(path: string, bytes: Buffer): Promise<void> {
  const temp = tempPath(path);
  try {
    const file = await open(temp, "wx", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temp, path);
  } catch (thrown) {
    removeFile(temp);
    throw unwritable(path, thrown);
  }
}

/** Removes a file that may be gone already, or that cannot be removed: who needs to know looks again. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // gone already, or nothing we could do
  }
}

/** Best effort: the folder of a project that does not run need not be there. */
export function removeEmptyFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // somebody uses it, or it is gone
  }
}

function tempPath(path: string): string {
  return join(dirname(path), `t.${process.pid}.${randomBytes(4).toString("hex")}`);
}

function writeTemp(path: string, bytes: Buffer): string | undefined {
  const temp = tempPath(path);
  let fd: number;
  try {
    fd = openSync(temp, "wx", 0o600);
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return undefined;
    throw unwritable(path, thrown);
  }
  try {
    writeAll(fd, bytes);
    fsyncSync(fd);
  } catch (thrown) {
    removeFile(temp); // a full disk leaves a truncated file
    throw unwritable(path, thrown);
  } finally {
    closeSync(fd);
  }
  return temp;
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}

function syncFolder(path: string): void {
  try {
    const fd = openSync(dirname(path), "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // some file systems cannot: the name then survives a power failure only if we are lucky
  }
}

function unwritable(path: string, thrown: unknown): KfwdError {
  const why = noLinks(thrown) ? "its file system has no hard links" : fileTrouble(thrown);
  return new KfwdError("RUNTIME_FOLDER", `cannot write "${path}": ${why}`, { cause: thrown });
}

function noLinks(thrown: unknown): boolean {
  const isLink = thrown instanceof Error && "syscall" in thrown && thrown.syscall === "link";
  return isLink && ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(errnoOf(thrown) ?? "");
}
