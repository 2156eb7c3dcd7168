/**
 * What the supervisor and its relay pod say to each other on one byte stream. Every frame is
 *
 *     length of the payload, 2 bytes | type, 1 byte | id of a flow or stream, 4 bytes, 0 for the tunnel | payload
 *
 * all big endian. Both ends come from the same kfwd, since the program travels in the pod's spec, so there is one
 * version and it is only looked at.
 *
 * The relay begins with CHALLENGE. Before the client has answered it with HELLO the relay does nothing for it, and
 * before the client has seen WELCOME it sends nothing but HELLO.
 */
import { KfwdError } from "../../errors.ts";

/** Of the frames; the first byte after the magic word. */
const RELAY_VERSION = 1;

/** Bytes in front of every payload. */
export const FRAME_HEADER_BYTES = 7;

/** Largest payload there is. */
export const PAYLOAD_MAX_BYTES = 0xffff;

/** Largest payload of an IPv4 datagram. */
export const DATAGRAM_MAX_BYTES = 65_507;

/** Of each side, so that no proof can be shown twice. */
export const NONCE_BYTES = 32;
const SIGNATURE_BYTES = 64;
const PROOF_BYTES = 32;
const MAGIC = Buffer.from("kfwd", "latin1");

const HOST_MAX_BYTES = 253;
const WORDS_MAX_BYTES = 200;

const TYPE = {
  challenge: 1,
  hello: 2,
  welcome: 3,
  ping: 4,
  pong: 5,
  flow: 6,
  datagram: 7,
  dropped: 8,
  end: 9,
  stream: 10,
  data: 11,
  fin: 12,
  credit: 13,
} as const;

/** Why datagrams did not reach the target; the place in the list is the byte on the wire. */
export const DROP_CAUSES = ["full", "refused", "tooLarge", "unresolved"] as const;
export type DropCause = (typeof DROP_CAUSES)[number];

/**
 * Why a flow or stream is over; the place in the list is the byte on the wire.
 * - `given up`: its owner wants no more of it, or the relay does not know it
 * - `refused`: nothing listens there
 * - `unresolved`: the name has no address
 * - `unreachable`: no way leads there, or no answer came
 * - `reset`: the application broke it off
 * - `limit`: the relay has no room for another one
 */
export const END_CAUSES = ["given up", "refused", "unresolved", "unreachable", "reset", "limit"] as const;
export type EndCause = (typeof END_CAUSES)[number];

/** Where a flow or stream leads: a name or address in the pod's network, and a port. */
export interface FrameTarget {
  readonly host: string;
  readonly port: number;
}

/** Frames that only the client sends. */
export interface ClientFrames {
  onHello(nonce: Buffer, signature: Buffer): void;
  onFlow(id: number, target: FrameTarget): void;
  onStream(id: number, target: FrameTarget): void;
}

/** Frames that only the relay sends. */
export interface RelayFrames {
  onChallenge(nonce: Buffer): void;
  onWelcome(proof: Buffer): void;
  onDropped(id: number, count: number, why: DropCause): void;
}

/** Frames of both sides. Payloads are views, valid during the call unless whoever feeds the decoder says otherwise. */
export interface CommonFrames {
  onPing(): void;
  onPong(): void;
  onDatagram(id: number, datagram: Buffer): void;
  /** `words` is what the system said, for people; empty when the cause says all. */
  onEnd(id: number, why: EndCause, words: string): void;
  /** Never empty. */
  onData(id: number, part: Buffer): void;
  /** The sender's direction of a stream is over. */
  onFin(id: number): void;
  /** The sender of the frame takes so many more bytes of a stream. */
  onCredit(id: number, bytes: number): void;
}

/** Who is listened to, and who listens. */
export type Listening =
  | { readonly to: "client"; readonly sink: ClientFrames & CommonFrames }
  | { readonly to: "relay"; readonly sink: RelayFrames & CommonFrames };

/** Cuts chunks of any size into frames. Holds at most one unfinished frame, of 64 KiB. */
export class RelayDecoder {
  readonly #listening: Listening;
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerLength = 0;
  #payload: Buffer | undefined;
  #payloadLength = 0;

  constructor(listening: Listening) {
    this.#listening = listening;
  }

  /** @throws KfwdError `PROTOCOL`, after which the tunnel is unusable. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerLength === 0 && chunk.length - at >= FRAME_HEADER_BYTES) {
        const end = at + FRAME_HEADER_BYTES + chunk.readUInt16BE(at);
        this.#check(chunk, at);
        if (end <= chunk.length) {
          const payload = chunk.subarray(at + FRAME_HEADER_BYTES, end);
          this.#deliver(chunk.readUInt8(at + 2), chunk.readUInt32BE(at + 3), payload);
          at = end;
          continue;
        }
      }
      at = this.#collect(chunk, at);
    }
  }

  /** Takes the next part of a frame that does not lie in one chunk; says where in the chunk to go on. */
  #collect(chunk: Buffer, from: number): number {
    let at = from;
    if (this.#headerLength < FRAME_HEADER_BYTES) {
      const taken = chunk.copy(this.#header, this.#headerLength, at);
      this.#headerLength += taken;
      at += taken;
      if (this.#headerLength < FRAME_HEADER_BYTES) return at;
      this.#check(this.#header, 0);
      this.#payload = Buffer.allocUnsafe(this.#header.readUInt16BE(0));
      this.#payloadLength = 0;
    }
    const payload = this.#payload ?? Buffer.alloc(0);
    const taken = chunk.copy(payload, this.#payloadLength, at);
    this.#payloadLength += taken;
    if (this.#payloadLength === payload.length) {
      this.#headerLength = 0;
      this.#payload = undefined;
      this.#deliver(this.#header.readUInt8(2), this.#header.readUInt32BE(3), payload);
    }
    return at + taken;
  }

  /** What cannot be a frame is refused by its header, before its payload is waited for. */
  #check(bytes: Buffer, at: number): void {
    const length = bytes.readUInt16BE(at);
    const type = bytes.readUInt8(at + 2);
    const id = bytes.readUInt32BE(at + 3);
    const rule = RULES.get(type);
    if (rule === undefined || (rule.from !== "both" && rule.from !== this.#listening.to)) {
      throw this.#malformed(`a frame of unknown type ${type}`);
    }
    if (length < rule.min || length > rule.max) {
      throw this.#malformed(`a frame of type ${type} with ${length} bytes`);
    }
    if ((id === 0) !== (rule.of === "tunnel")) throw this.#malformed(`a frame of type ${type} for id ${id}`);
  }

  #deliver(type: number, id: number, payload: Buffer): void {
    const { sink } = this.#listening;
    switch (type) {
      case TYPE.ping:
        return sink.onPing();
      case TYPE.pong:
        return sink.onPong();
      case TYPE.datagram:
        return sink.onDatagram(id, payload);
      case TYPE.end:
        return sink.onEnd(id, this.#cause(END_CAUSES, payload), payload.toString("utf8", 1));
      case TYPE.data:
        return sink.onData(id, payload);
      case TYPE.fin:
        return sink.onFin(id);
      case TYPE.credit:
        return sink.onCredit(id, payload.readUInt32BE(0));
    }
    if (this.#listening.to === "client") this.#deliverClient(this.#listening.sink, type, id, payload);
    else this.#deliverRelay(this.#listening.sink, type, id, payload);
  }

  #deliverClient(sink: ClientFrames, type: number, id: number, payload: Buffer): void {
    if (type === TYPE.flow) return sink.onFlow(id, targetOf(payload));
    if (type === TYPE.stream) return sink.onStream(id, targetOf(payload));
    this.#checkVersion(payload.readUInt8(0));
    sink.onHello(payload.subarray(1, 1 + NONCE_BYTES), payload.subarray(1 + NONCE_BYTES));
  }

  #deliverRelay(sink: RelayFrames, type: number, id: number, payload: Buffer): void {
    if (type === TYPE.welcome) return sink.onWelcome(payload);
    if (type === TYPE.dropped) {
      return sink.onDropped(id, payload.readUInt32BE(1), this.#cause(DROP_CAUSES, payload));
    }
    if (!payload.subarray(0, MAGIC.length).equals(MAGIC)) throw this.#malformed("no greeting of a relay");
    this.#checkVersion(payload.readUInt8(MAGIC.length));
    sink.onChallenge(payload.subarray(MAGIC.length + 1));
  }

  #checkVersion(version: number): void {
    if (version !== RELAY_VERSION) throw this.#malformed(`version ${version} in place of ${RELAY_VERSION}`);
  }

  #cause<T>(causes: readonly T[], payload: Buffer): T {
    const cause = causes[payload.readUInt8(0)];
    if (cause === undefined) throw this.#malformed(`unknown cause ${payload.readUInt8(0)}`);
    return cause;
  }

  #malformed(what: string): KfwdError {
    return new KfwdError("PROTOCOL", `malformed relay frames from the ${this.#listening.to}: ${what}`);
  }
}

interface Rule {
  readonly from: "client" | "relay" | "both";
  readonly of: "tunnel" | "flow";
  readonly min: number;
  readonly max: number;
}

const TARGET_RULE = { from: "client", of: "flow", min: 3, max: 2 + HOST_MAX_BYTES } as const;
const EMPTY = { min: 0, max: 0 } as const;

const RULES: ReadonlyMap<number, Rule> = new Map<number, Rule>([
  [TYPE.challenge, { from: "relay", of: "tunnel", ...exactly(MAGIC.length + 1 + NONCE_BYTES) }],
  [TYPE.hello, { from: "client", of: "tunnel", ...exactly(1 + NONCE_BYTES + SIGNATURE_BYTES) }],
  [TYPE.welcome, { from: "relay", of: "tunnel", ...exactly(PROOF_BYTES) }],
  [TYPE.ping, { from: "both", of: "tunnel", ...EMPTY }],
  [TYPE.pong, { from: "both", of: "tunnel", ...EMPTY }],
  [TYPE.flow, TARGET_RULE],
  [TYPE.stream, TARGET_RULE],
  [TYPE.datagram, { from: "both", of: "flow", min: 0, max: DATAGRAM_MAX_BYTES }],
  [TYPE.dropped, { from: "relay", of: "flow", ...exactly(5) }],
  [TYPE.end, { from: "both", of: "flow", min: 1, max: 1 + WORDS_MAX_BYTES }],
  [TYPE.data, { from: "both", of: "flow", min: 1, max: PAYLOAD_MAX_BYTES }],
  [TYPE.fin, { from: "both", of: "flow", ...EMPTY }],
  [TYPE.credit, { from: "both", of: "flow", ...exactly(4) }],
]);

function exactly(bytes: number): { readonly min: number; readonly max: number } {
  return { min: bytes, max: bytes };
}

function targetOf(payload: Buffer): FrameTarget {
  return { port: payload.readUInt16BE(0), host: payload.toString("utf8", 2) };
}

// --- writing ---

export function challengeFrame(nonce: Buffer): Buffer {
  return frame(TYPE.challenge, 0, Buffer.concat([MAGIC, Buffer.of(RELAY_VERSION), nonce]));
}

export function helloFrame(nonce: Buffer, signature: Buffer): Buffer {
  return frame(TYPE.hello, 0, Buffer.concat([Buffer.of(RELAY_VERSION), nonce, signature]));
}

export function welcomeFrame(proof: Buffer): Buffer {
  return frame(TYPE.welcome, 0, proof);
}

export function pingFrame(): Buffer {
  return frame(TYPE.ping, 0, NOTHING);
}

export function pongFrame(): Buffer {
  return frame(TYPE.pong, 0, NOTHING);
}

/** Opens a flow: its datagrams may follow at once. */
export function flowFrame(id: number, target: FrameTarget): Buffer {
  return frame(TYPE.flow, id, targetBytes(target));
}

/** Opens a stream: its bytes may follow at once, as far as the first window goes. */
export function streamFrame(id: number, target: FrameTarget): Buffer {
  return frame(TYPE.stream, id, targetBytes(target));
}

/** A copy of the datagram in its frame. */
export function datagramFrame(id: number, datagram: Buffer): Buffer {
  return frame(TYPE.datagram, id, datagram);
}

export function droppedFrame(id: number, count: number, why: DropCause): Buffer {
  const payload = Buffer.alloc(5);
  payload.writeUInt8(DROP_CAUSES.indexOf(why), 0);
  payload.writeUInt32BE(Math.min(count, 0xffff_ffff), 1);
  return frame(TYPE.dropped, id, payload);
}

export function endFrame(id: number, why: EndCause, words = ""): Buffer {
  const said = Buffer.from(words, "utf8").subarray(0, WORDS_MAX_BYTES);
  return frame(TYPE.end, id, Buffer.concat([Buffer.of(END_CAUSES.indexOf(why)), said]));
}

/** What goes in front of `length` bytes of a stream. */
export function dataHeader(id: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeUInt16BE(length, 0);
  header.writeUInt8(TYPE.data, 2);
  header.writeUInt32BE(id, 3);
  return header;
}

/** A copy of the bytes in their frame. */
export function dataFrame(id: number, part: Buffer): Buffer {
  return frame(TYPE.data, id, part);
}

export function finFrame(id: number): Buffer {
  return frame(TYPE.fin, id, NOTHING);
}

export function creditFrame(id: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes, 0);
  return frame(TYPE.credit, id, payload);
}

/** What a side puts under its proof. The role keeps one side from showing the other one's proof as its own. */
export function proofText(role: "client" | "relay", relayNonce: Buffer, clientNonce: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`kfwd relay 1 ${role}\n`, "latin1"), relayNonce, clientNonce]);
}

const NOTHING = Buffer.alloc(0);

function frame(type: number, id: number, payload: Buffer): Buffer {
  if (payload.length > PAYLOAD_MAX_BYTES) {
    throw new KfwdError("INTERNAL", `a frame cannot carry ${payload.length} bytes`);
  }
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  bytes.writeUInt16BE(payload.length, 0);
  bytes.writeUInt8(type, 2);
  bytes.writeUInt32BE(id, 3);
  payload.copy(bytes, FRAME_HEADER_BYTES);
  return bytes;
}

function targetBytes({ host, port }: FrameTarget): Buffer {
  const name = Buffer.from(host, "utf8");
  if (name.length === 0 || name.length > HOST_MAX_BYTES) {
    throw new KfwdError("INTERNAL", `"${host}" cannot be the name of a host`);
  }
  return Buffer.concat([Buffer.of(port >>> 8, port & 0xff), name]);
}
