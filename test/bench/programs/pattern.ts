/** The bytes that transfers carry: cheap to make and to check, and whatever is lost, doubled or swapped shows. */
import type { Socket } from "node:net";

/** A prime, so that no usual chunk size repeats in step with it. */
export const PERIOD_BYTES = 65_521;

const twice = twoPeriods();

/** `length` bytes (at most one period) of the endless pattern from `offset`; a view, not a copy. */
export function patternAt(offset: number, length: number): Buffer {
  const start = offset % PERIOD_BYTES;
  return twice.subarray(start, start + length);
}

/** Checks a byte stream against the pattern, chunk by chunk. */
export class PatternCheck {
  #bytes = 0;
  #wrong = false;

  /** Bytes seen. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether any byte differed. */
  get wrong(): boolean {
    return this.#wrong;
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      const part = chunk.subarray(at, at + PERIOD_BYTES);
      if (!part.equals(patternAt(this.#bytes, part.length))) this.#wrong = true;
      this.#bytes += part.length;
      at += part.length;
    }
  }
}

/** Writes `bytes` bytes of the pattern as fast as the socket takes them; does not end it. */
export async function sendPattern(socket: Socket, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; sent += PERIOD_BYTES) {
    const flowing = socket.write(patternAt(0, Math.min(PERIOD_BYTES, bytes - sent)));
    if (!flowing) await drained(socket);
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => (): void => {
      socket.off("drain", onDrain).off("close", onClose);
      outcome();
    };
    const onDrain = settle(resolve);
    const onClose = settle(() => reject(new Error("closed before everything was sent")));
    socket.on("drain", onDrain).on("close", onClose);
  });
}

function twoPeriods(): Buffer {
  const bytes = Buffer.alloc(2 * PERIOD_BYTES);
  let state = 0x9e3779b9;
  for (let at = 0; at < PERIOD_BYTES; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  bytes.copyWithin(PERIOD_BYTES, 0, PERIOD_BYTES);
  return bytes;
}
