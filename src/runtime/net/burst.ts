/** Joins what arrives in one burst, so that it leaves in one write: each costs the kernel as much as 16 KiB of bytes. */

/** How much is joined. */
const BURST_MAX_BYTES = 64 * 1024;

/** What is smaller and comes alone is an answer that somebody waits for; it is not held up. */
const ALONE_MAX_BYTES = 8 * 1024;

/** Writes; `kept` when the memory is still needed after the call. */
export type WriteBytes = (bytes: Buffer) => "taken" | "kept";

/**
 * One burst at a time, of one writer: bytes of another one send it off. It never waits longer than for what the event
 * loop has at hand.
 */
export class Burst {
  readonly #later: (send: () => void) => void;
  #memory = Buffer.allocUnsafeSlow(BURST_MAX_BYTES);
  #length = 0;
  #write: WriteBytes | undefined;
  #sending: "no" | "due" = "no";

  /** `later` calls once the event loop has handed out what had arrived. */
  constructor(later: (send: () => void) => void = setImmediate) {
    this.#later = later;
  }

  /** The same `write` for the same writer; it is called at once, or soon, with these bytes after its earlier ones. */
  add(bytes: Buffer, write: WriteBytes): "taken" | "kept" {
    if (this.#write !== write || this.#length + bytes.length > BURST_MAX_BYTES) this.send();
    const isAlone = this.#length === 0;
    if (isAlone && (bytes.length <= ALONE_MAX_BYTES || bytes.length >= BURST_MAX_BYTES)) return write(bytes);
    this.#write = write;
    bytes.copy(this.#memory, this.#length);
    this.#length += bytes.length;
    this.#sendLater();
    return "taken";
  }

  /** Sends what is waiting, of that writer or of any. */
  send(writer: WriteBytes | undefined = this.#write): void {
    const write = this.#write;
    if (write === undefined || write !== writer) return;
    const bytes = this.#memory.subarray(0, this.#length);
    this.#write = undefined;
    this.#length = 0;
    if (write(bytes) === "kept") this.#memory = Buffer.allocUnsafeSlow(BURST_MAX_BYTES);
  }

  #sendLater(): void {
    if (this.#sending === "due") return;
    this.#sending = "due";
    this.#later(() => {
      this.#sending = "no";
      this.send();
    });
  }
}
