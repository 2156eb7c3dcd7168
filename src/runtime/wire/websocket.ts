/**
 * WebSocket frames (RFC 6455, section 5.2) for both ends: bytes in, events out, no sockets.
 *
 * | bytes   | what                                                                                       |
 * |---------|--------------------------------------------------------------------------------------------|
 * | 1       | FIN(1 bit) reserved(3) opcode(4): 0 goes on, 1 text, 2 binary, 8 close, 9 ping, 10 pong     |
 * | 1       | mask(1 bit) length(7): up to 125, or 126 and 127 for a longer one in the next 2 or 8 bytes  |
 * | 0, 2, 8 | that length, big endian, in the shortest form                                              |
 * | 0, 4    | mask key: a client's frames have one, a server's have none                                 |
 */
import { KfwdError } from "../../errors.ts";

/** Opcodes of data frames. */
export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;

const CLOSE = 8;
const PING = 9;
const PONG = 10;

const FINAL = 0x80;
const MASKED = 0x80;
const HEAD_BYTES = 2;
const HEADER_MAX_BYTES = 14;

/** Longest payload of a control frame, in bytes; a CLOSE frame's code takes two of them. */
export const CONTROL_MAX_BYTES = 125;

/** A CLOSE code for an end in order. */
export const CLOSE_NORMAL = 1000;
/** A CLOSE code for a peer that broke the rules of WebSocket. */
export const CLOSE_PROTOCOL_ERROR = 1002;

/** Subprotocol under which binary messages carry the bytes of SPDY; where one message ends means nothing. */
export const TUNNEL_PROTOCOL = "SPDY/3.1+portforward.k8s.io";

/** What a message says it holds. The text of a text message is not checked to be UTF-8. */
export type MessageKind = "text" | "binary";

/** Who sends the frames that are read: a client masks them, a server must not. */
export type FrameSender = "client" | "server";

/** What a {@link WebSocketDecoder} calls, in the order of the bytes. All buffers are valid only during the call. */
export interface WebSocketSink {
  /** Part of a message's payload, never assembled: a view of the pushed chunk. Never empty. */
  onData(part: Buffer, kind: MessageKind): void;
  /** The message is complete; one without payload is told by this alone. */
  onMessageEnd(kind: MessageKind): void;
  onPing(payload: Buffer): void;
  onPong(payload: Buffer): void;
  /** The last call. `code` is undefined when the frame has none. */
  onClose(code: number | undefined, reason: string): void;
}

/**
 * Takes the byte stream in chunks of any size and calls the sink for each event; passes over what comes behind a CLOSE.
 * Holds at most one frame header and the payload of one control frame. Unmasks in place: the chunks are changed.
 */
export class WebSocketDecoder {
  readonly #sink: WebSocketSink;
  readonly #sender: FrameSender;
  readonly #header = Buffer.alloc(HEADER_MAX_BYTES);
  readonly #control = Buffer.alloc(CONTROL_MAX_BYTES);
  #at: "header" | "payload" | "closed" = "header";
  #headerHave = 0;
  #headerWant = HEAD_BYTES;
  #opcode = 0;
  #key = 0;
  #taken = 0;
  #left = 0;
  /** The message whose frames come; undefined between two messages. */
  #message: MessageKind | undefined;

  constructor(sink: WebSocketSink, sender: FrameSender) {
    this.#sink = sink;
    this.#sender = sender;
  }

  /** @throws KfwdError `PROTOCOL` on a frame that the sender may not send; the connection is unusable after it. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && this.#at !== "closed") {
      at = this.#at === "header" ? this.#takeHeader(chunk, at) : this.#takePayload(chunk, at);
    }
  }

  #takeHeader(chunk: Buffer, at: number): number {
    const count = Math.min(this.#headerWant - this.#headerHave, chunk.length - at);
    chunk.copy(this.#header, this.#headerHave, at, at + count);
    this.#headerHave += count;
    if (this.#headerHave === HEAD_BYTES) this.#startHeader();
    if (this.#headerHave === this.#headerWant) this.#startPayload();
    return at + count;
  }

  #startHeader(): void {
    const [first, second] = [this.#header.readUInt8(0), this.#header.readUInt8(1)];
    const final = (first & FINAL) !== 0;
    const masked = (second & MASKED) !== 0;
    const length = second & 0x7f;
    this.#opcode = first & 0x0f;
    if ((first & 0x70) !== 0) throw this.#malformed("a reserved bit is set");
    if (masked !== (this.#sender === "client")) {
      throw this.#malformed(masked ? "a masked frame" : "a frame without a mask");
    }
    if (this.#opcode >= CLOSE) {
      const name = CONTROL_NAMES.get(this.#opcode);
      if (name === undefined) throw this.#malformed(`unknown opcode ${this.#opcode}`);
      if (!final) throw this.#malformed(`a ${name} in fragments`);
      if (length > CONTROL_MAX_BYTES) throw this.#malformed(`a ${name} of more than 125 bytes`);
    } else if (this.#opcode > BINARY) {
      throw this.#malformed(`unknown opcode ${this.#opcode}`);
    } else if ((this.#opcode === CONTINUATION) !== (this.#message !== undefined)) {
      throw this.#malformed(
        this.#message === undefined ? "a continuation of no message" : "a message inside another",
      );
    } else if (this.#opcode !== CONTINUATION) {
      this.#message = this.#opcode === TEXT ? "text" : "binary";
    }
    this.#headerWant = HEAD_BYTES + lengthBytes(length) + (masked ? 4 : 0);
  }

  #startPayload(): void {
    this.#left = this.#readLength();
    this.#key = this.#sender === "client" ? this.#header.readUInt32BE(this.#headerWant - 4) : 0;
    this.#taken = 0;
    this.#at = "payload";
    if (this.#left === 0) this.#endFrame();
  }

  #readLength(): number {
    const short = this.#header.readUInt8(1) & 0x7f;
    if (short <= CONTROL_MAX_BYTES) return short;
    if (short === 126) {
      const length = this.#header.readUInt16BE(HEAD_BYTES);
      if (length <= CONTROL_MAX_BYTES) throw this.#malformed(`a length of ${length} in two bytes`);
      return length;
    }
    const high = this.#header.readUInt32BE(HEAD_BYTES);
    if (high > 0x1fffff) throw this.#malformed("a frame of 2^53 bytes or more");
    const length = high * 2 ** 32 + this.#header.readUInt32BE(HEAD_BYTES + 4);
    if (length <= 0xffff) throw this.#malformed(`a length of ${length} in eight bytes`);
    return length;
  }

  #takePayload(chunk: Buffer, at: number): number {
    const count = Math.min(this.#left, chunk.length - at);
    const part = chunk.subarray(at, at + count);
    mask(part, this.#key, this.#taken);
    if (this.#opcode >= CLOSE) part.copy(this.#control, this.#taken);
    else if (this.#message !== undefined) this.#sink.onData(part, this.#message);
    this.#taken += count;
    this.#left -= count;
    if (this.#left === 0) this.#endFrame();
    return at + count;
  }

  #endFrame(): void {
    const final = (this.#header.readUInt8(0) & FINAL) !== 0;
    const control = this.#control.subarray(0, this.#taken);
    this.#headerHave = 0;
    this.#headerWant = HEAD_BYTES;
    this.#at = "header";
    if (this.#opcode === PING) this.#sink.onPing(control);
    else if (this.#opcode === PONG) this.#sink.onPong(control);
    else if (this.#opcode === CLOSE) this.#close(control);
    else if (final && this.#message !== undefined) {
      const kind = this.#message;
      this.#message = undefined;
      this.#sink.onMessageEnd(kind);
    }
  }

  #close(payload: Buffer): void {
    this.#at = "closed";
    if (payload.length === 0) {
      this.#sink.onClose(undefined, "");
      return;
    }
    if (payload.length === 1) throw this.#malformed("a CLOSE of 1 byte");
    const code = payload.readUInt16BE(0);
    if (!mayBeSent(code)) throw this.#malformed(`a CLOSE with code ${code}`);
    const reason = utf8(payload.subarray(2));
    if (reason === undefined) throw this.#malformed("a CLOSE whose reason is not UTF-8");
    this.#sink.onClose(code, reason);
  }

  #malformed(what: string): KfwdError {
    const sender = this.#sender === "server" ? "API server" : "client";
    return new KfwdError("PROTOCOL", `malformed WebSocket from the ${sender}: ${what}`);
  }
}

const CONTROL_NAMES: ReadonlyMap<number, string> = new Map([
  [CLOSE, "CLOSE"],
  [PING, "PING"],
  [PONG, "PONG"],
]);

/** How many more bytes the length takes, by what stands in the second byte. */
function lengthBytes(short: number): 0 | 2 | 8 {
  if (short === 127) return 8;
  return short === 126 ? 2 : 0;
}

/** Codes that may stand in a frame: 1004 to 1006 and 1015 are for programs to say to each other. RFC 6455, 7.4. */
function mayBeSent(code: number): boolean {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

function utf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** How a frame is written. */
export interface FrameOptions {
  /** Of a data frame; default {@link BINARY}. */
  readonly opcode?: typeof CONTINUATION | typeof TEXT | typeof BINARY;
  /** Whether the message ends with this frame; default true. */
  readonly final?: boolean;
  /** A client's mask key, 32 bits in the order of the wire, under which the payload must be {@link mask}ed; 0 masks nothing. A server has none. */
  readonly key?: number | undefined;
}

/** The 2 to 14 bytes in front of a data frame's payload of `length` bytes. */
export function frameHeader(
  length: number,
  { opcode = BINARY, final = true, key }: FrameOptions = {},
): Buffer {
  return header(length, opcode + (final ? FINAL : 0), key);
}

/** A PING frame; `payload`, at most {@link CONTROL_MAX_BYTES}, comes back in the PONG. */
export function pingFrame(payload: Buffer, key?: number): Buffer {
  return controlFrame(PING, payload, key);
}

/** The answer to a PING: its payload goes back. */
export function pongFrame(payload: Buffer, key?: number): Buffer {
  return controlFrame(PONG, payload, key);
}

/** A CLOSE frame; nothing may be sent behind it. A reason that does not fit is cut short. */
export function closeFrame(code: number, reason = "", key?: number): Buffer {
  const payload = Buffer.alloc(CONTROL_MAX_BYTES);
  payload.writeUInt16BE(code, 0);
  const length = 2 + payload.write(reason, 2); // whole characters only
  return controlFrame(CLOSE, payload.subarray(0, length), key);
}

function controlFrame(opcode: number, payload: Buffer, key: number | undefined): Buffer {
  const frame = Buffer.concat([header(payload.length, opcode + FINAL, key), payload]);
  mask(frame.subarray(frame.length - payload.length), key ?? 0);
  return frame;
}

function header(length: number, first: number, key: number | undefined): Buffer {
  const short = length <= CONTROL_MAX_BYTES ? length : length <= 0xffff ? 126 : 127;
  const lengthEnd = HEAD_BYTES + lengthBytes(short);
  const bytes = Buffer.allocUnsafe(lengthEnd + (key === undefined ? 0 : 4));
  bytes.writeUInt8(first, 0);
  bytes.writeUInt8(short + (key === undefined ? 0 : MASKED), 1);
  if (short === 126) bytes.writeUInt16BE(length, HEAD_BYTES);
  if (short === 127) {
    bytes.writeUInt32BE(Math.floor(length / 2 ** 32), HEAD_BYTES);
    bytes.writeUInt32BE(length % 2 ** 32, HEAD_BYTES + 4);
  }
  if (key !== undefined) bytes.writeUInt32BE(key, lengthEnd);
  return bytes;
}

/** Under this many bytes, going word by word is not worth its beginning. */
const WORDS_MIN_BYTES = 64;

/** Masks or unmasks in place; `offset` is how many bytes of the frame's payload came before these. */
export function mask(bytes: Buffer, key: number, offset = 0): void {
  if (key === 0) return;
  if (bytes.length < WORDS_MIN_BYTES) {
    maskBytes(bytes, key, offset, 0, bytes.length);
    return;
  }
  const wordsAt = -bytes.byteOffset & 3; // where the memory is aligned
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + wordsAt, (bytes.length - wordsAt) >> 2);
  const wordsEnd = wordsAt + 4 * words.length;
  const word = keyWord(key, offset + wordsAt);
  maskBytes(bytes, key, offset, 0, wordsAt);
  for (let i = 0; i < words.length; i++) words[i] = (words[i] ?? 0) ^ word;
  maskBytes(bytes, key, offset, wordsEnd, bytes.length);
}

function maskBytes(bytes: Buffer, key: number, offset: number, from: number, to: number): void {
  for (let at = from; at < to; at++) bytes[at] = (bytes[at] ?? 0) ^ keyByte(key, offset + at);
}

/** The key's four bytes from this place on, as they lie in memory on this machine. */
function keyWord(key: number, at: number): number {
  const bytes = Uint8Array.of(
    keyByte(key, at),
    keyByte(key, at + 1),
    keyByte(key, at + 2),
    keyByte(key, at + 3),
  );
  return new Int32Array(bytes.buffer)[0] ?? 0;
}

function keyByte(key: number, at: number): number {
  return (key >>> (24 - 8 * (at & 3))) & 0xff;
}

/**
 * What a server answers a handshake's `Sec-WebSocket-Key` with, in `Sec-WebSocket-Accept`. The hash is the caller's:
 * this folder stands on nothing of Node's.
 */
export function acceptKey(key: string, sha1: (text: string) => Buffer): string {
  return sha1(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).toString("base64");
}
