/** Bytes both ways under a SPDY connection, whatever carries them: an upgraded socket, or messages of a WebSocket. */
import type { Socket } from "node:net";

/** The way out, and the brake on the way in. */
export interface BytePipe {
  /** False: hold further writes back until `onDrain`. */
  write(bytes: Buffer): boolean;
  /** Collects the writes of this turn into one. */
  cork(): void;
  /** Stops and restarts `onBytes`. */
  pause(): void;
  resume(): void;
  /** Throws away what comes and sends nothing any more, except that the peer's end still ends it. */
  silence(): void;
  /** Ends it in order. */
  end(): void;
  /** Breaks it off. */
  destroy(): void;
}

/** What comes out of a pipe. */
export interface PipeEvents {
  /** The chunk is the receiver's to keep. */
  onBytes(chunk: Buffer): void;
  onDrain(): void;
  /** The last call: the peer ended or broke it, or `destroy` was called. */
  onClose(): void;
}

/** What went wrong on the way, asked before each write. */
export interface PipeFaults {
  /** Every byte goes out in a write of its own. */
  readonly splitBytes: boolean;
}

/** An upgraded socket as a pipe; the socket is destroyed when its peer ends it. */
export function socketPipe(socket: Socket, events: PipeEvents, faults: PipeFaults): BytePipe {
  socket.setNoDelay(true);
  let silent = false;
  socket.on("data", (chunk: Buffer) => {
    if (!silent) events.onBytes(chunk);
  });
  socket.on("drain", () => events.onDrain());
  socket.on("error", () => {}); // `close` follows
  socket.once("end", () => socket.destroy());
  socket.once("close", () => events.onClose());
  const drops = new Drops(socket);
  return {
    write: (bytes) => {
      if (!socket.writable || silent) return true;
      if (faults.splitBytes || drops.waiting) return drops.write(bytes);
      return socket.write(bytes);
    },
    cork: () => {
      if (socket.writableCorked > 0 || faults.splitBytes) return;
      socket.cork();
      process.nextTick(() => socket.uncork());
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    silence: () => {
      silent = true;
      drops.forget();
    },
    end: () => {
      if (!silent) drops.afterwards(() => socket.end());
    },
    destroy: () => void socket.destroy(),
  };
}

/** Writes byte by byte, each after the one before has left: writes that wait together would go out together. */
class Drops {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #done: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get waiting(): boolean {
    return this.#bytes.length > 0;
  }

  write(bytes: Buffer): boolean {
    const idle = !this.waiting;
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    if (idle) this.#drip();
    return true;
  }

  /** Calls back once all has left. */
  afterwards(done: () => void): void {
    this.#done = done;
    if (!this.waiting) this.#drip();
  }

  forget(): void {
    this.#bytes = Buffer.alloc(0);
  }

  #drip(): void {
    if (!this.waiting) {
      this.#done?.();
      this.#done = undefined;
      return;
    }
    this.#socket.write(this.#bytes.subarray(0, 1), (error) => {
      this.#bytes = error ? Buffer.alloc(0) : this.#bytes.subarray(1); // of nothing, if it was forgotten
      this.#drip();
    });
  }
}
