/** One TCP connection into a pod: an SPDY stream pair, data and error, on an upgraded connection. */
import type { PodStream, StreamEnd, StreamHandler } from "../deps.ts";
import { failureEnd } from "./streamfailure.ts";

/**
 * How long the error stream may still speak after the data stream has ended. Servers end both together, so this is
 * waited out only where one does not; were it short, a lost packet would make a broken answer look like a whole one.
 */
const VERDICT_MS = 1_000;

/** Longest error text kept. */
const ERROR_TEXT_MAX_BYTES = 4 * 1024;

/** Of all streams: each their own would be the largest part of many. */
const NO_TEXT = Buffer.alloc(0);

/** What a stream needs of the connection that carries it. */
export interface Carrier {
  readonly pod: string;
  send(streamId: number, chunk: Buffer, headroom: number): boolean;
  sendFin(streamId: number): void;
  sendReset(streamId: number): void;
  pauseReading(stream: SpdyStream): void;
  resumeReading(stream: SpdyStream): void;
  /** How long no stream of the connection has held up the reading of all. */
  readingForMs(): number;
  /** The stream is over: no further frame of it matters. */
  forget(stream: SpdyStream): void;
  timer(ms: number, fire: () => void): Disposable;
}

/**
 * - `open`: bytes may come
 * - `judging`: the pod has finished; the error stream decides whether it did so in order
 * - `over`: the handler has had its last call, or gave the stream up
 */
type Stage = "open" | "judging" | "over";

/** The connection feeds it by the `on…` methods, in the order of the frames. */
export class SpdyStream implements PodStream {
  readonly dataId: number;
  readonly errorId: number;
  readonly port: number;
  readonly #carrier: Carrier;
  readonly #handler: StreamHandler;
  #stage: Stage = "open";
  #receivedBytes = 0;
  #fin: "due" | "sent" = "due";
  #errorText = NO_TEXT;
  #errorStream: "open" | "ended" = "open";
  #verdict: Disposable | undefined;

  constructor(
    carrier: Carrier,
    ids: { readonly data: number; readonly error: number },
    port: number,
    handler: StreamHandler,
  ) {
    this.#carrier = carrier;
    this.dataId = ids.data;
    this.errorId = ids.error;
    this.port = port;
    this.#handler = handler;
  }

  write(chunk: Buffer, headroom: number): boolean {
    // After the pod's FIN no more DATA may go out: it would block one of the server's frame workers for ever.
    if (this.#stage !== "open" || this.#fin === "sent") return true;
    return this.#carrier.send(this.dataId, chunk, headroom);
  }

  end(): void {
    if (this.#fin === "sent") return;
    this.#fin = "sent";
    this.#carrier.sendFin(this.dataId);
  }

  abort(): void {
    if (this.#stage === "over") return;
    this.#leave();
    this.#carrier.sendReset(this.dataId);
    this.#carrier.forget(this);
  }

  pause(): void {
    if (this.#stage !== "over") this.#carrier.pauseReading(this);
  }

  resume(): void {
    if (this.#stage !== "over") this.#carrier.resumeReading(this);
  }

  onData(streamId: number, part: Buffer): "taken" | "kept" {
    if (streamId === this.errorId) {
      const room = ERROR_TEXT_MAX_BYTES - this.#errorText.length;
      this.#errorText = Buffer.concat([this.#errorText, part.subarray(0, room)]);
      return "taken";
    }
    this.#receivedBytes += part.length;
    return this.#stage === "open" ? this.#handler.onData(part) : "taken";
  }

  onFin(streamId: number): void {
    if (streamId === this.errorId) this.#onErrorStreamEnd();
    else this.#onPodFinished();
  }

  onReset(streamId: number): void {
    if (streamId === this.errorId) this.#onErrorStreamEnd();
    else if (this.#errorText.length > 0) this.#judge();
    else this.#finish(this.#resetEnd());
  }

  onDrain(): void {
    if (this.#stage === "open") this.#handler.onDrain();
  }

  /** The connection under it broke. */
  onLost(end: StreamEnd): void {
    this.#finish(end);
  }

  #onPodFinished(): void {
    if (this.#stage !== "open") return;
    this.#stage = "judging";
    this.end(); // frees the stream on the server at once
    if (this.#errorStream === "ended") this.#judge();
    else this.#awaitVerdict();
  }

  /** The error text may wait on the wire while another stream holds the connection up. */
  #awaitVerdict(): void {
    this.#verdict = this.#carrier.timer(VERDICT_MS, () => {
      if (this.#carrier.readingForMs() >= VERDICT_MS) this.#judge();
      else this.#awaitVerdict();
    });
  }

  #onErrorStreamEnd(): void {
    this.#errorStream = "ended";
    if (this.#stage === "judging" || this.#errorText.length > 0) this.#judge();
  }

  /** The pod's FIN comes before the error text, so only the error stream's end tells a clean end from a failure. */
  #judge(): void {
    if (this.#errorText.length === 0) {
      if (this.#stage === "judging") this.#handler.onEnd();
      this.#finish({ kind: "done" });
      return;
    }
    const from = { port: this.port, pod: this.#carrier.pod, receivedBytes: this.#receivedBytes };
    this.#finish(failureEnd(this.#errorText.toString("utf8"), from));
  }

  #resetEnd(): StreamEnd {
    const message = `pod "${this.#carrier.pod}" reset the connection to port ${this.port}`;
    return { kind: "reset", reason: { code: "PodReset", kind: "transient", message } };
  }

  #finish(end: StreamEnd): void {
    if (this.#stage === "over") return;
    this.#leave();
    if (end.kind === "done" || end.kind === "refused") this.end();
    this.#carrier.forget(this);
    this.#handler.onClose(end);
  }

  #leave(): void {
    this.#stage = "over";
    this.#verdict?.[Symbol.dispose]();
    this.#carrier.resumeReading(this);
  }
}
