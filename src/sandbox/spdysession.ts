import { setMaxListeners } from "node:events";
import {
  HeaderBlockEncoder,
  RST_CANCEL,
  RST_PROTOCOL_ERROR,
  SpdyDecoder,
  dataHeader,
  goAway,
  ping,
  resetStream,
  synReply,
  type SpdySink,
} from "../runtime/wire/spdy.ts";
import type { BytePipe, PipeEvents } from "./bytepipe.ts";
import { FrameWorkers } from "./frameworkers.ts";
import { HeaderBlockDecoder } from "./headerblocks.ts";
import { portForward } from "./portforward.ts";
import { ServerStream, type StreamOutput } from "./serverstream.ts";
import type { Session, SessionSurroundings } from "./session.ts";
import { StreamPairs, isForwardStream } from "./streampairs.ts";

/** How far a session works, when a test makes it fail. */
type Flow = "both ways" | "out only" | "silent";

/** One upgraded connection to a pod, as the container runtime serves it: SPDY/3.1 without flow control. */
export class SpdySession implements Session, SpdySink, StreamOutput, PipeEvents {
  readonly #around: SessionSurroundings;
  readonly #pipe: BytePipe;
  readonly #decoder = new SpdyDecoder(this);
  readonly #headersIn = new HeaderBlockDecoder();
  readonly #headersOut = new HeaderBlockEncoder();
  readonly #workers: FrameWorkers;
  readonly #pairs: StreamPairs;
  readonly #streams = new Map<number, ServerStream>();
  readonly #blocked = new Set<() => void>();
  readonly #closed = new AbortController();
  #flow: Flow = "both ways";
  #highestId = 0;
  #intake: "open" | "going away" = "open";

  /** `open` makes the pipe; the session closes it. */
  constructor(open: (events: PipeEvents) => BytePipe, around: SessionSurroundings) {
    this.#around = around;
    setMaxListeners(0, this.#closed.signal); // one a connection into the pod
    this.#workers = new FrameWorkers(() => this.#brake());
    this.#pairs = new StreamPairs(around.timers, around.options.pairingMs, (pair) => {
      void portForward(pair, around, this.#closed.signal);
    });
    this.#pipe = open(this);
  }

  get streams(): number {
    return this.#streams.size;
  }

  stall(): void {
    this.#flow = "out only";
    this.#brake();
  }

  silence(): void {
    this.#flow = "silent";
    this.#pipe.silence();
    this.#brake();
  }

  resume(): void {
    if (this.#flow === "out only") this.#flow = "both ways";
    this.#brake();
  }

  wedge(): void {
    this.#workers.wedge();
  }

  end(): void {
    this.#pipe.end();
  }

  goAway(): void {
    this.#intake = "going away";
    this.#write(goAway(this.#highestId));
    this.#leave();
  }

  onBytes(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk);
    } catch {
      this.#pipe.destroy(); // as the runtime does on a frame it cannot read
    }
    this.#brake();
  }

  onDrain(): void {
    const blocked = [...this.#blocked];
    this.#blocked.clear();
    for (const resume of blocked) resume();
  }

  onClose(): void {
    this.#closed.abort();
    this.#pairs[Symbol.dispose]();
    this.#workers.clear();
    this.#streams.clear();
    this.#around.onClose();
  }

  // --- frames from the client, in order ---

  onSynStream(streamId: number, headerBlock: Buffer): void {
    const headers = this.#headersIn.decode(headerBlock);
    if (this.#intake === "going away") return;
    if (streamId <= this.#highestId) {
      this.#write(resetStream(streamId, RST_PROTOCOL_ERROR));
      return;
    }
    this.#highestId = streamId;
    const stream = new ServerStream(streamId, headers, this);
    this.#streams.set(streamId, stream);
    this.#around.onChange();
    this.#workers.push(streamId, () => {
      this.#admit(stream);
      return undefined;
    });
  }

  onData(streamId: number, part: Buffer): void {
    this.#workers.push(streamId, () => this.#streams.get(streamId)?.offer(part));
  }

  onFin(streamId: number): void {
    this.#workers.push(streamId, () => {
      this.#streams.get(streamId)?.endInput();
      return undefined;
    });
  }

  onReset(streamId: number): void {
    this.#workers.push(streamId, () => {
      this.#streams.get(streamId)?.abandon();
      return undefined;
    });
  }

  onPing(id: number): void {
    this.#workers.pushInTurn(() => {
      if (id % 2 === 1 && !this.#around.faults.ignorePings) this.#write(ping(id));
      return undefined;
    });
  }

  onGoAway(): void {
    this.#intake = "going away";
    this.#leave();
  }

  onSynReply(): void {} // the server opens no streams

  // --- frames to the client ---

  data(streamId: number, bytes: Buffer): boolean {
    this.#pipe.cork();
    this.#write(dataHeader(streamId, bytes.length, false));
    return this.#write(bytes);
  }

  fin(streamId: number): void {
    const { faults, timers } = this.#around;
    const send = (): void => void this.#write(dataHeader(streamId, 0, true));
    if (faults.finDelayMs > 0) timers.after(faults.finDelayMs, send);
    else send();
  }

  reset(streamId: number): void {
    this.#write(resetStream(streamId, RST_CANCEL));
  }

  whenDrained(resume: () => void): void {
    this.#blocked.add(resume);
  }

  forget(streamId: number): void {
    if (!this.#streams.delete(streamId)) return;
    this.#around.onChange();
    this.#leave();
  }

  #admit(stream: ServerStream): void {
    if (!isForwardStream(stream.headers)) {
      stream.reset();
      return;
    }
    this.#write(synReply(stream.id, this.#headersOut.encode([])));
    this.#pairs.add(stream);
  }

  #leave(): void {
    if (this.#intake === "going away" && this.#streams.size === 0) this.#pipe.end();
  }

  /** Reads on, or not: a full worker stops the whole connection. */
  #brake(): void {
    const reads = this.#flow === "silent" || (this.#flow === "both ways" && !this.#workers.full);
    if (reads) this.#pipe.resume();
    else this.#pipe.pause();
  }

  #write(bytes: Buffer): boolean {
    if (this.#closed.signal.aborted) return true;
    return this.#pipe.write(bytes);
  }
}
