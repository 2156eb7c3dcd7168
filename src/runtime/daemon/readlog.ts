/** Reads a log and its rotated predecessors, and goes on reading where it ends, whoever writes it then. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { FILES_KEPT } from "./log.ts";

const CHUNK_BYTES = 256 * 1024;

/** Longer lines than any log has are left out. */
const LINE_MAX_BYTES = 1024 * 1024;

interface OpenLog {
  readonly fd: number;
  readonly inode: string;
}

/** Reads from the oldest file that is kept. Disposing closes what it holds open. */
export class LogReader implements Disposable {
  readonly #path: string;
  #current: OpenLog | undefined;
  #readBytes = 0;
  #rest: Buffer[] = [];
  #restBytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Whether there is, or was, a log to read. */
  get found(): boolean {
    return this.#current !== undefined;
  }

  /** The whole lines that have been written since the last call, oldest first; the first call has all that are kept. */
  read(): readonly string[] {
    const lines: string[] = [];
    if (this.#current) this.#readOn(lines);
    for (const next of this.#newer()) {
      if (this.#current) this.#readOn(lines); // what was written between the last look and the rename
      this.#become(next);
      this.#readOn(lines);
    }
    return lines;
  }

  [Symbol.dispose](): void {
    if (this.#current) closeSync(this.#current.fd);
    this.#current = undefined;
  }

  /** The files that came after the current one, opened, oldest first; all of them while there is none. */
  #newer(): readonly OpenLog[] {
    const found: OpenLog[] = [];
    // The newest first: one that is moved aside meanwhile is met again by its new name, and known.
    for (let number = 0; number < FILES_KEPT; number++) {
      const file = open(number === 0 ? this.#path : `${this.#path}.${number}`);
      if (!file) continue;
      if (file.inode === this.#current?.inode) {
        closeSync(file.fd);
        break;
      }
      if (found.some(({ inode }) => inode === file.inode)) closeSync(file.fd);
      else found.unshift(file);
    }
    return found;
  }

  #become(next: OpenLog): void {
    if (this.#current) closeSync(this.#current.fd);
    this.#current = next;
    this.#readBytes = 0;
    this.#forget();
  }

  #readOn(lines: string[]): void {
    if (!this.#current) return;
    const { fd } = this.#current;
    if (fstatSync(fd).size < this.#readBytes) {
      this.#readBytes = 0; // somebody has emptied it
      this.#forget();
    }
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const count = readSync(fd, chunk, 0, chunk.length, this.#readBytes);
      if (count === 0) return;
      this.#readBytes += count;
      this.#split(chunk.subarray(0, count), lines);
    }
  }

  #split(chunk: Buffer, lines: string[]): void {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const length = this.#restBytes + end - from;
      if (length > 0 && length <= LINE_MAX_BYTES)
        lines.push(Buffer.concat([...this.#rest, chunk.subarray(from, end)]).toString("utf8"));
      this.#forget();
      from = end + 1;
    }
    this.#restBytes += chunk.length - from;
    if (this.#restBytes <= LINE_MAX_BYTES) this.#rest.push(Buffer.from(chunk.subarray(from)));
  }

  #forget(): void {
    this.#rest = [];
    this.#restBytes = 0;
  }
}

/** Undefined when it is not there, or no file of its own. */
function open(path: string): OpenLog | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const stat = fstatSync(fd, { bigint: true });
  if (stat.isFile()) return { fd, inode: `${stat.dev}:${stat.ino}` };
  closeSync(fd);
  return undefined;
}
