/** One upgraded connection to a pod: carries stream pairs, answers and sends PINGs, knows when it is dead. */
import type { Socket } from "node:net";
import { KfwdError } from "../../errors.ts";
import {
  DATA_MAX_BYTES,
  HeaderBlockEncoder,
  RST_CANCEL,
  SpdyDecoder,
  dataHeader,
  ping,
  resetStream,
  synStream,
  type SpdySink,
} from "../wire/spdy.ts";
import type { Reason } from "../core/status.ts";
import type { Clock, PodStream, StreamHandler } from "../deps.ts";
import { SpdyStream, type Carrier } from "./podstream.ts";
import type { Upgraded } from "./upgrade.ts";

/** Every frame from the server counts as life; a PING asks for one when there was none for this long. */
export const PING_AFTER_MS = 5_000;

/** No frame for this long: the connection is dead, whatever TCP believes. */
export const DEAD_AFTER_MS = 15_000;

/** The server deals PINGs out to its 5 frame workers in turn, so 5 answers prove that none of them is stuck. */
const SWEEP_PINGS = 5;

/** How long a sweep may take before the connection counts as stuck. */
const SWEEP_DEADLINE_MS = 1_000;

/** Stream ids are 31 bits; a connection this far along is replaced when it is next idle. */
const LAST_STREAM_ID = 0x7fff0000;

/**
 * - `open`: takes streams
 * - `retiring`: carries what it has, then closes (GOAWAY, a failed sweep, ids used up)
 * - `closed`
 */
type Stage = "open" | "retiring" | "closed";

/** What the owner of a connection wants to know. */
export interface ConnectionEvents {
  /** A stream ended; the connection may be idle or less loaded now. */
  onStreamEnd(): void;
  /** Called once; every stream has had its `onClose` before. */
  onClose(reason: Reason): void;
}

/** Owns the socket. Disposing closes it at once and ends all streams as lost. */
export class SpdyConnection implements Disposable {
  readonly pod: string;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  readonly #decoder: SpdyDecoder;
  readonly #headers = new HeaderBlockEncoder();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #pausedBy = new Set<SpdyStream>();
  readonly #pongs = new Map<number, () => void>();
  #stage: Stage = "open";
  #nextStreamId = 1;
  #nextRequestId = 0;
  #nextPingId = 1;
  #corked: "no" | "thisTurn" = "no";
  #lastHeardMs: number;
  #keepalive: Disposable;

  constructor(upgraded: Upgraded, pod: string, clock: Clock, events: ConnectionEvents) {
    this.pod = pod;
    this.#socket = upgraded.socket;
    this.#clock = clock;
    this.#events = events;
    this.#decoder = new SpdyDecoder(this.#sink());
    this.#lastHeardMs = clock.now();
    this.#keepalive = clock.timer(PING_AFTER_MS, () => this.#keepAlive());
    this.#socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#socket.on("drain", () => this.#onDrain());
    this.#socket.on("error", (error) => this.#close(`connection broke (${error.message})`));
    this.#socket.on("end", () => this.#close("the API server closed the connection"));
    this.#socket.on("close", () => this.#close("connection closed"));
    if (upgraded.early.length > 0) this.#read(upgraded.early);
    this.#socket.resume();
  }

  /** Streams it carries. */
  get load(): number {
    return this.#streams.size / 2;
  }

  get usable(): boolean {
    return this.#stage === "open" && this.#nextStreamId < LAST_STREAM_ID;
  }

  /** True while a reader or a writer holds the whole connection up: SPDY here has no flow control of its own. */
  get stalled(): boolean {
    return this.#pausedBy.size > 0 || this.#socket.writableNeedDrain;
  }

  /**
   * Sends both SYNs at once and waits for nothing: the server takes frames in order, so data may follow in the same
   * write. Refusal comes as the stream's end.
   */
  open(port: number, handler: StreamHandler): PodStream {
    const ids = { error: this.#nextStreamId, data: this.#nextStreamId + 2 };
    this.#nextStreamId += 4;
    const requestId = String(this.#nextRequestId++);
    const block = (type: "error" | "data"): Buffer =>
      this.#headers.encode([
        ["streamtype", type],
        ["port", String(port)],
        ["requestid", requestId],
      ]);
    const stream = new SpdyStream(this.#carrier(), ids, port, handler);
    this.#streams.set(ids.error, stream);
    this.#streams.set(ids.data, stream);
    this.#cork();
    this.#socket.write(synStream(ids.error, block("error")));
    this.#socket.write(dataHeader(ids.error, 0, true)); // nothing will be said on it from this side
    this.#socket.write(synStream(ids.data, block("data")));
    return stream;
  }

  /** True when all the server's frame workers still answer; a connection that fails this must take no more streams. */
  async sweep(): Promise<boolean> {
    if (this.#stage !== "open") return false;
    return new Promise((resolve) => {
      let missing = SWEEP_PINGS;
      const deadline = this.#clock.timer(SWEEP_DEADLINE_MS, () => resolve(false));
      for (let count = 0; count < SWEEP_PINGS; count++) {
        this.#ping(() => {
          if (--missing > 0) return;
          deadline[Symbol.dispose]();
          resolve(true);
        });
      }
    });
  }

  /** Takes no more streams and closes when the last one has ended. */
  retire(): void {
    if (this.#stage !== "open") return;
    this.#stage = "retiring";
    if (this.#streams.size === 0) this.#close("retired");
  }

  [Symbol.dispose](): void {
    this.#close("closed");
  }

  #read(chunk: Buffer): void {
    this.#lastHeardMs = this.#clock.now();
    try {
      this.#decoder.push(chunk);
    } catch (error) {
      this.#close(KfwdError.from(error).message);
    }
  }

  #sink(): SpdySink {
    return {
      onData: (id, part) => this.#streams.get(id)?.onData(id, part),
      onFin: (id) => this.#streams.get(id)?.onFin(id),
      onReset: (id) => this.#streams.get(id)?.onReset(id),
      onSynReply: () => {},
      onSynStream: (id) => void this.#socket.write(resetStream(id, RST_CANCEL)), // a server opens no streams here
      onPing: (id) => this.#onPing(id),
      onGoAway: () => this.retire(),
    };
  }

  #onPing(id: number): void {
    if (id % 2 === 0) {
      this.#socket.write(ping(id));
      return;
    }
    const onPong = this.#pongs.get(id);
    this.#pongs.delete(id);
    onPong?.();
  }

  #ping(onPong: () => void): void {
    const id = this.#nextPingId;
    this.#nextPingId = (id + 2) % 0x7fffffff;
    this.#pongs.set(id, onPong);
    this.#socket.write(ping(id));
  }

  /** A reader that stalls keeps us from hearing anything, so silence counts only while we listen. */
  #keepAlive(): void {
    if (this.#pausedBy.size > 0) this.#lastHeardMs = this.#clock.now();
    const silentMs = this.#clock.now() - this.#lastHeardMs;
    if (silentMs >= DEAD_AFTER_MS) {
      this.#close(`no sign of life for ${DEAD_AFTER_MS / 1000} s`);
      return;
    }
    if (silentMs >= PING_AFTER_MS) this.#ping(() => {});
    this.#keepalive = this.#clock.timer(PING_AFTER_MS, () => this.#keepAlive());
  }

  #carrier(): Carrier {
    return {
      pod: this.pod,
      send: (id, chunk) => this.#send(id, chunk),
      sendFin: (id) => void this.#socket.write(dataHeader(id, 0, true)),
      sendReset: (id) => this.#sendReset(id),
      pauseReading: (stream) => {
        this.#pausedBy.add(stream);
        this.#socket.pause();
      },
      resumeReading: (stream) => {
        if (this.#pausedBy.delete(stream) && this.#pausedBy.size === 0) this.#socket.resume();
      },
      forget: (stream) => this.#forget(stream),
      timer: (ms, fire) => this.#clock.timer(ms, fire),
    };
  }

  #send(streamId: number, chunk: Buffer): boolean {
    this.#cork();
    let flowing = true;
    for (let at = 0; at < chunk.length; at += DATA_MAX_BYTES) {
      const part = chunk.subarray(at, at + DATA_MAX_BYTES);
      this.#socket.write(dataHeader(streamId, part.length, false));
      flowing = this.#socket.write(part);
    }
    return flowing;
  }

  #sendReset(streamId: number): void {
    // Behind a stuck upload the RST would never arrive: only the end of the connection frees the server's side.
    if (this.#socket.writableNeedDrain && this.load <= 1) this.#close("upload given up while it was stuck");
    else this.#socket.write(resetStream(streamId, RST_CANCEL));
  }

  /** Everything written in one turn of the event loop goes out as one TLS record: SYNs and first bytes together. */
  #cork(): void {
    if (this.#corked === "thisTurn") return;
    this.#corked = "thisTurn";
    this.#socket.cork();
    process.nextTick(() => {
      this.#corked = "no";
      this.#socket.uncork();
    });
  }

  #onDrain(): void {
    for (const stream of new Set(this.#streams.values())) stream.onDrain();
  }

  #forget(stream: SpdyStream): void {
    this.#streams.delete(stream.errorId);
    this.#streams.delete(stream.dataId);
    if (this.#stage === "closed") return;
    this.#events.onStreamEnd();
    if (this.#stage === "retiring" && this.#streams.size === 0) this.#close("retired");
  }

  #close(why: string): void {
    if (this.#stage === "closed") return;
    this.#stage = "closed";
    this.#keepalive[Symbol.dispose]();
    this.#socket.destroy();
    const reason: Reason = {
      code: "ConnectionLost",
      kind: "transient",
      message: `pod "${this.pod}": ${why}`,
    };
    for (const stream of new Set(this.#streams.values())) stream.onLost({ kind: "lost", reason });
    this.#streams.clear();
    this.#pongs.clear();
    this.#events.onClose(reason);
  }
}
