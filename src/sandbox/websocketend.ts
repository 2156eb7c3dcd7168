/** The server's end of a WebSocket: frames over a pipe, with the control frames answered. */
import {
  BINARY,
  CLOSE_NORMAL,
  CLOSE_PROTOCOL_ERROR,
  CONTINUATION,
  WebSocketDecoder,
  closeFrame,
  frameHeader,
  pongFrame,
  type MessageKind,
} from "../runtime/wire/websocket.ts";
import type { BytePipe, PipeEvents } from "./bytepipe.ts";

/** What comes out of a WebSocket. What throws in them breaks the WebSocket, as a frame that is none does. */
export interface WebSocketEvents {
  onData(part: Buffer, kind: MessageKind): void;
  onMessageEnd(kind: MessageKind): void;
  onDrain(): void;
  /** The last call: it was closed by either side, or broke. */
  onClose(): void;
}

/** What went wrong with frames, asked before each. */
export interface FrameFaults {
  /** No PING is answered. */
  readonly ignorePings: boolean;
  /** Every byte of a message goes out in a frame of its own. */
  readonly splitFrames: boolean;
}

/** One WebSocket. Once closed it sends and tells nothing more. */
export class WebSocketEnd {
  readonly #pipe: BytePipe;
  readonly #events: WebSocketEvents;
  readonly #faults: FrameFaults;
  #life: "open" | "over" = "open";

  /** `open` makes the pipe; the WebSocket ends it. */
  constructor(open: (events: PipeEvents) => BytePipe, events: WebSocketEvents, faults: FrameFaults) {
    this.#events = events;
    this.#faults = faults;
    const decoder = this.#decoder();
    this.#pipe = open({
      onBytes: (chunk) => {
        if (this.#life === "over") return;
        try {
          decoder.push(chunk);
        } catch {
          this.close(CLOSE_PROTOCOL_ERROR);
        }
      },
      onDrain: () => events.onDrain(),
      onClose: () => this.#end(),
    });
  }

  /** Sends a message that has been put into frames. False: hold further ones back until `onDrain`. */
  send(frames: readonly Buffer[]): boolean {
    if (this.#life === "over") return true;
    const all = this.#faults.splitFrames ? crumbs(frames) : frames;
    this.#pipe.cork();
    return all.reduce((_, frame) => this.#pipe.write(frame), true);
  }

  /** Says a close and ends the connection. */
  close(code: number = CLOSE_NORMAL): void {
    if (this.#life === "over") return;
    this.#pipe.write(closeFrame(code));
    this.#pipe.end();
    this.#pipe.resume(); // the client's end comes behind what nobody reads any more
    this.#end();
  }

  /** Stops and restarts what comes, control frames included. */
  pause(): void {
    if (this.#life === "open") this.#pipe.pause();
  }

  resume(): void {
    this.#pipe.resume();
  }

  silence(): void {
    this.#pipe.silence();
  }

  destroy(): void {
    this.#pipe.destroy();
  }

  #decoder(): WebSocketDecoder {
    const ifOpen = <A extends readonly unknown[]>(tell: (...args: A) => void) => {
      return (...args: A): void => {
        if (this.#life === "open") tell(...args);
      };
    };
    return new WebSocketDecoder(
      {
        onData: ifOpen((part, kind) => this.#events.onData(part, kind)),
        onMessageEnd: ifOpen((kind) => this.#events.onMessageEnd(kind)),
        onPing: ifOpen((payload) => {
          if (!this.#faults.ignorePings) this.#pipe.write(pongFrame(payload));
        }),
        onPong: () => {}, // of a PING that nobody sent
        onClose: ifOpen((code) => this.close(code)),
      },
      "client",
    );
  }

  #end(): void {
    if (this.#life === "over") return;
    this.#life = "over";
    this.#events.onClose();
  }
}

/** How much gorilla/websocket keeps in its buffer before it sends a frame, and from where on it does not use it. */
const BUFFER_BYTES = 4096;
const UNBUFFERED_BYTES = 2 * BUFFER_BYTES;

/**
 * The bytes as one message, in the frames that gorilla/websocket makes of one write (`conn.go`): a large one goes out
 * at once, in a frame that is not final because the writer cannot know, and the end of the message behind it is empty.
 */
export function tunnelMessage(bytes: Buffer): readonly Buffer[] {
  if (bytes.length <= BUFFER_BYTES) return [frameHeader(bytes.length), bytes];
  const first = bytes.length > UNBUFFERED_BYTES ? bytes : bytes.subarray(0, BUFFER_BYTES);
  const rest = bytes.subarray(first.length);
  const end = frameHeader(rest.length, { opcode: CONTINUATION });
  return [frameHeader(first.length, { final: false }), first, end, rest];
}

/** The same message with every byte in a frame of its own. */
function crumbs(frames: readonly Buffer[]): readonly Buffer[] {
  const payload: Buffer[] = [];
  const sink = { onMessageEnd: () => {}, onPing: () => {}, onPong: () => {}, onClose: () => {} };
  const decoder = new WebSocketDecoder({ ...sink, onData: (part) => void payload.push(part) }, "server");
  for (const frame of frames) decoder.push(frame);
  const bytes = Buffer.concat(payload);
  return Array.from(bytes, (byte, i) => {
    const opcode = i === 0 ? BINARY : CONTINUATION;
    return Buffer.concat([frameHeader(1, { opcode, final: i === bytes.length - 1 }), Buffer.of(byte)]);
  });
}
