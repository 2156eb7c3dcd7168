/**
 * What one side of a relay tunnel has to say: all of one turn of the event loop leaves in one write, and while datagrams
 * are many, all of a millisecond.
 */
import { Cadence, GATHER_MS } from "./cadence.ts";
import { DatagramQueue, RELAY_QUEUE, type QueueLimits } from "./datagramqueue.ts";
import { datagramFrame } from "./relayframes.ts";

/** Bytes of one write. */
const WRITE_BYTES = 256 * 1024;

/** Who lets so much wait that is no datagram does not read: streams have their windows, the rest is short. */
const FRAMES_MAX_BYTES = 48 * 1024 * 1024;

/** Where it goes. */
export interface OutboxEvents {
  /** In one go and in this order. False: it takes no more until {@link RelayOutbox.onDrain}. */
  write(batch: readonly Buffer[]): boolean;
  /** Datagrams of this flow had to go. */
  onDropped(id: number, count: number): void;
  /** The other side does not read, and more waits for it than may. */
  onOverflow(): void;
}

/** Its time, and its turns. */
export interface OutboxTurns {
  /** Of a clock that only goes on, in ms. */
  now(): number;
  /** Calls once the event loop has handed out what had arrived. */
  soon(flush: () => void): void;
  /** Calls after so long. */
  after(ms: number, flush: () => void): void;
}

/** Frames in their order, and behind them datagrams in turn. */
export class RelayOutbox {
  readonly #events: OutboxEvents;
  readonly #turns: OutboxTurns;
  readonly #cadence = new Cadence();
  readonly #datagrams: DatagramQueue;
  #frames: Buffer[] = [];
  #frameBytes = 0;
  /** `gathering`: due, once a little more has come. */
  #state: "idle" | "gathering" | "due" | "blocked" | "closed" = "idle";

  constructor(events: OutboxEvents, turns: OutboxTurns, limits: QueueLimits = RELAY_QUEUE) {
    this.#events = events;
    this.#turns = turns;
    this.#datagrams = new DatagramQueue(limits, (id, count) => events.onDropped(id, count));
  }

  /** The tunnel takes nothing now. */
  get blocked(): boolean {
    return this.#state === "blocked";
  }

  /** A frame that must arrive, in parts that do not change any more. */
  frame(...parts: readonly Buffer[]): void {
    if (this.#state === "closed") return;
    for (const part of parts) {
      this.#frames.push(part);
      this.#frameBytes += part.length;
    }
    if (this.#frameBytes > FRAMES_MAX_BYTES) this.#events.onOverflow();
    else this.#flushSoon();
  }

  /** A datagram that may be lost; it is copied. */
  datagram(id: number, datagram: Buffer): void {
    if (this.#state === "closed") return;
    this.#datagrams.push(id, datagramFrame(id, datagram));
    this.#cadence.add();
    if (this.#state !== "idle") return;
    if (this.#cadence.gathers(this.#turns.now())) this.#gather();
    else this.#flushSoon();
  }

  /** What waits of a flow that is over. */
  forget(id: number): void {
    this.#datagrams.forget(id);
  }

  onDrain(): void {
    if (this.#state !== "blocked") return;
    this.#state = "idle";
    this.flush();
  }

  /** Sends what there is, as far as it is taken. */
  flush(): void {
    while (this.#state !== "blocked" && this.#state !== "closed") {
      const batch = this.#take();
      if (batch.length === 0) {
        this.#state = "idle";
        return;
      }
      this.#cadence.wrote(this.#turns.now());
      // A write that fails at once may close the tunnel, and with it this.
      if (!this.#events.write(batch) && !this.#isClosed()) this.#state = "blocked";
    }
  }

  close(): void {
    this.#state = "closed";
    this.#frames = [];
    this.#frameBytes = 0;
  }

  #isClosed(): boolean {
    return this.#state === "closed";
  }

  #take(): readonly Buffer[] {
    const frames = this.#takeFrames();
    return this.#datagrams.empty ? frames : [...frames, ...this.#datagrams.take(WRITE_BYTES)];
  }

  #takeFrames(): Buffer[] {
    let [count, bytes] = [0, 0];
    while (count < this.#frames.length && bytes < WRITE_BYTES) bytes += this.#frames[count++]?.length ?? 0;
    this.#frameBytes -= bytes;
    return this.#frames.splice(0, count);
  }

  /** What waits for its frame or its answer does not wait for datagrams. */
  #flushSoon(): void {
    if (this.#state !== "idle" && this.#state !== "gathering") return;
    this.#state = "due";
    this.#turns.soon(() => {
      if (this.#state === "due") this.flush();
    });
  }

  #gather(): void {
    this.#state = "gathering";
    this.#turns.after(GATHER_MS, () => {
      if (this.#state === "gathering") this.flush();
    });
  }
}
