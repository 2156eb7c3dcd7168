/** One upgraded connection to a pod: carries stream pairs, answers and sends PINGs, knows when it is dead. */
import { KfwdError } from "../../errors.ts";
import {
  DATA_HEADER_BYTES,
  DATA_MAX_BYTES,
  HeaderBlockEncoder,
  RST_CANCEL,
  SpdyDecoder,
  dataHeader,
  ping,
  resetStream,
  synStream,
  writeDataHeader,
  type SpdySink,
} from "../wire/spdy.ts";
import type { Clock, PodStream, StreamHandler } from "../deps.ts";
import { KeepAlive, SILENT } from "./keepalive.ts";
import type { BytePipe } from "./pipe.ts";
import { connectionLost, type ConnectionEvents, type PodConnection } from "./podconnection.ts";
import { SpdyStream, type Carrier } from "./podstream.ts";

/** The server deals PINGs out to its 5 frame workers in turn, so 5 answers prove that none of them is stuck. */
const SWEEP_PINGS = 5;

/** How long a sweep may take before the connection counts as stuck. */
const SWEEP_DEADLINE_MS = 1_000;

/** How long a connection may take to prove that it has outlived a sleep. */
const PROOF_DEADLINE_MS = 2_000;

/** Ids of streams and PINGs are 31 bits; a connection this far along takes no more streams. */
const LAST_ID = 0x7fff0000;

/**
 * - `open`: takes streams
 * - `retiring`: carries what it has, then closes (GOAWAY, a failed sweep, ids used up)
 * - `closed`
 */
type Stage = "open" | "retiring" | "closed";

/** Owns the pipe. */
export class SpdyConnection implements PodConnection {
  readonly pod: string;
  readonly #pipe: BytePipe;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  readonly #decoder: SpdyDecoder;
  readonly #headers = new HeaderBlockEncoder();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #pausedBy = new Set<SpdyStream>();
  readonly #pongs = new Map<number, () => void>();
  readonly #endSweeps = new Set<(sound: boolean) => void>();
  #stage: Stage = "open";
  #nextStreamId = 1;
  #nextRequestId = 0;
  #nextPingId = 1;
  /** Whether memory of the bytes being read is still needed by a stream. */
  #reading: "taken" | "kept" = "taken";
  readonly #keepAlive: KeepAlive;
  #lastStreamFrameMs: number;
  #readingSinceMs: number;

  constructor(pipe: BytePipe, pod: string, clock: Clock, events: ConnectionEvents) {
    this.pod = pod;
    this.#pipe = pipe;
    this.#clock = clock;
    this.#events = events;
    this.#decoder = new SpdyDecoder(this.#sink());
    this.#lastStreamFrameMs = clock.now();
    this.#readingSinceMs = clock.now();
    this.#keepAlive = new KeepAlive(clock, {
      ping: () => this.#ping(() => {}),
      dead: (why) => {
        events.onSilence();
        this.#close(why, SILENT);
      },
      deaf: () => (this.#pausedBy.size > 0 ? "unread" : pipe.congested ? "congested" : undefined),
    });
    pipe.start({
      onBytes: (bytes) => this.#read(bytes),
      onDrain: () => this.#onDrain(),
      onClose: (why) => this.#close(why),
    });
  }

  get load(): number {
    return this.#streams.size / 2;
  }

  get usable(): boolean {
    return this.#stage === "open" && Math.max(this.#nextStreamId, this.#nextPingId) < LAST_ID;
  }

  /** SPDY here has no flow control of its own. */
  get stalled(): boolean {
    return this.#pausedBy.size > 0 || this.#pipe.congested;
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
    this.#write(synStream(ids.error, block("error")));
    this.#write(dataHeader(ids.error, 0, true)); // nothing will be said on it from this side
    this.#write(synStream(ids.data, block("data")));
    return stream;
  }

  /** True when all the server's frame workers still answer; a connection that fails this must take no more streams. */
  async sweep(deadlineMs = SWEEP_DEADLINE_MS): Promise<boolean> {
    if (this.#stage === "closed") return false;
    return new Promise((resolve) => {
      let missing = SWEEP_PINGS;
      const end = (sound: boolean): void => {
        deadline[Symbol.dispose]();
        this.#endSweeps.delete(end);
        resolve(sound);
      };
      const deadline = this.#clock.timer(deadlineMs, () => end(false));
      this.#endSweeps.add(end);
      for (let count = 0; count < SWEEP_PINGS; count++) {
        this.#ping(() => {
          if (--missing === 0) end(true);
        });
      }
    });
  }

  async prove(): Promise<void> {
    if (await this.sweep(PROOF_DEADLINE_MS)) return;
    this.#close(`no answer within ${PROOF_DEADLINE_MS / 1000} s after a sleep`);
  }

  suspect(): void {
    const why = this.#keepAlive.overdue;
    if (why !== undefined) this.#close(why, SILENT);
  }

  doubt(): void {
    if (this.#stage !== "closed") this.#keepAlive.doubt();
  }

  retire(): void {
    if (this.#stage !== "open") return;
    this.#stage = "retiring";
    this.#events.onRetire();
    if (this.#streams.size === 0) this.#close("retired");
  }

  abandon(quietMs: number): void {
    if (this.#pausedBy.size > 0) return; // nobody could have heard it
    const sinceMs = Math.max(this.#lastStreamFrameMs, this.#readingSinceMs);
    if (this.#clock.now() - sinceMs >= quietMs) this.#close("the pod is gone");
  }

  [Symbol.dispose](): void {
    this.#close("closed");
  }

  #read(bytes: Buffer): "taken" | "kept" {
    this.#keepAlive.heard();
    this.#reading = "taken";
    try {
      this.#decoder.push(bytes);
    } catch (error) {
      this.#close(KfwdError.from(error).message);
    }
    return this.#reading;
  }

  #sink(): SpdySink {
    return {
      onData: (id, part) => {
        this.#lastStreamFrameMs = this.#keepAlive.heardMs;
        this.#keepAlive.answered();
        if (this.#streams.get(id)?.onData(id, part) === "kept") this.#reading = "kept";
      },
      onFin: (id) => this.#streams.get(id)?.onFin(id),
      onReset: (id) => this.#streams.get(id)?.onReset(id),
      onSynReply: () => {},
      onSynStream: (id) => this.#write(resetStream(id, RST_CANCEL)), // a server opens no streams here
      onPing: (id) => this.#onPing(id),
      onGoAway: () => this.retire(),
    };
  }

  #onPing(id: number): void {
    if (id % 2 === 0) {
      this.#write(ping(id));
      return;
    }
    this.#keepAlive.answered();
    const onPong = this.#pongs.get(id);
    this.#pongs.delete(id);
    onPong?.();
  }

  #ping(onPong: () => void): void {
    const id = this.#nextPingId;
    this.#nextPingId += 2;
    this.#pongs.set(id, onPong);
    this.#write(ping(id));
  }

  #carrier(): Carrier {
    return {
      pod: this.pod,
      send: (id, chunk, headroom) => this.#send(id, chunk, headroom),
      sendFin: (id) => this.#write(dataHeader(id, 0, true)),
      sendReset: (id) => this.#sendReset(id),
      pauseReading: (stream) => {
        this.#pausedBy.add(stream);
        this.#pipe.pause();
      },
      resumeReading: (stream) => {
        if (!this.#pausedBy.delete(stream) || this.#pausedBy.size > 0) return;
        this.#readingSinceMs = this.#clock.now();
        this.#pipe.resume();
        this.#events.onFlow();
      },
      readingForMs: () => (this.#pausedBy.size > 0 ? 0 : this.#clock.now() - this.#readingSinceMs),
      forget: (stream) => this.#forget(stream),
      timer: (ms, fire) => this.#clock.timer(ms, fire),
    };
  }

  /** One write a frame: with its header in front it is encrypted as it is, without a copy. */
  #send(streamId: number, chunk: Buffer, headroom: number): boolean {
    this.#keepAlive.sent(chunk.length);
    const own = DATA_HEADER_BYTES + this.#pipe.headroomBytes;
    if (headroom >= own && chunk.length <= DATA_MAX_BYTES && this.#pipe.takesAtOnce) {
      const frame = Buffer.from(
        chunk.buffer,
        chunk.byteOffset - DATA_HEADER_BYTES,
        DATA_HEADER_BYTES + chunk.length,
      );
      writeDataHeader(frame, 0, streamId, chunk.length);
      return this.#pipe.write(frame, headroom - DATA_HEADER_BYTES);
    }
    let flowing = true;
    for (let at = 0; at < chunk.length; at += DATA_MAX_BYTES) {
      const part = chunk.subarray(at, at + DATA_MAX_BYTES);
      const room = this.#pipe.headroomBytes;
      const copy = Buffer.allocUnsafe(own + part.length);
      writeDataHeader(copy, room, streamId, part.length);
      part.copy(copy, own);
      flowing = this.#pipe.write(copy.subarray(room), room);
    }
    return flowing;
  }

  /** What is not data goes out together: SYNs with the first bytes, a FIN with the PINGs of the sweep that follows. */
  #write(frame: Buffer): void {
    this.#pipe.gather();
    this.#pipe.write(frame, 0);
  }

  #sendReset(streamId: number): void {
    // Behind a stuck upload the RST would never arrive: only the end of the connection frees the server's side.
    if (this.#pipe.congested && this.load <= 1) this.#close("upload given up while it was stuck");
    else this.#write(resetStream(streamId, RST_CANCEL));
  }

  #onDrain(): void {
    for (const stream of new Set(this.#streams.values())) stream.onDrain();
    this.#events.onFlow();
  }

  #forget(stream: SpdyStream): void {
    this.#streams.delete(stream.errorId);
    this.#streams.delete(stream.dataId);
    if (this.#stage === "closed") return;
    this.#events.onStreamEnd();
    if (this.#stage === "retiring" && this.#streams.size === 0) this.#close("retired");
  }

  #close(why: string, code = "ConnectionLost"): void {
    if (this.#stage === "closed") return;
    this.#stage = "closed";
    this.#keepAlive[Symbol.dispose]();
    this.#pipe[Symbol.dispose]();
    const reason = connectionLost(this.pod, why, code);
    for (const stream of new Set(this.#streams.values())) stream.onLost({ kind: "lost", reason });
    this.#streams.clear();
    this.#pongs.clear();
    for (const end of this.#endSweeps) end(false);
    this.#events.onClose(reason);
  }
}
