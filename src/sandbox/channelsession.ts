import {
  ChannelDecoder,
  DATA_CHANNEL,
  ERROR_CHANNEL,
  channelHeader,
  portMessage,
  type Channel,
} from "../runtime/wire/channels.ts";
import { CLOSE_NORMAL } from "../runtime/wire/websocket.ts";
import type { BytePipe, PipeEvents } from "./bytepipe.ts";
import { portForward, type DataStream } from "./portforward.ts";
import type { Session, SessionSurroundings } from "./session.ts";
import { WebSocketEnd } from "./websocketend.ts";

/**
 * One v4.channel.k8s.io WebSocket, as the container runtime serves it: the pod is dialled at once, and the WebSocket is
 * the connection; the client has no way to end its direction alone. Source: k8s.io/cri-streaming
 * `portforward/websocket.go`. Stricter than that in two things that no client should do: text, and other channels.
 */
export class ChannelSession implements Session, DataStream {
  readonly #around: SessionSurroundings;
  readonly #socket: WebSocketEnd;
  readonly #closed = new AbortController();
  /** What came and nobody has read: no more than one chunk of the connection. */
  readonly #unread: Buffer[] = [];
  readonly #blocked = new Set<() => void>();
  #reader: ((part: Buffer | undefined) => void) | undefined;
  #flow: "both ways" | "out only" | "silent" = "both ways";
  #forwarding: "on" | "over" = "on";

  /** `open` makes the pipe; the session closes it. */
  constructor(open: (events: PipeEvents) => BytePipe, port: number, around: SessionSurroundings) {
    this.#around = around;
    const channels = new ChannelDecoder({ onData: (part) => this.#take(part), onError: () => {} }, undefined);
    const events = {
      onData: channels.onData.bind(channels),
      onMessageEnd: channels.onMessageEnd.bind(channels),
      onDrain: () => this.#drained(),
      onClose: () => this.#close(),
    };
    this.#socket = new WebSocketEnd(open, events, around.faults);
    this.#socket.send([portMessage(DATA_CHANNEL, port)]);
    this.#socket.send([portMessage(ERROR_CHANNEL, port)]);
    void this.#forward(port);
  }

  get streams(): number {
    return this.#forwarding === "on" ? 2 : 0;
  }

  stall(): void {
    this.#flow = "out only";
    this.#brake();
  }

  silence(): void {
    this.#flow = "silent";
    this.#socket.silence();
    this.#brake();
  }

  resume(): void {
    if (this.#flow === "out only") this.#flow = "both ways";
    this.#brake();
  }

  /** There are no workers here: its one reader is stuck. */
  wedge(): void {
    this.stall();
  }

  /** Takes no new streams anyway. */
  goAway(): void {}

  end(): void {
    this.#socket.close(CLOSE_NORMAL);
  }

  // --- the connection into the pod ---

  read(take: (part: Buffer | undefined) => void): void {
    const part = this.#unread.shift();
    if (part === undefined) this.#reader = take;
    else take(part);
    this.#brake();
  }

  write(bytes: Buffer): boolean {
    return this.#send(DATA_CHANNEL, bytes);
  }

  whenDrained(resume: () => void): void {
    this.#blocked.add(resume);
  }

  close(): void {} // a channel has no end of its own
  reset(): void {}

  async #forward(port: number): Promise<void> {
    const { faults, timers } = this.#around;
    const error = {
      write: (bytes: Buffer) => this.#send(ERROR_CHANNEL, bytes),
      close: () => {},
      reset: () => {},
    };
    await portForward({ port, data: this, error }, this.#around, this.#closed.signal);
    this.#forwarding = "over";
    this.#around.onChange();
    if (faults.finDelayMs > 0) timers.after(faults.finDelayMs, () => this.end());
    else this.end();
  }

  #send(channel: Channel, bytes: Buffer): boolean {
    return this.#socket.send([channelHeader(channel, bytes.length), bytes]);
  }

  #take(part: Buffer): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader === undefined) this.#unread.push(part);
    else reader(part);
    this.#brake();
  }

  #drained(): void {
    const blocked = [...this.#blocked];
    this.#blocked.clear();
    for (const resume of blocked) resume();
  }

  #close(): void {
    this.#closed.abort();
    this.#unread.length = 0;
    this.#forwarding = "over";
    this.#around.onClose();
  }

  /** Reads on, or not: what the application does not read stops the connection. */
  #brake(): void {
    const reads = this.#flow === "silent" || (this.#flow === "both ways" && this.#unread.length === 0);
    if (reads) this.#socket.resume();
    else this.#socket.pause();
  }
}
