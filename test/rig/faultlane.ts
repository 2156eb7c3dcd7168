import type { Clock, Random } from "../../src/runtime/deps.ts";

/** What can be done to the bytes of one direction of a connection, or to the connection as a whole. */
export type Fault =
  /** Each chunk comes `ms` later, give or take half of `jitterMs`, and never before an earlier one. */
  | { readonly kind: "latency"; readonly ms: number; readonly jitterMs?: number }
  | { readonly kind: "bandwidth"; readonly bytesPerS: number }
  /** In pieces of 1 to `maxBytes`, with a pause of up to `pauseMs` after each. */
  | { readonly kind: "slicer"; readonly maxBytes: number; readonly pauseMs?: number }
  /** The end comes `ms` later. */
  | { readonly kind: "slowClose"; readonly ms: number }
  /** Nothing comes through, not even an end. What was sent meanwhile comes afterwards; `forgets`: it never does. */
  | { readonly kind: "blackhole"; readonly forgets?: true }
  /** The connection is cut when so many more bytes have come through: an end, without a word of TLS. */
  | { readonly kind: "limit"; readonly bytes: number }
  /** The connection is reset so long after it met this fault. */
  | { readonly kind: "reset"; readonly afterMs: number }
  /** The connection is cut after so long without a byte in either direction. */
  | { readonly kind: "idleCut"; readonly ms: number };

/** Where a lane leads to. */
export interface LaneEnd {
  /** False: `drained` is called on the lane when it takes bytes again. */
  write(bytes: Buffer): boolean;
  end(): void;
  reset(): void;
  /** The limit is reached. */
  cut(): void;
}

/** What is in a lane: bytes, an orderly end, or the news that its source broke. */
type Cargo = Buffer | "end" | "broken";

interface Held {
  cargo: Cargo;
  /** When it came in. */
  readonly cameMs: number;
  /** Not passed on before. */
  readonly dueMs: number;
}

/** Where a lane has time and chance from, and the faults in force for it, asked for each chunk. */
export interface LaneWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: () => readonly Fault[];
}

/** How long a slow lane's pieces take: more at once would make a jump of it. */
const PIECE_MS = 50;

/** One direction of a connection: takes what its source says and passes it on as the faults in force allow. */
export class Lane implements Disposable {
  /** Bytes that went through, pieces they went in, and bytes that are lost. */
  readonly counters = { bytes: 0, pieces: 0, lostBytes: 0 };
  readonly #world: LaneWorld;
  readonly #to: LaneEnd;
  readonly #held: Held[] = [];
  /** What is left of each limit in force. */
  readonly #left = new Map<Fault, number>();
  #queuedBytes = 0;
  #notBeforeMs = 0;
  #timer: Disposable | undefined;
  #stage: "open" | "blocked" | "forgotten" | "over" = "open";

  constructor(world: LaneWorld, to: LaneEnd) {
    this.#world = world;
    this.#to = to;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  push(cargo: Cargo): void {
    const size = typeof cargo === "string" ? 0 : cargo.length;
    if (this.#stage === "over") return;
    if (this.#find("blackhole")?.forgets) this.#forget();
    if (this.#stage === "forgotten") {
      this.counters.lostBytes += size;
      return;
    }
    const { clock, random } = this.#world;
    const latency = this.#find("latency");
    const { ms = 0, jitterMs = 0 } = latency ?? {};
    const wantedMs = clock.now() + Math.max(0, ms + (random() - 0.5) * jitterMs);
    const dueMs = Math.max(wantedMs, this.#held.at(-1)?.dueMs ?? 0);
    this.#held.push({ cargo, cameMs: clock.now(), dueMs });
    this.#queuedBytes += size;
    this.look();
  }

  /** The end of the lane takes bytes again. */
  drained(): void {
    if (this.#stage !== "blocked") return;
    this.#stage = "open";
    this.look();
  }

  /** Passes on what may be passed on now; to be called when the faults have changed. */
  look(): void {
    this.#timer?.[Symbol.dispose]();
    for (const fault of this.#world.faults()) {
      if (fault.kind === "limit" && !this.#left.has(fault)) this.#left.set(fault, fault.bytes);
    }
    while (this.#stage === "open") {
      const [first] = this.#held;
      const blackhole = this.#find("blackhole");
      if (blackhole?.forgets) return this.#forget();
      if (first === undefined || blackhole) return;
      const waitMs = this.#dueMs(first) - this.#world.clock.now();
      if (waitMs > 0) {
        this.#timer = this.#world.clock.timer(waitMs, () => this.look());
        return;
      }
      this.#passOn(first);
    }
  }

  /** What is held is dropped. */
  [Symbol.dispose](): void {
    this.#drop("over");
  }

  #find<K extends Fault["kind"]>(kind: K): Extract<Fault, { readonly kind: K }> | undefined {
    type Wanted = Extract<Fault, { readonly kind: K }>;
    return this.#world.faults().find((fault): fault is Wanted => fault.kind === kind);
  }

  #dueMs({ cargo, cameMs, dueMs }: Held): number {
    const closeMs = cargo === "end" ? cameMs + (this.#find("slowClose")?.ms ?? 0) : 0;
    return Math.max(dueMs, closeMs, this.#notBeforeMs);
  }

  #passOn(first: Held): void {
    const { cargo } = first;
    if (typeof cargo === "string") {
      this.#held.shift();
      if (cargo === "end") return this.#to.end();
      this.#drop("over");
      return this.#to.reset();
    }
    const size = this.#pieceSize(cargo.length);
    if (size === cargo.length) this.#held.shift();
    else first.cargo = cargo.subarray(size);
    this.#queuedBytes -= size;
    this.counters.bytes += size;
    this.counters.pieces++;
    const nowMs = this.#world.clock.now();
    const slowMs = (size / (this.#find("bandwidth")?.bytesPerS ?? Number.POSITIVE_INFINITY)) * 1000;
    const pauseMs = (this.#find("slicer")?.pauseMs ?? 0) * this.#world.random();
    this.#notBeforeMs = nowMs + slowMs + pauseMs;
    const isFree = this.#to.write(cargo.subarray(0, size));
    if (this.#stage !== "open") return; // whoever was written to has ended it
    if (!isFree) this.#stage = "blocked";
    if (this.#reachesLimit(size)) {
      this.#drop("over");
      this.#to.cut();
    }
  }

  #pieceSize(available: number): number {
    const slicer = this.#find("slicer");
    const bandwidth = this.#find("bandwidth");
    return Math.min(
      available,
      slicer ? 1 + Math.floor(this.#world.random() * slicer.maxBytes) : available,
      bandwidth ? Math.max(1, Math.ceil((bandwidth.bytesPerS * PIECE_MS) / 1000)) : available,
      ...this.#limits().map(([, left]) => Math.max(1, left)),
    );
  }

  #reachesLimit(size: number): boolean {
    const limits = this.#limits();
    for (const [fault, left] of limits) this.#left.set(fault, left - size);
    return limits.some(([, left]) => left <= size);
  }

  #limits(): (readonly [Fault, number])[] {
    const inForce = this.#world.faults();
    return [...this.#left].filter(([fault]) => inForce.includes(fault));
  }

  #forget(): void {
    this.counters.lostBytes += this.#queuedBytes;
    this.#drop("forgotten");
  }

  #drop(stage: "forgotten" | "over"): void {
    this.#timer?.[Symbol.dispose]();
    this.#held.length = 0;
    this.#queuedBytes = 0;
    this.#stage = stage;
  }
}
