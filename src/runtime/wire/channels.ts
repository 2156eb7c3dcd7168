/**
 * v4.channel.k8s.io, the port-forward protocol of plain WebSocket clients, for one port a WebSocket: every binary
 * message is a channel byte and payload, 0 for data and 1 for what went wrong. Neither has an end of its own.
 *
 * The server's first message on each channel is the port, two bytes, little endian: `00 50 00` and `01 50 00` for 80.
 */
import { KfwdError } from "../../errors.ts";
import { frameHeader, type MessageKind, type WebSocketSink } from "./websocket.ts";

/** The subprotocol's name. */
export const CHANNEL_PROTOCOL = "v4.channel.k8s.io";

/** Carries the bytes of the connection, both ways. */
export const DATA_CHANNEL = 0;
/** Carries the server's words on a failure. */
export const ERROR_CHANNEL = 1;

/** One of the two channels. */
export type Channel = typeof DATA_CHANNEL | typeof ERROR_CHANNEL;

const PORT_BYTES = 2;

/** What a {@link ChannelDecoder} calls, in the order of the bytes. */
export interface ChannelSink {
  /** Part of what came on the data channel: a view, valid only during the call. Never empty. */
  onData(part: Buffer): void;
  /** Part of what came on the error channel, likewise. */
  onError(part: Buffer): void;
}

/** Takes the data events of a WebSocketDecoder and tells the channels apart. Holds two bytes a channel. */
export class ChannelDecoder implements Pick<WebSocketSink, "onData" | "onMessageEnd"> {
  readonly #sink: ChannelSink;
  readonly #port: number | undefined;
  /** The bytes of each channel's port so far; undefined once it has been read. */
  readonly #ports: [number[] | undefined, number[] | undefined];
  /** Of the message that comes; undefined before its first byte. */
  #channel: Channel | undefined;

  /** `port` is the one asked for, which the server begins with; undefined to read a client, which begins with data. */
  constructor(sink: ChannelSink, port: number | undefined) {
    this.#sink = sink;
    this.#port = port;
    this.#ports = port === undefined ? [undefined, undefined] : [[], []];
  }

  /** @throws KfwdError `PROTOCOL` for text, an unknown channel, or another port; the connection is unusable after it. */
  onData(part: Buffer, kind: MessageKind): void {
    if (kind === "text") throw this.#malformed("a text message");
    const payload = this.#channel === undefined ? part.subarray(1) : part;
    const channel = (this.#channel ??= this.#channelOf(part));
    if (payload.length === 0) return;
    const port = this.#ports[channel];
    if (port !== undefined) this.#takePort(port, payload);
    else if (channel === DATA_CHANNEL) this.#sink.onData(payload);
    else this.#sink.onError(payload);
  }

  /** @throws KfwdError `PROTOCOL` as {@link onData} does. */
  onMessageEnd(kind: MessageKind): void {
    if (kind === "text") throw this.#malformed("a text message");
    const channel = this.#channel;
    this.#channel = undefined;
    const bytes = channel === undefined ? undefined : this.#ports[channel];
    if (channel === undefined || bytes === undefined || bytes.length === 0) return; // or a message that says nothing
    if (bytes.length < PORT_BYTES) throw this.#malformed("a port of 1 byte");
    const port = Buffer.from(bytes).readUInt16LE(0);
    if (port !== this.#port) throw this.#malformed(`port ${port} in place of ${this.#port}`);
    this.#ports[channel] = undefined;
  }

  #channelOf(part: Buffer): Channel {
    const channel = part.readUInt8(0);
    if (channel === DATA_CHANNEL || channel === ERROR_CHANNEL) return channel;
    throw this.#malformed(`unknown channel ${channel}`);
  }

  #takePort(port: number[], payload: Buffer): void {
    if (port.length + payload.length > PORT_BYTES) throw this.#malformed("a port of more than 2 bytes");
    port.push(...payload);
  }

  #malformed(what: string): KfwdError {
    const sender = this.#port === undefined ? "client" : "API server";
    return new KfwdError("PROTOCOL", `malformed ${CHANNEL_PROTOCOL} from the ${sender}: ${what}`);
  }
}

/**
 * The frame header and channel byte in front of a payload of `length` bytes. With a client's mask key, the payload
 * goes on under it behind the channel byte: `mask(payload, key, 1)`.
 */
export function channelHeader(channel: Channel, length: number, key?: number): Buffer {
  const header = frameHeader(1 + length, { key });
  return Buffer.concat([header, Buffer.of(channel ^ ((key ?? 0) >>> 24))]);
}

/** The server's first message on a channel. */
export function portMessage(channel: Channel, port: number): Buffer {
  return Buffer.concat([channelHeader(channel, PORT_BYTES), Buffer.of(port & 0xff, port >>> 8)]);
}
