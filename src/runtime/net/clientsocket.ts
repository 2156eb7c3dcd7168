/** Reads all accepted clients into one piece of memory, with room for headers in front of what is read. */
import { Socket, type OnReadOpts } from "node:net";

/** Room in front of the bytes: more than SPDY's and WebSocket's headers together need (8 and 14). */
const HEADROOM_BYTES = 32;

/** One frame carries as much: two are no faster, and the server allocates a whole frame at once. */
const READ_MAX_BYTES = 64 * 1024;

/**
 * Takes what was read. The memory is lent for the call when there is headroom, and may be overwritten that far in
 * front of the chunk; it is given away when there is none.
 */
export type TakeChunk = (chunk: Buffer, headroom: number) => void;

/** Nobody holds on to it: a read fills it and hands it out within one turn of the event loop, one client at a time. */
const memory = Buffer.allocUnsafeSlow(HEADROOM_BYTES + READ_MAX_BYTES);
const lent = memory.subarray(HEADROOM_BYTES);

/**
 * Makes a socket that was accepted paused deliver to `take`; the result, still paused, stands for it from now on.
 * Node has no way to say this of an accepted socket, so where its inside is not as known (or where reads are begun
 * before there are bytes, as on Windows) the socket itself delivers, into memory of its own for each read.
 */
export function readInto(accepted: Socket, take: TakeChunk, platform = process.platform): Socket {
  const handle: unknown = Reflect.get(accepted, "_handle");
  if (platform === "win32" || !isStreamHandle(handle)) {
    accepted.on("data", (chunk: Buffer) => take(chunk, 0));
    return accepted.pause(); // a listener for `data` starts a socket
  }
  const onread: OnReadOpts = {
    buffer: () => lent,
    callback: (bytes) => {
      take(lent.subarray(0, bytes), HEADROOM_BYTES);
      return true; // whoever wants no more pauses the socket
    },
  };
  Reflect.set(accepted, "_handle", null);
  accepted.destroy(); // an empty shell now
  return new Socket(Object.assign({ allowHalfOpen: true, pauseOnCreate: true, onread }, { handle }));
}

function isStreamHandle(handle: unknown): boolean {
  return (
    typeof handle === "object" &&
    handle !== null &&
    "useUserBuffer" in handle &&
    typeof handle.useUserBuffer === "function"
  );
}
