/**
 * SPDY/3.1 as the Kubernetes port-forward endpoint speaks it: frames in, frames out, no sockets.
 *
 * All numbers are big endian. A control frame has the top bit of its first byte set:
 *
 * | frame      | first 4 bytes | then                                                                 |
 * |------------|---------------|----------------------------------------------------------------------|
 * | SYN_STREAM | `80 03 00 01` | flags(1) len(3) id(4) associated(4) priority(1) slot(1) header block |
 * | SYN_REPLY  | `80 03 00 02` | flags(1) len(3) id(4) header block                                   |
 * | RST_STREAM | `80 03 00 03` | 0(1) 8(3) id(4) status(4)                                            |
 * | PING       | `80 03 00 06` | 0(1) 4(3) id(4)                                                      |
 * | GOAWAY     | `80 03 00 07` | 0(1) 8(3) last id(4) status(4)                                       |
 * | DATA       | id(4), top bit 0 | flags(1) len(3) payload                                           |
 *
 * SETTINGS, HEADERS and WINDOW_UPDATE are read and ignored, as the server side does (moby/spdystream
 * `connection.go`): there is no flow control but TCP's.
 */
import { KfwdError } from "../../errors.ts";

const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const PING = 6;
const GOAWAY = 7;

const FLAG_FIN = 0x01;
const CONTROL = 0x80030000;
const FRAME_HEADER_BYTES = 8;

/** What stands in front of a DATA payload, in bytes. */
export const DATA_HEADER_BYTES = FRAME_HEADER_BYTES;

/** Longest control frame taken, in bytes: headers of a port-forward stream need under 200. */
export const CONTROL_MAX_BYTES = 16 * 1024;

/** Longest DATA payload to send, in bytes: the server allocates a frame's whole length at once. */
export const DATA_MAX_BYTES = 64 * 1024;

/** RST_STREAM statuses this protocol uses. */
export const RST_PROTOCOL_ERROR = 1;
export const RST_CANCEL = 5;

/** What a {@link SpdyDecoder} calls, in the order of the bytes. */
export interface SpdySink {
  /** Part of a DATA payload, never assembled: a view of the pushed chunk, valid only during the call. */
  onData(streamId: number, part: Buffer): void;
  /** The peer will send nothing more on this stream. */
  onFin(streamId: number): void;
  /** `headerBlock` is still compressed, and a copy. */
  onSynStream(streamId: number, headerBlock: Buffer): void;
  onSynReply(streamId: number): void;
  onReset(streamId: number, status: number): void;
  onPing(id: number): void;
  onGoAway(lastStreamId: number): void;
}

/**
 * Takes the byte stream in chunks of any size and calls the sink for each whole event.
 * Holds at most one control frame ({@link CONTROL_MAX_BYTES}).
 */
export class SpdyDecoder {
  readonly #sink: SpdySink;
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerHave = 0;
  #body: "data" | "control" = "data";
  #streamId = 0;
  #type = 0;
  #flags = 0;
  #left = 0;
  #control = Buffer.alloc(0);

  constructor(sink: SpdySink) {
    this.#sink = sink;
  }

  /** @throws KfwdError `PROTOCOL` on a frame no SPDY/3.1 peer may send; the connection is unusable after it. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerHave < FRAME_HEADER_BYTES) {
        at = this.#takeHeader(chunk, at);
        if (this.#headerHave < FRAME_HEADER_BYTES) return;
        this.#startFrame();
      } else {
        at = this.#takeBody(chunk, at);
      }
      if (this.#headerHave === FRAME_HEADER_BYTES && this.#left === 0) this.#endFrame();
    }
  }

  #takeHeader(chunk: Buffer, at: number): number {
    const count = Math.min(FRAME_HEADER_BYTES - this.#headerHave, chunk.length - at);
    chunk.copy(this.#header, this.#headerHave, at, at + count);
    this.#headerHave += count;
    return at + count;
  }

  #startFrame(): void {
    const first = this.#header.readUInt32BE(0);
    const second = this.#header.readUInt32BE(4);
    this.#flags = second >>> 24;
    this.#left = second & 0xffffff;
    if (first >>> 31 === 0) {
      this.#body = "data";
      this.#streamId = first;
      if (first === 0) throw malformed("DATA on stream 0");
      return;
    }
    this.#body = "control";
    this.#type = first & 0xffff;
    if ((first & 0xffff0000) >>> 0 !== CONTROL)
      throw malformed(`control frame of version ${(first >>> 16) & 0x7fff}`);
    if (this.#left > CONTROL_MAX_BYTES) throw malformed(`control frame of ${this.#left} bytes`);
    this.#control = Buffer.allocUnsafe(this.#left);
  }

  #takeBody(chunk: Buffer, at: number): number {
    const count = Math.min(this.#left, chunk.length - at);
    if (this.#body === "data") this.#sink.onData(this.#streamId, chunk.subarray(at, at + count));
    else chunk.copy(this.#control, this.#control.length - this.#left, at, at + count);
    this.#left -= count;
    return at + count;
  }

  #endFrame(): void {
    this.#headerHave = 0;
    if (this.#body === "control") this.#endControl(this.#control);
    else if (this.#flags & FLAG_FIN) this.#sink.onFin(this.#streamId);
  }

  #endControl(body: Buffer): void {
    switch (this.#type) {
      case SYN_STREAM: {
        const streamId = readStreamId(body, 10, "SYN_STREAM");
        this.#sink.onSynStream(streamId, body.subarray(10));
        if (this.#flags & FLAG_FIN) this.#sink.onFin(streamId);
        return;
      }
      case SYN_REPLY: {
        const streamId = readStreamId(body, 4, "SYN_REPLY");
        this.#sink.onSynReply(streamId);
        if (this.#flags & FLAG_FIN) this.#sink.onFin(streamId);
        return;
      }
      case RST_STREAM:
        this.#sink.onReset(readStreamId(body, 8, "RST_STREAM"), body.readUInt32BE(4));
        return;
      case PING:
        if (body.length !== 4) throw malformed(`PING of ${body.length} bytes`);
        this.#sink.onPing(body.readUInt32BE(0));
        return;
      case GOAWAY:
        if (body.length !== 8) throw malformed(`GOAWAY of ${body.length} bytes`);
        this.#sink.onGoAway(body.readUInt32BE(0) & 0x7fffffff);
        return;
      default: // SETTINGS, HEADERS, WINDOW_UPDATE: nothing in them concerns a port-forward
    }
  }
}

function readStreamId(body: Buffer, wantBytes: number, frame: string): number {
  if (body.length < wantBytes) throw malformed(`${frame} of ${body.length} bytes`);
  const streamId = body.readUInt32BE(0) & 0x7fffffff;
  if (streamId === 0) throw malformed(`${frame} for stream 0`);
  return streamId;
}

function malformed(what: string): KfwdError {
  return new KfwdError("PROTOCOL", `malformed SPDY from the API server: ${what}`);
}

/**
 * Writes header blocks of one connection without zlib: a deflate *stored* block each, ended by a sync marker.
 * The first block carries the zlib header `78 01` (no dictionary). Go's reader takes this on every server
 * version; without the marker it fails for good. One per connection: zlib's stream lives as long as it does.
 */
export class HeaderBlockEncoder {
  #first = true;

  encode(headers: readonly (readonly [name: string, value: string])[]): Buffer {
    let length = 4;
    for (const [name, value] of headers) length += 8 + name.length + value.length; // latin1
    if (length > 0xffff)
      throw new KfwdError("PROTOCOL", `SPDY headers of ${length} bytes do not fit one block`);

    const zlibHeader = this.#first ? [0x78, 0x01] : [];
    this.#first = false;
    const block = Buffer.allocUnsafe(zlibHeader.length + 5 + length + 5);
    let at = 0;
    for (const byte of zlibHeader) at = block.writeUInt8(byte, at);
    at = block.writeUInt8(0, at); // a stored block, not the last one
    at = block.writeUInt16LE(length, at);
    at = block.writeUInt16LE(~length & 0xffff, at);
    at = block.writeUInt32BE(headers.length, at);
    for (const text of headers.flat()) {
      at = block.writeUInt32BE(text.length, at);
      at += block.write(text, at, "latin1");
    }
    block.set([0, 0, 0, 0xff, 0xff], at); // an empty stored block: zlib's sync marker
    return block;
  }
}

/** The name and value pairs of a header block that has been inflated. @throws KfwdError `PROTOCOL` when cut short. */
export function decodeHeaders(inflated: Buffer): Map<string, string> {
  const headers = new Map<string, string>();
  let at = 0;
  const number = (): number => {
    if (at + 4 > inflated.length) throw malformed("headers cut short");
    at += 4;
    return inflated.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (at + length > inflated.length) throw malformed("headers cut short");
    at += length;
    return inflated.toString("latin1", at - length, at);
  };
  for (let count = number(); count > 0; count--) headers.set(text(), text());
  return headers;
}

/** A SYN_STREAM frame; `headerBlock` comes from {@link HeaderBlockEncoder} and must go out in the order encoded. */
export function synStream(streamId: number, headerBlock: Buffer): Buffer {
  const frame = controlFrame(SYN_STREAM, 10 + headerBlock.length);
  frame.writeUInt32BE(streamId, 8);
  frame.fill(0, 12, 18); // no associated stream, highest priority, no credential slot
  headerBlock.copy(frame, 18);
  return frame;
}

/** A SYN_REPLY frame: the server's yes to a stream. */
export function synReply(streamId: number, headerBlock: Buffer): Buffer {
  const frame = controlFrame(SYN_REPLY, 4 + headerBlock.length);
  frame.writeUInt32BE(streamId, 8);
  headerBlock.copy(frame, 12);
  return frame;
}

/** The 8 bytes in front of a DATA payload of `length` bytes. */
export function dataHeader(streamId: number, length: number, fin: boolean): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  writeDataHeader(header, 0, streamId, length);
  if (fin) header.writeUInt8(FLAG_FIN, 4); // a length fits the low three bytes
  return header;
}

/** Writes the header of a DATA frame into `memory`, {@link DATA_HEADER_BYTES} from `at`. */
export function writeDataHeader(memory: Buffer, at: number, streamId: number, length: number): void {
  memory.writeUInt32BE(streamId, at);
  memory.writeUInt32BE(length, at + 4);
}

/** An RST_STREAM frame: both directions of the stream end at once. */
export function resetStream(streamId: number, status: number): Buffer {
  const frame = controlFrame(RST_STREAM, 8);
  frame.writeUInt32BE(streamId, 8);
  frame.writeUInt32BE(status, 12);
  return frame;
}

/** A PING frame. The peer echoes an id of the other side's parity: clients use odd ids. */
export function ping(id: number): Buffer {
  const frame = controlFrame(PING, 4);
  frame.writeUInt32BE(id, 8);
  return frame;
}

/** A GOAWAY frame: no stream above `lastStreamId` will be served. */
export function goAway(lastStreamId: number): Buffer {
  const frame = controlFrame(GOAWAY, 8);
  frame.writeUInt32BE(lastStreamId, 8);
  frame.writeUInt32BE(0, 12); // status: OK
  return frame;
}

function controlFrame(type: number, bodyLength: number): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + bodyLength);
  frame.writeUInt32BE(CONTROL + type, 0);
  frame.writeUInt32BE(bodyLength, 4);
  return frame;
}
