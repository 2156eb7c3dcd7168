/** One TCP connection into a pod that has a WebSocket to itself: v4.channel.k8s.io. */
import type { Clock, PodStream, StreamEnd, StreamHandler } from "../deps.ts";
import { ChannelDecoder, DATA_CHANNEL } from "../wire/channels.ts";
import { CLOSE_NORMAL } from "../wire/websocket.ts";
import { KeepAlive, SILENT } from "./keepalive.ts";
import { connectionLost } from "./podconnection.ts";
import { failureEnd } from "./streamfailure.ts";
import type { WebSocketPipe } from "./websocketpipe.ts";

/** How long the server may take to end the WebSocket after words of a failure, or after our CLOSE. */
const END_DEADLINE_MS = 1_000;

/** How long it may take to prove that it has outlived a sleep. */
const PROOF_DEADLINE_MS = 2_000;

/** Longest error text kept. */
const ERROR_TEXT_MAX_BYTES = 4 * 1024;

/** In front of each payload. */
const CHANNEL_BYTES = 1;

/**
 * - `open`: bytes go both ways
 * - `closing`: we have said CLOSE, the only end there is; what is on its way still comes
 * - `over`: the handler has had its last call, or gave the stream up
 */
type Stage = "open" | "closing" | "over";

/** What a stream belongs to. */
export interface ChannelSurroundings {
  readonly pod: string;
  readonly port: number;
  readonly clock: Clock;
  /** It went dead without a word, and will be lost. */
  onSilence(): void;
  /** Called once when it is over, before its handler is told. */
  onOver(): void;
}

/** Owns the pipe. Silent until {@link start}. */
export class ChannelStream implements PodStream {
  readonly #pipe: WebSocketPipe;
  readonly #around: ChannelSurroundings;
  readonly #handler: StreamHandler;
  readonly #keepAlive: KeepAlive;
  #stage: Stage = "open";
  #flow: "reads" | "paused" = "reads";
  /** `blocked`: the handler was told to wait for its `onDrain`. */
  #output: "flows" | "blocked" = "flows";
  /** Whether memory of the bytes being read is still needed by the handler. */
  #reading: "taken" | "kept" = "taken";
  #receivedBytes = 0;
  #errorText = Buffer.alloc(0);
  /** With which code the server said CLOSE. */
  #goodbye: { readonly code: number | undefined } | undefined;
  #endDeadline: Disposable | undefined;
  #proof: Disposable | undefined;
  #lastDataMs: number;
  #readingSinceMs: number;

  constructor(pipe: WebSocketPipe, around: ChannelSurroundings, handler: StreamHandler) {
    const { clock } = around;
    this.#pipe = pipe;
    this.#around = around;
    this.#handler = handler;
    this.#lastDataMs = clock.now();
    this.#readingSinceMs = clock.now();
    this.#keepAlive = new KeepAlive(clock, {
      ping: () => pipe.ping(),
      dead: (why) => {
        around.onSilence();
        this.lose(why, SILENT);
      },
      deaf: () => (this.#flow === "paused" ? "unread" : pipe.congested ? "congested" : undefined),
    });
  }

  /** Begins to read: from now on the handler is called. To be called once. */
  start(): void {
    if (this.#stage === "over") return;
    const channels = new ChannelDecoder(
      { onData: (part) => this.#onData(part), onError: (part) => this.#onErrorText(part) },
      this.#around.port,
    );
    this.#pipe.start({
      onBytes: (bytes) => {
        this.#onSign();
        this.#reading = "taken";
        channels.onData(bytes, "binary");
        return this.#reading;
      },
      onMessageEnd: () => channels.onMessageEnd("binary"),
      onPong: () => {
        this.#onSign();
        this.#keepAlive.answered();
      },
      onGoodbye: (code) => (this.#goodbye = { code }),
      onDrain: () => this.#drain(),
      onClose: (why) => this.#judge(why),
    });
    if (!this.#pipe.congested) this.#drain(); // it may have been written to before
  }

  /** With room for its headers in front the chunk goes out as it is, without a copy. */
  write(chunk: Buffer, headroom: number): boolean {
    if (this.#stage !== "open" || chunk.length === 0) return true;
    this.#keepAlive.sent(chunk.length);
    const room = this.#pipe.headroomBytes + CHANNEL_BYTES;
    if (headroom < room || !this.#pipe.takesAtOnce) {
      const copy = Buffer.allocUnsafe(room + chunk.length);
      chunk.copy(copy, room);
      return this.#send(copy.subarray(room), room);
    }
    return this.#send(chunk, headroom);
  }

  /** The pod hears of it as the end of both directions, so hold it back while an answer may be due. */
  end(): void {
    if (this.#stage !== "open") return;
    this.#stage = "closing";
    this.#pipe.close();
    this.#endSoon("CLOSE was not answered");
  }

  abort(): void {
    if (this.#stage !== "over") this.#leave();
  }

  pause(): void {
    if (this.#stage === "over") return;
    this.#flow = "paused";
    this.#pipe.pause();
  }

  resume(): void {
    if (this.#stage === "over" || this.#flow === "reads") return;
    this.#flow = "reads";
    this.#readingSinceMs = this.#around.clock.now();
    this.#pipe.resume();
  }

  /** Others to the same pod went silent: it is lost if it owes an answer. */
  suspect(): void {
    const why = this.#stage === "over" ? undefined : this.#keepAlive.overdue;
    if (why !== undefined) this.lose(why, SILENT);
  }

  /** After a sleep: it is lost unless something comes soon. */
  prove(): void {
    if (this.#stage === "over" || this.#flow === "paused") return;
    this.#pipe.ping();
    this.#proof?.[Symbol.dispose]();
    this.#proof = this.#around.clock.timer(PROOF_DEADLINE_MS, () => {
      if (this.#flow === "reads") this.lose(`no answer within ${PROOF_DEADLINE_MS / 1000} s after a sleep`);
    });
  }

  /** Another connection to the same pod has died without a word. */
  doubt(): void {
    if (this.#stage !== "over") this.#keepAlive.doubt();
  }

  /** The pod is no more: it is lost if it heard nothing for so long, although it could. */
  abandon(quietMs: number): void {
    if (this.#flow === "paused") return;
    const sinceMs = Math.max(this.#lastDataMs, this.#readingSinceMs);
    if (this.#around.clock.now() - sinceMs >= quietMs) this.lose("the pod is gone");
  }

  lose(why: string, code?: string): void {
    if (this.#stage === "over") return;
    this.#leave();
    this.#handler.onClose(this.#lost(why, code));
  }

  #send(payload: Buffer, headroom: number): boolean {
    const message = Buffer.from(
      payload.buffer,
      payload.byteOffset - CHANNEL_BYTES,
      CHANNEL_BYTES + payload.length,
    );
    message.writeUInt8(DATA_CHANNEL, 0);
    const flows = this.#pipe.write(message, headroom - CHANNEL_BYTES);
    if (!flows) this.#output = "blocked";
    return flows;
  }

  #drain(): void {
    if (this.#output === "flows") return;
    this.#output = "flows";
    if (this.#stage === "open") this.#handler.onDrain();
  }

  /** Of life. */
  #onSign(): void {
    this.#keepAlive.heard();
    this.#proof?.[Symbol.dispose]();
  }

  #onData(part: Buffer): void {
    this.#receivedBytes += part.length;
    this.#lastDataMs = this.#keepAlive.heardMs;
    this.#keepAlive.answered();
    if (this.#stage !== "over" && this.#handler.onData(part) === "kept") this.#reading = "kept";
  }

  #onErrorText(part: Buffer): void {
    const room = ERROR_TEXT_MAX_BYTES - this.#errorText.length;
    this.#errorText = Buffer.concat([this.#errorText, part.subarray(0, room)]);
    this.#endSoon("the API server did not end what had failed");
  }

  /** Only a WebSocket that nobody holds up can be late. */
  #endSoon(why: string): void {
    this.#endDeadline ??= this.#around.clock.timer(END_DEADLINE_MS, () => {
      this.#endDeadline = undefined;
      if (this.#flow === "paused") this.#endSoon(why);
      else this.#judge(why);
    });
  }

  /** Both directions have ended: in order when a side said so, and words on the error channel are the last. */
  #judge(why: string): void {
    if (this.#stage === "over") return;
    const { port, pod } = this.#around;
    const inOrder = this.#stage === "closing" || isOrderly(this.#goodbye);
    this.#leave();
    if (this.#errorText.length > 0) {
      const from = { port, pod, receivedBytes: this.#receivedBytes };
      this.#handler.onClose(failureEnd(this.#errorText.toString("utf8"), from));
    } else if (inOrder) {
      this.#handler.onEnd();
      this.#handler.onClose({ kind: "done" });
    } else {
      this.#handler.onClose(this.#lost(why));
    }
  }

  #lost(why: string, code?: string): StreamEnd {
    return { kind: "lost", reason: connectionLost(this.#around.pod, why, code) };
  }

  #leave(): void {
    this.#stage = "over";
    this.#keepAlive[Symbol.dispose]();
    this.#endDeadline?.[Symbol.dispose]();
    this.#proof?.[Symbol.dispose]();
    this.#pipe[Symbol.dispose]();
    this.#around.onOver();
  }
}

/** Some say CLOSE without a code. */
function isOrderly(goodbye: { readonly code: number | undefined } | undefined): boolean {
  return goodbye !== undefined && (goodbye.code === undefined || goodbye.code === CLOSE_NORMAL);
}
