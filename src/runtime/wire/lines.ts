/** Cuts a byte stream into lines: control messages and watch events are one JSON document a line. */

/** Takes chunks of any size. Holds at most one unfinished line of `maxBytes`. */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether the stream would end within a line if it ended now. */
  get unfinished(): boolean {
    return this.#bytes > 0;
  }

  /** The lines this chunk completes, without their ends; empty lines are left out. Undefined: a line is too long. */
  push(chunk: Buffer): readonly string[] | undefined {
    const lines: string[] = [];
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      const line = this.#finish(chunk.subarray(from, end));
      if (line === undefined) return undefined;
      if (line !== "") lines.push(line);
      from = end + 1;
    }
    return this.#keep(chunk.subarray(from)) ? lines : undefined;
  }

  #finish(tail: Buffer): string | undefined {
    if (!this.#keep(tail)) return undefined;
    const [first = tail] = this.#parts;
    const line = this.#parts.length <= 1 ? first : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    return line.toString("utf8");
  }

  #keep(part: Buffer): boolean {
    if (part.length === 0) return true;
    this.#parts.push(part);
    this.#bytes += part.length;
    return this.#bytes <= this.#maxBytes;
  }
}
