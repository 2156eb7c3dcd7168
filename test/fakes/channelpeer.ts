import type { Socket } from "node:net";
import { WebSocketPipe } from "../../src/runtime/cluster/websocketpipe.ts";
import { ChannelDecoder, channelHeader, portMessage, type Channel } from "../../src/runtime/wire/channels.ts";
import {
  WebSocketDecoder,
  closeFrame,
  frameHeader,
  pingFrame,
  pongFrame,
} from "../../src/runtime/wire/websocket.ts";
import { turnUntil } from "./clock.ts";
import { wire } from "./spdypeer.ts";

/** The runtime's end of a v4.channel WebSocket: what it hears, as words, and what a test lets it say. */
export class ChannelPeer {
  readonly heard: string[] = [];
  /** Bytes of data it has heard. */
  bytes = 0;
  readonly socket: Socket;
  answerPings: "all" | "none" = "all";

  constructor(socket: Socket) {
    this.socket = socket.setNoDelay(true);
    socket.on("error", () => {});
    const channels = new ChannelDecoder(
      { onData: (part) => this.#onData(part), onError: () => void this.heard.push("error") },
      undefined,
    );
    const decoder = new WebSocketDecoder(
      {
        onData: (part, kind) => channels.onData(part, kind),
        onMessageEnd: (kind) => channels.onMessageEnd(kind),
        onPing: (payload) => {
          this.heard.push("ping");
          if (this.answerPings === "all") socket.write(pongFrame(payload));
        },
        onPong: () => void this.heard.push("pong"),
        onClose: (code) => void this.heard.push(`close ${code}`),
      },
      "client",
    );
    socket.on("data", (chunk: Buffer) => decoder.push(chunk));
    socket.once("end", () => void this.heard.push("end"));
    socket.once("close", () => void this.heard.push("closed"));
    socket.resume();
  }

  /** How the server begins. */
  ports(port: number): void {
    this.socket.write(Buffer.concat([portMessage(0, port), portMessage(1, port)]));
  }

  say(channel: Channel, text: string): void {
    this.socket.write(Buffer.concat([channelHeader(channel, Buffer.byteLength(text)), Buffer.from(text)]));
  }

  ping(): void {
    this.socket.write(pingFrame(Buffer.from("there?")));
  }

  /** Says CLOSE and ends; without a code if there is none. */
  close(code?: number): void {
    this.socket.end(code === undefined ? Buffer.of(0x88, 0) : closeFrame(code));
  }

  /** A message that belongs to no channel. */
  nonsense(): void {
    this.socket.write(Buffer.concat([frameHeader(1), Buffer.of(9)]));
  }

  async until(...words: string[]): Promise<void> {
    await turnUntil(() => words.every((word) => this.heard.includes(word)));
  }

  #onData(part: Buffer): void {
    this.bytes += part.length;
    this.heard.push(`data ${part.length < 100 ? String(part) : part.length}`);
  }
}

/** Both ends of a WebSocket that has been agreed on. Whoever asks for it closes both. */
export async function webSocketPair(): Promise<{
  readonly pipe: WebSocketPipe;
  readonly peer: ChannelPeer;
}> {
  const { pipe, far } = await wire();
  return { pipe: new WebSocketPipe(pipe, false), peer: new ChannelPeer(far) };
}
