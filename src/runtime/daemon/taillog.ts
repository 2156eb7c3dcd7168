/** Reads the end of a log, for people. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** Longest end of a log that is looked at, in bytes. */
const TAIL_MAX_BYTES = 64 * 1024;

/**
 * The last `count` lines, as they stand in the file; none if it cannot be read. Only lines from byte `from` on, unless
 * the file has become shorter than that.
 */
export function tailLog(path: string, count: number, from = 0): readonly string[] {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return [];
  }
  try {
    const lines = endOf(fd, from).split("\n");
    if (lines.at(-1) === "") lines.pop();
    return lines.slice(-count);
  } catch {
    return [];
  } finally {
    closeSync(fd);
  }
}

function endOf(fd: number, wantedFrom: number): string {
  const stat = fstatSync(fd);
  if (!stat.isFile()) return "";
  const first = wantedFrom <= stat.size ? wantedFrom : 0; // it has been rotated
  const from = Math.max(first, stat.size - TAIL_MAX_BYTES);
  const buffer = Buffer.allocUnsafe(stat.size - from);
  const length = readSync(fd, buffer, 0, buffer.length, from);
  const text = buffer.toString("utf8", 0, length);
  return from === first ? text : text.slice(text.indexOf("\n") + 1); // the first line is cut
}
