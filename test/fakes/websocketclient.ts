import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { ChannelDecoder, channelHeader } from "../../src/runtime/wire/channels.ts";
import {
  BINARY,
  CLOSE_NORMAL,
  TUNNEL_PROTOCOL,
  WebSocketDecoder,
  closeFrame,
  frameHeader,
  mask,
  pingFrame,
  pongFrame,
  type FrameOptions,
} from "../../src/runtime/wire/websocket.ts";
import { SpdyClient, ask, dialServer, type ServerAddress } from "./spdyclient.ts";

/** The handshake of RFC 6455, 1.2, whose accept key is known. */
const HANDSHAKE_KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/** What a handshake says; the defaults are those of a tunnel. */
export interface WebSocketAsk {
  readonly protocols?: string;
  readonly ports?: readonly (number | string)[];
  readonly method?: string;
}

/** The lines of a WebSocket handshake for a port-forward. */
export function webSocketRequest(
  { url, token }: ServerAddress,
  namespace: string,
  pod: string,
  { protocols = TUNNEL_PROTOCOL, ports = [], method = "GET" }: WebSocketAsk = {},
): string[] {
  const { pathname, host } = new URL(url);
  const path = `${pathname.replace(/\/$/, "")}/api/v1/namespaces/${namespace}/pods/${pod}/portforward`;
  const query = ports.length === 0 ? "" : `?${ports.map((port) => `ports=${port}`).join("&")}`;
  return [
    `${method} ${path}${query} HTTP/1.1`,
    `Host: ${host}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${HANDSHAKE_KEY}`,
    ...(protocols === "" ? [] : [`Sec-WebSocket-Protocol: ${protocols}`]),
  ];
}

/** The frame of a client, under a key that nobody can guess. */
function clientFrame(payload: Buffer, options: FrameOptions = {}): Buffer {
  const key = randomBytes(4).readUInt32BE(0);
  const masked = Buffer.from(payload);
  mask(masked, key);
  return Buffer.concat([frameHeader(payload.length, { ...options, key }), masked]);
}

/** A WebSocket that shows everything: messages as they come, in order, as short texts. */
export class WebSocketClient implements Disposable {
  readonly socket: Socket;
  readonly head: string;
  /** `port 0 80`, `data hello`, `error text`, `end` of a message, `pong x`, `close 1000`, and `closed`. */
  readonly heard: string[] = [];
  /** How many bytes came on the data channel. */
  received = 0;
  readonly #parts: Buffer[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(socket: Socket, head: string, early: Buffer, port: number | undefined) {
    this.socket = socket;
    this.head = head;
    const channels = new ChannelDecoder(
      { onData: (part) => this.#data(part), onError: (part) => this.#say(`error ${part.toString()}`) },
      port,
    );
    const decoder = new WebSocketDecoder(
      {
        onData: (part, kind) => channels.onData(part, kind),
        onMessageEnd: (kind) => channels.onMessageEnd(kind),
        onPing: (payload) => this.#say(`ping ${payload.toString()}`),
        onPong: (payload) => this.#say(`pong ${payload.toString()}`),
        onClose: (code) => this.#say(`close ${code}`),
      },
      "server",
    );
    decoder.push(early);
    socket.on("data", (chunk: Buffer) => decoder.push(chunk));
    socket.on("error", () => {});
    socket.once("end", () => socket.destroy());
    socket.once("close", () => this.#say("closed"));
    socket.resume();
  }

  /** Opens v4.channel to a port of a pod. */
  static async to(
    server: ServerAddress,
    namespace: string,
    pod: string,
    asked: WebSocketAsk,
  ): Promise<WebSocketClient> {
    const socket = await dialServer(server);
    const { head, rest } = await ask(socket, webSocketRequest(server, namespace, pod, asked));
    if (!head.startsWith("HTTP/1.1 101 ")) {
      socket.destroy();
      throw new Error(`${head}\n\n${rest.toString()}`);
    }
    return new WebSocketClient(socket, head, rest, Number(asked.ports?.[0]));
  }

  /** Everything that came on the data channel. */
  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  /** Sends a message on the data channel. */
  write(bytes: string | Buffer): void {
    const key = randomBytes(4).readUInt32BE(0);
    const payload = Buffer.from(bytes as string);
    mask(payload, key, 1);
    this.socket.write(Buffer.concat([channelHeader(0, payload.length, key), payload]));
  }

  /** Sends a message as it is. */
  send(payload: string, options: FrameOptions = {}): void {
    this.socket.write(clientFrame(Buffer.from(payload, "latin1"), options));
  }

  ping(payload: string): void {
    this.socket.write(pingFrame(Buffer.from(payload), 0));
  }

  close(code = CLOSE_NORMAL): void {
    this.socket.write(closeFrame(code, "", 0));
  }

  /** Resolves when it has been heard. */
  async until(wanted: string | (() => boolean)): Promise<void> {
    const holds = typeof wanted === "string" ? () => this.heard.includes(wanted) : wanted;
    if (holds()) return;
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }

  #data(part: Buffer): void {
    this.#parts.push(Buffer.from(part));
    this.received += part.length;
    this.#say(`data ${part.length < 100 ? part.toString("latin1") : `${part.length} bytes`}`);
  }

  #say(text: string): void {
    this.heard.push(text);
    for (const look of this.#waiting) look();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** The bytes in the messages of a WebSocket, as a stream. Each write is a message of its own. */
export class TunnelSocket extends Duplex {
  readonly socket: Socket;
  /** What is not a piece of the stream: `pong x`, `close 1000`. */
  readonly heard: string[] = [];

  constructor(socket: Socket, early: Buffer) {
    super({ allowHalfOpen: false, emitClose: true });
    this.socket = socket;
    const decoder = new WebSocketDecoder(
      {
        onData: (part) => {
          if (!this.push(Buffer.from(part))) socket.pause();
        },
        onMessageEnd: () => {},
        onPing: (payload) => void socket.write(pongFrame(payload, 0)),
        onPong: (payload) => void this.heard.push(`pong ${payload.toString()}`),
        onClose: (code) => {
          this.heard.push(`close ${code}`);
          this.push(null);
        },
      },
      "server",
    );
    decoder.push(early);
    socket.on("data", (chunk: Buffer) => decoder.push(chunk));
    socket.on("error", (error) => this.destroy(error));
    socket.once("close", () => this.destroy());
  }

  static async to(server: ServerAddress, namespace: string, pod: string): Promise<TunnelSocket> {
    const socket = await dialServer(server);
    const { head, rest } = await ask(socket, webSocketRequest(server, namespace, pod));
    if (head.startsWith("HTTP/1.1 101 ")) return new TunnelSocket(socket, rest);
    socket.destroy();
    throw new Error(`${head}\n\n${rest.toString()}`);
  }

  /** Sends a message that is no piece of the stream. */
  send(payload: string, options: FrameOptions = { opcode: BINARY }): void {
    this.socket.write(clientFrame(Buffer.from(payload, "latin1"), options));
  }

  override _read(): void {
    this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.socket.write(clientFrame(chunk), done);
  }

  override _final(done: () => void): void {
    this.socket.write(closeFrame(CLOSE_NORMAL, "", 0), () => done()); // the server ends the connection
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.socket.destroy();
    done(error);
  }
}

/** A SPDY client in the tunnel. */
export async function tunnelTo(server: ServerAddress, namespace: string, pod: string): Promise<SpdyClient> {
  return new SpdyClient(await TunnelSocket.to(server, namespace, pod), Buffer.alloc(0));
}
