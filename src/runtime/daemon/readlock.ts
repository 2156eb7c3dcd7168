/** Reads a lock that may be anything: whatever lies there is answered at once and followed nowhere. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { decodeClaim, decodeLock, LOCK_MAX_BYTES, type Decoded } from "../wire/lockrecord.ts";
import type { Claim, LockRecord } from "../wire/lockrecord.ts";
import { errnoOf, fileTrouble, isOutOfFiles } from "../../errno.ts";

/**
 * What lies at a path. `why` is to follow "it": `it is a named pipe`. `unseen`: it may be anything, because this process
 * has no file descriptor left to look with.
 */
export type Reading<T> =
  | { readonly kind: "none" }
  | { readonly kind: "unseen" }
  | { readonly kind: "value"; readonly value: T }
  | { readonly kind: "bad"; readonly why: string };

/** A lock; `uid` is ours, whose file it must be (undefined on Windows). */
export function readLock(path: string, uid: number | undefined): Reading<LockRecord> {
  return read(path, uid, decodeLock);
}

/** Who holds a lock, or is removing one. */
export function readClaim(path: string, uid: number | undefined): Reading<Claim> {
  return read(path, uid, decodeClaim);
}

function read<T>(path: string, uid: number | undefined, decode: (bytes: Buffer) => Decoded<T>): Reading<T> {
  let fd: number;
  try {
    // Without O_NONBLOCK a named pipe would keep us waiting for a writer.
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (thrown) {
    return unopened(thrown);
  }
  try {
    const trouble = troubleWith(fd, uid);
    return trouble === undefined ? decode(readUpTo(fd, LOCK_MAX_BYTES)) : { kind: "bad", why: trouble };
  } catch (thrown) {
    return { kind: "bad", why: `cannot be read: ${fileTrouble(thrown)}` };
  } finally {
    closeSync(fd);
  }
}

function unopened(
  thrown: unknown,
): { readonly kind: "none" | "unseen" } | { readonly kind: "bad"; readonly why: string } {
  if (isOutOfFiles(thrown)) return { kind: "unseen" };
  switch (errnoOf(thrown)) {
    case "ENOENT":
    case "ENOTDIR":
      return { kind: "none" };
    case "ELOOP":
      return { kind: "bad", why: "is a symbolic link" };
    case "ENXIO":
      return { kind: "bad", why: "is a socket" };
    case undefined:
    default:
      return { kind: "bad", why: `cannot be read: ${fileTrouble(thrown)}` };
  }
}

function troubleWith(fd: number, uid: number | undefined): string | undefined {
  const stat = fstatSync(fd);
  if (stat.isDirectory()) return "is a folder";
  if (stat.isFIFO()) return "is a named pipe";
  if (!stat.isFile()) return "is not a regular file";
  if (uid !== undefined && stat.uid !== uid) return `belongs to uid ${stat.uid}`;
  return stat.size > LOCK_MAX_BYTES ? `is larger than ${LOCK_MAX_BYTES / 1024} KiB` : undefined;
}

function readUpTo(fd: number, maxBytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(maxBytes);
  let length = 0;
  while (length < maxBytes) {
    const count = readSync(fd, buffer, length, maxBytes - length, null);
    if (count === 0) break;
    length += count;
  }
  return buffer.subarray(0, length);
}
