/** Reads a socket into one buffer again and again, which spares an allocation and a copy for every read. */
import type { OnReadOpts, Socket } from "node:net";

/** Size of the buffer: as much as one TLS record of Go's and more. */
const BUFFER_BYTES = 64 * 1024;

/** Takes bytes; `kept` when their memory is still needed after the call. */
export type TakeBytes = (bytes: Buffer) => "taken" | "kept";

/**
 * What a socket reads into. Made before the socket, whose options it belongs to; a socket that was made without
 * {@link onread} delivers through `data` events instead.
 */
export class Intake {
  /** For `net.connect` and `tls.connect`. */
  readonly onread: OnReadOpts;
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #take: TakeBytes | undefined;

  constructor() {
    this.onread = {
      buffer: () => this.#buffer,
      callback: (bytes) => {
        if (this.#take?.(this.#buffer.subarray(0, bytes)) === "kept") {
          this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
        }
        return true; // whoever wants no more pauses the socket
      },
    };
  }

  /**
   * Called once, with the socket; it reads from then on, so as to notice an end. Bytes that come before anybody takes
   * them are nothing that was asked for: the socket is closed.
   */
  attach(socket: Socket): this {
    this.#take ??= () => {
      socket.destroy();
      return "taken";
    };
    socket.on("data", (chunk: Buffer) => void this.#take?.(chunk)); // which starts it, too
    return this;
  }

  /** From now on bytes go to `take`. */
  deliver(take: TakeBytes): void {
    this.#take = take;
  }
}
