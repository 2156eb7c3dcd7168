/** A way into a pod on which every stream has a connection of its own, dialled when it is wanted. */
import { KfwdError } from "../../errors.ts";
import type { Clock, PodStream, StreamHandler } from "../deps.ts";
import { ChannelStream } from "./channelstream.ts";
import { connectionLost, type ConnectionEvents, type PodConnection } from "./podconnection.ts";
import type { WebSocketPipe } from "./websocketpipe.ts";

/** Streams at once, those being dialled included; one more is refused. Each holds a socket. */
export const MAX_STREAMS = 1_000;

/** How long a stream may take to be dialled: as long as a client is held for a pod. */
const DIAL_DEADLINE_MS = 10_000;

/** What it needs. */
export interface PerStreamDeps {
  readonly pod: string;
  readonly clock: Clock;
  /** @throws KfwdError, or the signal's reason. */
  readonly dial: (port: number, signal: AbortSignal) => Promise<WebSocketPipe>;
  /** Keeps the server in view: `tell` is called, never from within, when it can be reached no more. */
  readonly standBy: (tell: () => void) => Disposable;
}

/**
 * No WebSocket stands ready: the server connects to the application as soon as one is asked for, and it should not be
 * kept waiting for clients who may never come. So this one is usable until a dial fails, or the server is out of reach,
 * which retires it: whoever owns it then learns whether there is any way at all.
 */
export class PerStream implements PodConnection {
  readonly load = 0;
  readonly stalled = false;
  readonly #deps: PerStreamDeps;
  readonly #events: ConnectionEvents;
  readonly #streams = new Set<ChannelStream>();
  readonly #dials = new Set<AbortController>();
  readonly #standBy: Disposable;
  #stage: "open" | "retiring" | "closed" = "open";

  constructor(deps: PerStreamDeps, events: ConnectionEvents) {
    this.#deps = deps;
    this.#events = events;
    this.#standBy = deps.standBy(() => this.retire());
  }

  get usable(): boolean {
    return this.#stage === "open";
  }

  /** @throws KfwdError when it cannot be dialled, in time, or there are too many; the signal's reason. */
  async open(port: number, handler: StreamHandler, signal: AbortSignal): Promise<PodStream> {
    if (this.#streams.size + this.#dials.size >= MAX_STREAMS) {
      const message = `pod "${this.#deps.pod}" has ${MAX_STREAMS} connections, which are the most that get a WebSocket each`;
      throw new KfwdError("UNREACHABLE", message);
    }
    const dial = new AbortController();
    this.#dials.add(dial);
    try {
      return this.#carry(await this.#dial(port, dial, signal), port, handler);
    } catch (thrown) {
      if (!signal.aborted) this.retire();
      throw thrown;
    } finally {
      this.#dials.delete(dial);
      this.#closeIfDone();
    }
  }

  /** What ended cannot have left anything behind for others. */
  async sweep(): Promise<boolean> {
    return this.usable;
  }

  /** The way may be another one by now, so a new one is to be looked for. */
  suspect(): void {
    for (const stream of this.#streams) stream.suspect();
  }

  async prove(): Promise<void> {
    for (const stream of this.#streams) stream.prove();
    this.retire();
  }

  doubt(): void {
    for (const stream of this.#streams) stream.doubt();
  }

  retire(): void {
    if (this.#stage !== "open") return;
    this.#stage = "retiring";
    this.#standBy[Symbol.dispose]();
    this.#events.onRetire();
    this.#closeIfDone();
  }

  abandon(quietMs: number): void {
    for (const stream of this.#streams) stream.abandon(quietMs);
    this.retire();
  }

  [Symbol.dispose](): void {
    this.#close("closed");
  }

  async #dial(port: number, dial: AbortController, signal: AbortSignal): Promise<WebSocketPipe> {
    signal.throwIfAborted();
    const onAbort = (): void => dial.abort(signal.reason);
    const late = `pod "${this.#deps.pod}": no connection came about within ${DIAL_DEADLINE_MS / 1000} s`;
    const overdue = this.#deps.clock.timer(DIAL_DEADLINE_MS, () =>
      dial.abort(new KfwdError("UNREACHABLE", late)),
    );
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await this.#deps.dial(port, dial.signal);
    } finally {
      overdue[Symbol.dispose]();
      signal.removeEventListener("abort", onAbort);
    }
  }

  #carry(pipe: WebSocketPipe, port: number, handler: StreamHandler): PodStream {
    const { pod, clock } = this.#deps;
    if (this.#stage === "closed") {
      pipe[Symbol.dispose]();
      throw new KfwdError("UNREACHABLE", `pod "${pod}": closed`);
    }
    const around = {
      pod,
      port,
      clock,
      onSilence: () => this.#onSilence(),
      onOver: () => this.#forget(stream),
    };
    const stream: ChannelStream = new ChannelStream(pipe, around, handler);
    this.#streams.add(stream);
    setImmediate(() => stream.start()); // nothing comes before the caller has the stream
    return stream;
  }

  /** Where one went dead there may be no way for others either. */
  #onSilence(): void {
    this.#events.onSilence();
    this.retire();
  }

  #forget(stream: ChannelStream): void {
    this.#streams.delete(stream);
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    const isIdle = this.#streams.size === 0 && this.#dials.size === 0;
    if (this.#stage === "retiring" && isIdle) this.#close("retired");
  }

  #close(why: string): void {
    if (this.#stage === "closed") return;
    this.#stage = "closed";
    this.#standBy[Symbol.dispose]();
    const reason = connectionLost(this.#deps.pod, why);
    for (const dial of this.#dials) dial.abort(new KfwdError("UNREACHABLE", reason.message));
    for (const stream of this.#streams) stream.lose(why);
    this.#events.onClose(reason);
  }
}
