/** The bytes of SPDY inside binary WebSocket messages: where one message ends means nothing. Source: KEP-4006. */
import { randomBytes } from "node:crypto";
import { KfwdError } from "../../errors.ts";
import { BINARY, WebSocketDecoder, frameHeader, mask, pongFrame } from "../wire/websocket.ts";
import type { BytePipe, PipeHandler } from "./pipe.ts";

/** Longest header of a client's frame, in bytes. */
const HEADER_MAX_BYTES = 14;

/**
 * Owns the pipe that it wraps. RFC 6455 has clients mask what they send under a random key, so that no proxy in
 * between takes it for HTTP; inside TLS there is none that could read it, and a key of zero spares the work.
 */
export class TunnelPipe implements BytePipe {
  readonly headroomBytes: number;
  readonly #inner: BytePipe;
  readonly #secure: boolean;

  constructor(inner: BytePipe, secure: boolean) {
    this.#inner = inner;
    this.#secure = secure;
    this.headroomBytes = HEADER_MAX_BYTES + inner.headroomBytes;
  }

  start(handler: PipeHandler): void {
    let told: "open" | "closed" = "open";
    let memory: "taken" | "kept" = "taken";
    const end = (why: string): void => {
      if (told === "closed") return;
      told = "closed";
      this.#inner[Symbol.dispose]();
      handler.onClose(why);
    };
    const decoder = new WebSocketDecoder(
      {
        onData: (part, kind) => {
          if (told === "open" && kind === "binary" && handler.onBytes(part) === "kept") memory = "kept";
        },
        onMessageEnd: (kind) => kind === "text" && end("the API server sent text into the tunnel"),
        onPing: (payload) => void this.#inner.write(pongFrame(payload, this.#key()), 0),
        onPong: () => {},
        onClose: (code, reason) => end(`the API server closed the connection (${closing(code, reason)})`),
      },
      "server",
    );
    this.#inner.start({
      onBytes: (bytes) => {
        memory = "taken";
        try {
          decoder.push(bytes);
        } catch (thrown) {
          end(KfwdError.from(thrown).message);
        }
        return memory;
      },
      onDrain: () => handler.onDrain(),
      onClose: (why) => end(why),
    });
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

  [Symbol.dispose](): void {
    this.#inner[Symbol.dispose]();
  }

  #key(): number {
    return this.#secure ? 0 : randomBytes(4).readUInt32BE(0);
  }
}

function closing(code: number | undefined, reason: string): string {
  return [code ?? "without a code", reason].filter((part) => part !== "").join(" ");
}
