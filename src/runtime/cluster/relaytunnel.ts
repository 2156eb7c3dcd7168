/** One tunnel to a relay: a byte stream to its port, on which many flows and connections travel as frames. */
import { randomBytes } from "node:crypto";
import { KfwdError } from "../../errors.ts";
import type { Reason } from "../core/status.ts";
import type { Clock, Flow, FlowHandler, PodStream, RelayTarget, StreamEnd, StreamHandler } from "../deps.ts";
import {
  DATAGRAM_MAX_BYTES,
  NONCE_BYTES,
  RelayDecoder,
  endFrame,
  flowFrame,
  helloFrame,
  pingFrame,
  pongFrame,
  streamFrame,
  type CommonFrames,
  type DropCause,
  type EndCause,
  type RelayFrames,
} from "../wire/relayframes.ts";
import { RelayOutbox } from "../wire/relayoutbox.ts";
import { newWindowBudget } from "../wire/relaywindow.ts";
import { reasonOf } from "./failures.ts";
import type { RelayKey } from "./relaykey.ts";
import { RelayStream } from "./relaystream.ts";

/** The relay may be busy, but not for so long. */
const GREETING_MS = 10_000;

const PING_MS = 5_000;
const SILENCE_MS = 15_000;

const LAST_ID = 0xffff_fff0;

export interface RelayTunnelDeps {
  readonly clock: Clock;
  readonly key: RelayKey;
  /** The relay's pod, for messages. */
  readonly pod: string;
  /** A stream to the relay's port. @throws KfwdError, or the signal's reason. */
  dial(handler: StreamHandler, signal: AbortSignal): Promise<PodStream>;
}

export interface RelayTunnelEvents {
  /** Each side has shown the other who it is. */
  onOpen(): void;
  /** The last call; all that was under way has had its end before. */
  onClose(reason: Reason): void;
}

/** Dials at once. Disposing closes it without a call. */
export class RelayTunnel implements RelayFrames, CommonFrames, Disposable {
  readonly #deps: RelayTunnelDeps;
  readonly #events: RelayTunnelEvents;
  readonly #abort = new AbortController();
  readonly #decoder = new RelayDecoder({ to: "relay", sink: this });
  readonly #outbox: RelayOutbox;
  readonly #nonce = randomBytes(NONCE_BYTES);
  readonly #flows = new Map<number, FlowHandler>();
  readonly #streams = new Map<number, RelayStream>();
  readonly #budget = newWindowBudget();
  #stream: PodStream | undefined;
  #relayNonce: Buffer | undefined;
  #stage: "dialling" | "greeting" | "proving" | "open" | "closed" = "dialling";
  #timer: Disposable;
  #heardMs: number;
  /** When it was first asked for an answer since it was heard. */
  #askedMs: number | undefined;
  #nextId = 1;
  /** What becomes of the bytes that are being read. */
  #reading: "taken" | "kept" = "taken";

  constructor(deps: RelayTunnelDeps, events: RelayTunnelEvents) {
    this.#deps = deps;
    this.#events = events;
    this.#heardMs = deps.clock.now();
    const { clock } = deps;
    this.#outbox = new RelayOutbox(
      {
        write: (batch) => this.#stream?.write(joined(batch), 0) ?? false,
        onDropped: (id, count) => this.#flows.get(id)?.onDropped(count, "full"),
        onOverflow: () => this.#fail("it does not read"),
      },
      { now: () => clock.now(), soon: setImmediate, after: (ms, flush) => void clock.timer(ms, flush) },
    );
    this.#timer = deps.clock.timer(GREETING_MS, () =>
      this.#fail(`it did not answer in ${GREETING_MS / 1000} s`),
    );
    void this.#dial();
  }

  get open(): boolean {
    return this.#stage === "open";
  }

  /** Flows and connections on it. */
  get load(): number {
    return this.#flows.size + this.#streams.size;
  }

  /** Undefined while it is not open. */
  flow(target: RelayTarget, handler: FlowHandler): Flow | undefined {
    const id = this.#newId();
    if (id === undefined) return undefined;
    this.#flows.set(id, handler);
    this.#outbox.frame(flowFrame(id, target));
    return {
      send: (datagram) => this.#send(id, datagram),
      [Symbol.dispose]: () => this.#giveUp(id),
    };
  }

  /** Undefined while it is not open. */
  connect(target: RelayTarget, handler: StreamHandler): PodStream | undefined {
    const id = this.#newId();
    if (id === undefined) return undefined;
    const outbox = this.#outbox;
    const carrier = {
      budget: this.#budget,
      get blocked() {
        return outbox.blocked;
      },
      frame: (bytes: Buffer) => outbox.frame(bytes),
      forget: (gone: number) => void this.#streams.delete(gone),
    };
    const stream = new RelayStream(id, target, carrier, handler);
    this.#streams.set(id, stream);
    outbox.frame(streamFrame(id, target));
    return stream;
  }

  /** After a sleep: what does not answer soon is closed, whatever TCP believes. */
  prove(): void {
    if (this.#stage === "open") this.#outbox.frame(pingFrame());
  }

  [Symbol.dispose](): void {
    this.#close(undefined);
  }

  // --- frames of the relay ---

  onChallenge(nonce: Buffer): void {
    if (this.#stage !== "greeting") throw new KfwdError("PROTOCOL", "a second challenge");
    this.#stage = "proving";
    this.#relayNonce = Buffer.from(nonce);
    this.#outbox.frame(helloFrame(this.#nonce, this.#deps.key.sign(nonce, this.#nonce)));
  }

  onWelcome(proof: Buffer): void {
    const nonce = this.#relayNonce;
    if (this.#stage !== "proving" || nonce === undefined)
      throw new KfwdError("PROTOCOL", "a welcome out of turn");
    if (!this.#deps.key.accepts(proof, nonce, this.#nonce)) {
      throw new KfwdError("PROTOCOL", "what listens there is not the relay that was started");
    }
    this.#stage = "open";
    this.#watch();
    this.#events.onOpen();
  }

  onPing(): void {
    this.#outbox.frame(pongFrame());
  }

  onPong(): void {} // that it came is all

  onDatagram(id: number, datagram: Buffer): void {
    this.#flows.get(id)?.onDatagram(datagram);
  }

  onDropped(id: number, count: number, why: DropCause): void {
    this.#flows.get(id)?.onDropped(count, why);
  }

  onEnd(id: number, why: EndCause, words: string): void {
    const flow = this.#flows.get(id);
    this.#flows.delete(id);
    flow?.onEnd();
    this.#streams.get(id)?.onEnd(why, words);
  }

  onData(id: number, part: Buffer): void {
    const taken = this.#streams.get(id)?.onData(part) ?? { kind: "taken" };
    if (taken.kind === "tooMuch") throw new KfwdError("PROTOCOL", "more than the window of a stream");
    if (taken.kind === "kept") this.#reading = "kept";
  }

  onFin(id: number): void {
    this.#streams.get(id)?.onFin();
  }

  onCredit(id: number, bytes: number): void {
    this.#streams.get(id)?.onCredit(bytes);
  }

  async #dial(): Promise<void> {
    try {
      const stream = await this.#deps.dial(this.#handler(), this.#abort.signal);
      if (this.#isClosed()) {
        stream.abort();
        return;
      }
      this.#stream = stream;
      if (this.#stage === "dialling") this.#stage = "greeting";
    } catch (error) {
      const reason = reasonOf(error);
      if (reason.kind === "denied") this.#close(reason);
      else this.#fail(reason.message);
    }
  }

  #handler(): StreamHandler {
    return {
      onData: (chunk) => this.#read(chunk),
      onEnd: () => this.#fail("it ended the connection"),
      onDrain: () => this.#onDrain(),
      onClose: (end) => this.#fail(wordsOf(end)),
    };
  }

  #read(chunk: Buffer): "taken" | "kept" {
    if (this.#stage === "closed") return "taken";
    if (this.#stage === "dialling") this.#stage = "greeting";
    this.#heardMs = this.#deps.clock.now();
    this.#askedMs = undefined;
    this.#reading = "taken";
    try {
      this.#decoder.push(chunk);
    } catch (error) {
      this.#fail(KfwdError.from(error).message);
    }
    return this.#reading;
  }

  #onDrain(): void {
    this.#outbox.onDrain();
    for (const stream of this.#streams.values()) {
      if (this.#outbox.blocked) return;
      stream.onDrain();
    }
  }

  #send(id: number, datagram: Buffer): boolean {
    const handler = this.#flows.get(id);
    if (handler === undefined || this.#stage !== "open") return false;
    if (datagram.length > DATAGRAM_MAX_BYTES) {
      handler.onDropped(1, "tooLarge");
      return false;
    }
    this.#outbox.datagram(id, datagram);
    return true;
  }

  #giveUp(id: number): void {
    if (!this.#flows.delete(id) || this.#stage !== "open") return;
    this.#outbox.forget(id);
    this.#outbox.frame(endFrame(id, "given up"));
  }

  #newId(): number | undefined {
    return this.#stage === "open" && this.#nextId < LAST_ID ? this.#nextId++ : undefined;
  }

  #watch(): void {
    this.#timer[Symbol.dispose]();
    this.#timer = this.#deps.clock.timer(PING_MS, () => {
      const nowMs = this.#deps.clock.now();
      // This process may not have run for a while, and then nobody has been asked.
      const hadTime = this.#askedMs !== undefined && nowMs - this.#askedMs >= PING_MS;
      if (nowMs - this.#heardMs >= SILENCE_MS && hadTime) {
        this.#fail(`nothing came from it for ${SILENCE_MS / 1000} s`);
        return;
      }
      this.#askedMs ??= nowMs;
      this.#outbox.frame(pingFrame());
      this.#watch();
    });
  }

  #isClosed(): boolean {
    return this.#stage === "closed";
  }

  #fail(why: string): void {
    const message = `the tunnel to relay pod "${this.#deps.pod}" broke: ${why}`;
    this.#close({ code: "RelayLost", kind: "transient", message });
  }

  #close(reason: Reason | undefined): void {
    if (this.#stage === "closed") return;
    this.#stage = "closed";
    this.#timer[Symbol.dispose]();
    this.#abort.abort(new KfwdError("UNREACHABLE", "the tunnel was closed"));
    this.#outbox.close();
    this.#stream?.abort();
    const lost = reason ?? { code: "RelayLost", kind: "transient", message: "the relay was let go" };
    for (const handler of this.#flows.values()) handler.onEnd();
    for (const stream of this.#streams.values()) stream.onLost(lost);
    this.#flows.clear();
    if (reason) this.#events.onClose(reason);
  }
}

/** A write for each would cost each hop on the way. */
function joined(batch: readonly Buffer[]): Buffer {
  const [first = Buffer.alloc(0), ...rest] = batch;
  return rest.length === 0 ? first : Buffer.concat(batch);
}

function wordsOf(end: StreamEnd): string {
  return end.kind === "done" ? "it ended the connection" : end.reason.message;
}
