/** Sends frames of one stream; false from `data`: the connection takes no more for now. */
export interface StreamOutput {
  data(streamId: number, bytes: Buffer): boolean;
  fin(streamId: number): void;
  reset(streamId: number): void;
  /** Calls back once when the connection takes data again. */
  whenDrained(resume: () => void): void;
  /** Both directions are over: the connection forgets the stream. */
  forget(streamId: number): void;
}

/**
 * The server's end of one SPDY stream, with moby/spdystream's semantics (`stream.go`): incoming data is handed over
 * only when someone reads, without any buffer in between. Data that comes after the last read waits for ever and holds
 * its frame worker, unless the client has ended the stream before.
 */
export class ServerStream {
  readonly id: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly #output: StreamOutput;
  /** The client's direction. */
  #input: "open" | "ended" = "open";
  /** Ours, as far as telling its end goes. */
  #ours: "open" | "finished" = "open";
  #reader: ((part: Buffer | undefined) => void) | undefined;
  #offered: { readonly part: Buffer; readonly taken: () => void } | undefined;

  constructor(id: number, headers: ReadonlyMap<string, string>, output: StreamOutput) {
    this.id = id;
    this.headers = headers;
    this.#output = output;
  }

  /** Data from the client; a promise while nobody has taken it. */
  offer(part: Buffer): Promise<void> | undefined {
    if (this.#input === "ended") return undefined;
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader(part);
      return undefined;
    }
    return new Promise((taken) => {
      this.#offered = { part, taken };
    });
  }

  /** The client will send nothing more. */
  endInput(): void {
    if (this.#input === "ended") return;
    this.#input = "ended";
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.(undefined);
    if (this.#ours === "finished") this.#output.forget(this.id);
  }

  /** The client resets the stream: it is forgotten, but what reads from it only sees an end. */
  abandon(): void {
    this.#ours = "finished";
    this.#output.forget(this.id);
    this.endInput();
  }

  /** Calls `take` once with the next data, or with undefined at the end of the client's direction. */
  read(take: (part: Buffer | undefined) => void): void {
    const offered = this.#offered;
    if (offered !== undefined) {
      this.#offered = undefined;
      take(offered.part);
      offered.taken();
    } else if (this.#input === "ended") {
      take(undefined);
    } else {
      this.#reader = take;
    }
  }

  /** False: hold back until {@link whenDrained}. */
  write(bytes: Buffer): boolean {
    return this.#output.data(this.id, bytes);
  }

  /** Calls back once when the connection takes data again. */
  whenDrained(resume: () => void): void {
    this.#output.whenDrained(resume);
  }

  /** Tells the client that nothing more will come. */
  close(): void {
    if (this.#ours === "finished") return;
    this.#ours = "finished";
    this.#output.fin(this.id);
    if (this.#input === "ended") this.#output.forget(this.id);
  }

  /** Ends both directions and frees what waits to be read; the client is told, unless it knows the end already. */
  reset(): void {
    this.#output.forget(this.id);
    this.#input = "ended";
    this.#offered?.taken();
    this.#offered = undefined;
    if (this.#ours === "finished") return;
    this.#ours = "finished";
    this.#output.reset(this.id);
  }
}
