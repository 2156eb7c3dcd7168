/** One TCP connection that the relay makes for a client: a stream of the tunnel with a window of its own each way. */
import type { Reason } from "../core/status.ts";
import type { PodStream, RelayTarget, StreamEnd, StreamHandler } from "../deps.ts";
import {
  FRAME_HEADER_BYTES,
  PAYLOAD_MAX_BYTES,
  creditFrame,
  dataFrame,
  endFrame,
  finFrame,
  type EndCause,
} from "../wire/relayframes.ts";
import { ReceiveWindow, SendWindow, type WindowBudget } from "../wire/relaywindow.ts";

/** What a stream needs of its tunnel. */
export interface RelayCarrier {
  readonly budget: WindowBudget;
  /** Bytes wait that the tunnel does not take yet. */
  readonly blocked: boolean;
  frame(bytes: Buffer): void;
  /** No further frame of it matters. */
  forget(id: number): void;
}

/** The tunnel feeds it by the `on…` methods, in the order of the frames. */
export class RelayStream implements PodStream {
  readonly id: number;
  readonly #target: RelayTarget;
  readonly #carrier: RelayCarrier;
  readonly #handler: StreamHandler;
  readonly #send = new SendWindow();
  readonly #receive: ReceiveWindow;
  /** Bytes that wait for the window. */
  #waiting: Buffer[] = [];
  /** Bytes that have come while nobody took any: no more than the window. */
  #held: Buffer[] = [];
  #intake: "flowing" | "paused" = "flowing";
  #writer: "content" | "waits" = "content";
  #ourEnd: "open" | "due" | "sent" = "open";
  #theirEnd: "open" | "held" | "told" = "open";
  #stage: "open" | "over" = "open";
  #receivedBytes = 0;
  /** Taken while paused; the credit for it is due with the resume. */
  #uncreditedBytes = 0;

  constructor(id: number, target: RelayTarget, carrier: RelayCarrier, handler: StreamHandler) {
    this.id = id;
    this.#target = target;
    this.#carrier = carrier;
    this.#handler = handler;
    this.#receive = new ReceiveWindow(carrier.budget);
  }

  write(chunk: Buffer, _headroom: number): boolean {
    if (this.#stage === "over" || this.#ourEnd !== "open") return true;
    const now = this.#waiting.length > 0 ? 0 : this.#sendNow(chunk);
    if (now < chunk.length) this.#waiting.push(Buffer.from(chunk.subarray(now)));
    if (this.#takesMore) return true;
    this.#writer = "waits";
    return false;
  }

  end(): void {
    if (this.#stage === "over" || this.#ourEnd !== "open") return;
    this.#ourEnd = "due";
    this.#sendFin();
  }

  abort(): void {
    if (this.#stage === "over") return;
    this.#leave();
    this.#carrier.frame(endFrame(this.id, "given up"));
  }

  pause(): void {
    this.#intake = "paused";
  }

  resume(): void {
    if (this.#stage === "over" || this.#intake === "flowing") return;
    this.#intake = "flowing";
    this.#credit(this.#uncreditedBytes);
    this.#uncreditedBytes = 0;
    while (this.#isFlowing()) {
      const part = this.#held.shift();
      if (part === undefined) break;
      this.#deliver(part);
    }
    this.#tellTheirEnd();
  }

  /** False: more than its window came. */
  onData(part: Buffer): { readonly kind: "taken" | "kept" | "tooMuch" } {
    if (!this.#receive.receive(part.length)) return { kind: "tooMuch" };
    this.#receivedBytes += part.length;
    if (this.#intake === "flowing" && this.#held.length === 0) return { kind: this.#deliver(part) };
    this.#held.push(Buffer.from(part));
    return { kind: "taken" };
  }

  onFin(): void {
    if (this.#theirEnd !== "open") return;
    this.#theirEnd = "held";
    this.#tellTheirEnd();
  }

  onCredit(bytes: number): void {
    this.#send.add(bytes);
    for (let first = this.#waiting[0]; first !== undefined && this.#send.left > 0; first = this.#waiting[0]) {
      const sent = this.#sendNow(first);
      if (sent < first.length) this.#waiting[0] = first.subarray(sent);
      else this.#waiting.shift();
    }
    this.#sendFin();
    this.onDrain();
  }

  /** The tunnel takes bytes again. */
  onDrain(): void {
    if (this.#writer !== "waits" || !this.#takesMore || this.#stage === "over") return;
    this.#writer = "content";
    this.#handler.onDrain();
  }

  onEnd(why: EndCause, words: string): void {
    const reason = endReason(this.#target, why, words);
    const early = why !== "reset" && why !== "given up" && this.#receivedBytes === 0;
    this.#finish({ kind: early ? "refused" : "reset", reason });
  }

  /** The tunnel under it broke. */
  onLost(reason: Reason): void {
    this.#finish({ kind: "lost", reason });
  }

  get #takesMore(): boolean {
    return this.#waiting.length === 0 && this.#send.left > 0 && !this.#carrier.blocked;
  }

  /** Sends what the window allows of it, and says how much that was. */
  #sendNow(chunk: Buffer): number {
    const end = Math.min(chunk.length, this.#send.left);
    for (let at = 0; at < end; at += PART_MAX_BYTES) {
      const part = chunk.subarray(at, Math.min(at + PART_MAX_BYTES, end));
      this.#send.take(part.length);
      this.#carrier.frame(dataFrame(this.id, part));
    }
    return end;
  }

  #sendFin(): void {
    if (this.#ourEnd !== "due" || this.#waiting.length > 0) return;
    this.#ourEnd = "sent";
    this.#carrier.frame(finFrame(this.id));
    this.#finishIfDone();
  }

  #deliver(part: Buffer): "taken" | "kept" {
    const how = this.#handler.onData(part);
    if (this.#isFlowing()) this.#credit(part.length);
    else this.#uncreditedBytes += part.length;
    return how;
  }

  #credit(bytes: number): void {
    if (this.#stage === "over" || bytes === 0) return;
    const credit = this.#receive.consume(bytes);
    if (credit > 0) this.#carrier.frame(creditFrame(this.id, credit));
  }

  /** A call, since the handler may have changed it. */
  #isFlowing(): boolean {
    return this.#intake === "flowing" && this.#stage === "open";
  }

  #tellTheirEnd(): void {
    if (this.#theirEnd !== "held" || this.#held.length > 0 || this.#stage === "over") return;
    this.#theirEnd = "told";
    this.#handler.onEnd();
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    if (this.#theirEnd === "told" && this.#ourEnd === "sent") this.#finish({ kind: "done" });
  }

  #finish(end: StreamEnd): void {
    if (this.#stage === "over") return;
    this.#leave();
    this.#handler.onClose(end);
  }

  #leave(): void {
    this.#stage = "over";
    this.#waiting = [];
    this.#held = [];
    this.#receive.close();
    this.#carrier.forget(this.id);
  }
}

/** A frame with its header just fits what one frame of SPDY is read into. */
const PART_MAX_BYTES = PAYLOAD_MAX_BYTES - FRAME_HEADER_BYTES;

function endReason({ host, port }: RelayTarget, why: EndCause, words: string): Reason {
  const said = words === "" ? "" : ` (${words})`;
  const [code, message] = REASONS[why];
  return { code, kind: "transient", message: `${message.replace("%", `${host}:${port}`)}${said}` };
}

const REASONS: Readonly<Record<EndCause, readonly [string, string]>> = {
  "given up": ["RelayReset", "the relay gave up the connection to %"],
  refused: ["TargetRefused", "% refused the relay's connection: nothing listens there"],
  unresolved: ["TargetUnknown", "the relay knows no address of %"],
  unreachable: ["TargetUnreachable", "the relay cannot reach %"],
  reset: ["TargetReset", "% reset the connection"],
  limit: ["RelayFull", "the relay has no room for another connection to %"],
};
