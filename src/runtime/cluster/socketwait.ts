/** Waits for what a socket does next, within a time; a socket that does something else is closed. */
import type { Socket } from "node:net";
import type { Clock } from "../deps.ts";

/** How long a wait may take, and in which words it fails. */
export interface Bounds {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly ms: number;
  /** What is thrown when the time is over. */
  readonly late: () => Error;
  /** What is thrown for what the socket said. */
  readonly failed: (thrown: Error) => Error;
}

/** The same for a message that is read. */
export interface ReadBounds extends Bounds {
  readonly maxBytes: number;
  /** What is thrown for a message that is longer. */
  readonly tooLong: () => Error;
}

/**
 * Resolves when the event comes. From then on errors of the socket throw no more by themselves: whoever takes it over
 * has to look whether it is still alive.
 * @throws what `bounds` makes of it, or the signal's reason; the socket is closed then.
 */
export function reached(socket: Socket, event: "connect" | "secureConnect", bounds: Bounds): Promise<void> {
  return wait(socket, bounds, (done) => {
    const onEvent = (): void => done(undefined);
    socket.once(event, onEvent);
    return () => socket.off(event, onEvent);
  });
}

/**
 * Reads a message; what comes behind it stays in the socket, which is paused. `sizeOf` says how long the message is
 * once that can be told from what was read.
 * @throws as {@link reached}.
 */
export function readMessage(
  socket: Socket,
  sizeOf: (read: Buffer) => number | undefined,
  bounds: ReadBounds,
): Promise<Buffer> {
  return wait(socket, bounds, (done, fail) => {
    let read = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      read = Buffer.concat([read, chunk]);
      const size = sizeOf(read);
      if (size !== undefined && size <= read.length) {
        done(read.subarray(0, size));
        if (size < read.length) socket.unshift(read.subarray(size));
      } else if (read.length > bounds.maxBytes) fail(bounds.tooLong());
    };
    const onEnd = (): void => fail(bounds.failed(new Error(CLOSED)));
    socket.on("data", onData).on("end", onEnd).resume();
    return () => socket.off("data", onData).off("end", onEnd).pause();
  });
}

const CLOSED = "connection closed";

function wait<T>(
  socket: Socket,
  { clock, signal, ms, late, failed }: Bounds,
  listen: (done: (value: T) => void, fail: (error: Error) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      deadline[Symbol.dispose]();
      signal.removeEventListener("abort", onAbort);
      stop();
      socket.off("error", onError).off("close", onClose).off("error", ignore).on("error", ignore);
      outcome();
    };
    const giveUp = (error: unknown): void =>
      settle(() => {
        socket.destroy();
        reject(error);
      });
    const onError = (error: Error): void => giveUp(failed(error));
    const onClose = (): void => giveUp(failed(socket.errored ?? new Error(CLOSED)));
    const onAbort = (): void => giveUp(signal.reason);
    const deadline = clock.timer(ms, () => giveUp(late()));
    const stop = listen((value) => settle(() => resolve(value)), giveUp);
    socket.on("error", onError).on("close", onClose);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    else if (socket.destroyed) onClose();
  });
}

/** What a dead socket still has to say. */
function ignore(): void {}
