/** Reads files that users name, which may be anything: a FIFO that nobody writes to, a device that has no end. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** What stands at the path is no file. `message` says what it is, to stand after a colon. */
export class NotAFile extends Error {}

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
