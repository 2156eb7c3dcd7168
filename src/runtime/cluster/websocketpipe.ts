/** A client's WebSocket over an upgraded socket, and the bytes in its binary messages. */
import { randomBytes } from "node:crypto";
import { KfwdError } from "../../errors.ts";
import {
  BINARY,
  CLOSE_NORMAL,
  WebSocketDecoder,
  closeFrame,
  frameHeader,
  mask,
  pingFrame,
  pongFrame,
  type WebSocketSink,
} from "../wire/websocket.ts";
import type { BytePipe, PipeHandler } from "./pipe.ts";

/** Longest header of a client's frame, in bytes. */
const HEADER_MAX_BYTES = 14;

/** What else comes, for whom messages are more than a way to carry a stream of bytes. */
export interface MessageHandler {
  /** The bytes since the last one were a message. */
  onMessageEnd(): void;
  /** The answer to {@link WebSocketPipe.ping}. */
  onPong(): void;
  /** The server has said CLOSE, with this code if any; `onClose` follows. */
  onGoodbye(code: number | undefined): void;
}

/**
 * Each write is a message. Owns the pipe that it wraps. RFC 6455 has clients mask what they send under a random key, so
 * that no proxy in between takes it for HTTP; inside TLS there is none that could read it, and a key of zero spares the
 * work.
 */
export class WebSocketPipe implements BytePipe {
  readonly headroomBytes: number;
  readonly #inner: BytePipe;
  readonly #secure: boolean;
  /** `said`: we have said CLOSE, behind which nothing may be sent. */
  #goodbye: "due" | "said" = "due";
  #life: "open" | "over" = "open";
  /** Whether memory of the bytes being read is still needed. */
  #reading: "taken" | "kept" = "taken";

  constructor(inner: BytePipe, secure: boolean) {
    this.#inner = inner;
    this.#secure = secure;
    this.headroomBytes = HEADER_MAX_BYTES + inner.headroomBytes;
  }

  start(handler: PipeHandler & Partial<MessageHandler>): void {
    const decoder = new WebSocketDecoder(this.#sink(handler), "server");
    this.#inner.start({
      onBytes: (bytes) => {
        this.#reading = "taken";
        try {
          decoder.push(bytes);
        } catch (thrown) {
          this.#end(handler, KfwdError.from(thrown).message);
        }
        return this.#reading;
      },
      onDrain: () => handler.onDrain(),
      onClose: (why) => this.#end(handler, why),
    });
  }

  #sink(handler: PipeHandler & Partial<MessageHandler>): WebSocketSink {
    return {
      onData: (part, kind) => {
        const isWanted = this.#life === "open" && kind === "binary";
        if (isWanted && handler.onBytes(part) === "kept") this.#reading = "kept";
      },
      onMessageEnd: (kind) => {
        if (kind === "text") this.#end(handler, "the API server sent text where bytes belong");
        else if (this.#life === "open") handler.onMessageEnd?.();
      },
      onPing: (payload) => this.#say(pongFrame(payload, this.#key())),
      onPong: () => this.#life === "open" && handler.onPong?.(),
      onClose: (code, reason) => {
        if (this.#life === "open") handler.onGoodbye?.(code);
        this.#end(handler, `the API server closed the connection (${closing(code, reason)})`);
      },
    };
  }

  #end(handler: PipeHandler, why: string): void {
    if (this.#life === "over") return;
    this[Symbol.dispose]();
    handler.onClose(why);
  }

  get takesAtOnce(): boolean {
    return this.#inner.takesAtOnce;
  }

  get congested(): boolean {
    return this.#inner.congested;
  }

  write(bytes: Buffer, headroom: number): boolean {
    const key = this.#key();
    const header = frameHeader(bytes.length, { opcode: BINARY, key });
    if (headroom < header.length) {
      const frame = Buffer.concat([header, bytes]);
      mask(frame.subarray(header.length), key);
      return this.#inner.write(frame, 0);
    }
    mask(bytes, key);
    const frame = Buffer.from(bytes.buffer, bytes.byteOffset - header.length, header.length + bytes.length);
    header.copy(frame);
    return this.#inner.write(frame, headroom - header.length);
  }

  gather(): void {
    this.#inner.gather();
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  /** Asks for an `onPong`. */
  ping(): void {
    this.#say(pingFrame(Buffer.alloc(0), this.#key()));
  }

  /** Says CLOSE: no write may follow. What the server still sends comes, then its end. */
  close(): void {
    this.#say(closeFrame(CLOSE_NORMAL, "", this.#key()));
    this.#goodbye = "said";
  }

  [Symbol.dispose](): void {
    this.#life = "over";
    this.#inner[Symbol.dispose]();
  }

  #say(frame: Buffer): void {
    if (this.#life === "open" && this.#goodbye === "due") this.#inner.write(frame, 0);
  }

  #key(): number {
    return this.#secure ? 0 : randomBytes(4).readUInt32BE(0);
  }
}

function closing(code: number | undefined, reason: string): string {
  return [code ?? "without a code", reason].filter((part) => part !== "").join(" ");
}
