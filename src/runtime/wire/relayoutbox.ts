/** What one side of a relay tunnel has to say: all of one turn of the event loop leaves in one write. */
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

/** Frames in their order, and behind them datagrams in turn. */
export class RelayOutbox {
  readonly #events: OutboxEvents;
  readonly #later: (flush: () => void) => void;
  readonly #datagrams: DatagramQueue;
  #frames: Buffer[] = [];
  #frameBytes = 0;
  #state: "idle" | "due" | "blocked" | "closed" = "idle";

  /** `later` calls once the event loop has handed out what had arrived. */
  constructor(
    events: OutboxEvents,
    later: (flush: () => void) => void = setImmediate,
    limits: QueueLimits = RELAY_QUEUE,
  ) {
    this.#events = events;
    this.#later = later;
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
    else this.#flushLater();
  }

  /** A datagram that may be lost; it is copied. */
  datagram(id: number, datagram: Buffer): void {
    if (this.#state === "closed") return;
    this.#datagrams.push(id, datagramFrame(id, datagram));
    this.#flushLater();
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

  #flushLater(): void {
    if (this.#state !== "idle") return;
    this.#state = "due";
    this.#later(() => {
      if (this.#state === "due") this.flush();
    });
  }
}
