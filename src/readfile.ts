/** Reads files that users name, which may be anything: a FIFO that nobody writes to, a device that has no end. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync, type Stats } from "node:fs";
import { errnoOf } from "./errno.ts";

/** More is read of no file that users name, and not of standard input, which may have no end. */
export const INPUT_MAX_BYTES = 4 * 1024 * 1024;

/** What stands at the path is no file. `message` says what it is, to stand after a colon. */
export class NotAFile extends Error {}

/** What stands at the path, links followed; undefined where nothing does. @throws what the system says otherwise. */
export function statIfThere(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOTDIR") return undefined; // a part of the path is a file
    throw thrown;
  }
}

/**
 * A regular file's bytes, at most the first `maxBytes`. Never waits for anybody but the disk.
 * @throws NotAFile, or what the system says.
 */
export function readRegularFile(path: string, maxBytes: number): Buffer {
  const { O_RDONLY, O_NONBLOCK } = constants;
  const fd = openSync(path, O_RDONLY | O_NONBLOCK); // opening a FIFO would wait for a writer
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new NotAFile(stat.isDirectory() ? "it is a folder" : "it is no regular file");
    const bytes = Buffer.alloc(Math.min(stat.size, maxBytes));
    return bytes.subarray(0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}
