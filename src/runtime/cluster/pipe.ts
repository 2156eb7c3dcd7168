/** The bytes under an SPDY connection: a socket as it is, or one that speaks WebSocket. */
import type { Socket } from "node:net";
import type { Intake } from "./intake.ts";

/** What a pipe tells whoever speaks over it. */
export interface PipeHandler {
  /** A view of memory that is read into again, unless it answers `kept`. */
  onBytes(bytes: Buffer): "taken" | "kept";
  /** More may be written after {@link BytePipe.write} returned false. */
  onDrain(): void;
  /** Called once, in words for people; nothing follows. */
  onClose(why: string): void;
}

/** A byte stream in both directions with back-pressure. Disposing destroys the connection, without `onClose`. */
export interface BytePipe extends Disposable {
  /** Begins to read. To be called once. */
  start(handler: PipeHandler): void;
  /** What is written now is taken whole before `write` returns: its memory may be used again. */
  readonly takesAtOnce: boolean;
  /** `onDrain` is due. */
  readonly congested: boolean;
  /** How much room in front of `bytes` it wants to have for a header of its own, in bytes. */
  readonly headroomBytes: number;
  /**
   * False: wait for `onDrain` before the next. `headroom` is how many bytes in front of `bytes`, in the same memory,
   * may be overwritten. Unless {@link takesAtOnce}, the memory must not change afterwards.
   */
  write(bytes: Buffer, headroom: number): boolean;
  /** What is written until the end of this turn of the event loop goes out together. */
  gather(): void;
  pause(): void;
  resume(): void;
}

/** A socket as it is. Owns it. */
export class SocketPipe implements BytePipe {
  readonly headroomBytes = 0;
  readonly #socket: Socket;
  /** What came before it was started: of one read at most, as the socket is paused until then. */
  readonly #early: Buffer[];
  #gathering: "no" | "thisTurn" = "no";
  #handler: PipeHandler | undefined;
  /** Why it ended; it may do so before it is started. */
  #ended: string | undefined;

  /** `early` was read from the socket already, and comes first. */
  constructor(socket: Socket, intake: Intake, early: Buffer) {
    this.#socket = socket.pause();
    this.#early = [early];
    intake.deliver((bytes) => this.#deliver(bytes));
    socket.on("drain", () => this.#handler?.onDrain());
    socket.on("error", (error) => this.#end(`connection broke (${error.message})`));
    socket.on("end", () => this.#end("the API server closed the connection"));
    socket.on("close", () => this.#end("connection closed"));
  }

  start(handler: PipeHandler): void {
    this.#handler = handler;
    if (this.#ended === undefined) this.#socket.resume(); // first, as the handler may pause it
    for (const bytes of this.#early.splice(0)) if (bytes.length > 0) this.#deliver(bytes);
    if (this.#ended !== undefined) this.#tell(this.#ended);
  }

  /** TLS encrypts at once when nothing waits before it; TCP may hold on to what it was given. */
  get takesAtOnce(): boolean {
    return "encrypted" in this.#socket && this.#gathering === "no" && this.#socket.writableLength === 0;
  }

  get congested(): boolean {
    return this.#socket.writableNeedDrain;
  }

  write(bytes: Buffer): boolean {
    return this.#socket.write(bytes);
  }

  gather(): void {
    if (this.#gathering === "thisTurn") return;
    this.#gathering = "thisTurn";
    this.#socket.cork();
    process.nextTick(() => {
      this.#gathering = "no";
      this.#socket.uncork();
    });
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  [Symbol.dispose](): void {
    this.#handler = undefined;
    this.#socket.destroy();
  }

  #deliver(bytes: Buffer): "taken" | "kept" {
    if (this.#handler) return this.#handler.onBytes(bytes);
    if (this.#socket.destroyed) return "taken";
    this.#early.push(bytes); // several TLS records can come at once, whatever was said after the first
    return "kept";
  }

  #end(why: string): void {
    this.#ended ??= why;
    this.#socket.destroy();
    this.#tell(why);
  }

  #tell(why: string): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.onClose(why);
  }
}
