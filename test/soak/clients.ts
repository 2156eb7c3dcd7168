import { createHash } from "node:crypto";
import { connect } from "node:net";
import { bytesOf, diceOf, hearPieces, sayPieces } from "../puppets/app.mjs";
import type { ClientRecord } from "./history.ts";

/** Nothing at all came or went for so long: the exchange is stuck. Longer than anybody is held, or finds a dead peer. */
const STUCK_MS = 60_000;

/** Where a client goes to. */
export interface Door {
  readonly forward: string;
  readonly app: string;
  readonly port: number;
  /** What answers there, by the port of test/puppets/app.mjs. */
  readonly speaks: "history" | "echo" | "greeting";
}

/** What one client does. */
export interface Errand {
  readonly id: string;
  readonly kind: string;
  readonly door: Door;
  readonly seed: number;
  readonly up: number;
  /** Of `history`: what the app says; an echo says what it hears. */
  readonly down: number;
  /** How long either side rests when it has begun to read. */
  readonly restMs: number;
  /** In so many parts, with pauses of this many milliseconds between: a conversation that lasts. */
  readonly paces?: { readonly parts: number; readonly pauseMs: number };
  /** What the client does when it has said and heard everything: waits for the server's end, or leaves. */
  readonly atEnd: "waits" | "leaves";
  /** Whether it ends its side when it has said everything. */
  readonly halfCloses?: true;
  /** Leaves rudely after so many milliseconds. */
  readonly leavesAfterMs?: number;
}

/** Compares what comes with what is due: perhaps a greeting, bytes of a seed, perhaps a checksum. */
class Due {
  received = 0;
  exact = true;
  readonly #errand: Errand;
  readonly #payload: number;
  readonly #bytes: (size: number) => Buffer;
  readonly #tail: string;
  #greeting: string | undefined;
  #payloadLeft: number;
  #tailCame = "";

  constructor(errand: Errand) {
    const isHistory = errand.door.speaks === "history";
    this.#errand = errand;
    this.#payload = isHistory ? errand.down : errand.up;
    this.#payloadLeft = this.#payload;
    this.#bytes = bytesOf(isHistory ? errand.seed : errand.seed + 1);
    this.#tail = isHistory
      ? createHash("sha256")
          .update(bytesOf(errand.seed + 1)(errand.up))
          .digest("hex")
      : "";
    this.#greeting = errand.door.speaks === "greeting" ? "" : undefined;
  }

  get complete(): boolean {
    return (
      this.exact && this.#greeting === undefined && this.#payloadLeft === 0 && this.#tailCame === this.#tail
    );
  }

  take(chunk: Buffer): void {
    this.received += chunk.length;
    let rest = chunk;
    if (this.#greeting !== undefined) {
      const end = rest.indexOf(10);
      this.#greeting += rest.toString("latin1", 0, end < 0 ? rest.length : end);
      if (end < 0) return;
      const { app } = this.#errand.door;
      if (!new RegExp(`^220 ${app}-\\S+ ready$`).test(this.#greeting)) this.exact = false;
      this.#greeting = undefined;
      rest = rest.subarray(end + 1);
    }
    const mine = rest.subarray(0, this.#payloadLeft);
    if (mine.length > 0 && !this.#bytes(mine.length).equals(mine)) this.exact = false;
    this.#payloadLeft -= mine.length;
    this.#tailCame += rest.toString("latin1", mine.length);
    if (!this.#tail.startsWith(this.#tailCame)) this.exact = false;
  }
}

/** One connection from its beginning to its end. Never rejects. */
export function go(errand: Errand): Promise<ClientRecord> {
  const { id, kind, door, seed, up } = errand;
  const due = new Due(errand);
  const startMs = performance.now();
  const socket = connect({ port: door.port, host: "127.0.0.1", allowHalfOpen: true });
  let sent = 0;
  const timers = new Set<NodeJS.Timeout>();
  return new Promise((resolve) => {
    const settle = (end: ClientRecord["end"]): void => {
      for (const timer of timers) clearTimeout(timer);
      if (end === "mine" && errand.leavesAfterMs !== undefined) socket.resetAndDestroy();
      else socket.destroy();
      const { received, exact, complete } = due;
      const { forward, app } = door;
      const endMs = performance.now();
      resolve({ id, kind, forward, app, startMs, endMs, sent, up, received, exact, complete, end });
    };
    const later = (ms: number, act: () => void): NodeJS.Timeout => {
      const timer = setTimeout(act, ms);
      timers.add(timer);
      return timer;
    };
    const stuck = later(STUCK_MS, () => settle("stuck"));
    if (errand.leavesAfterMs !== undefined) later(errand.leavesAfterMs, () => settle("mine"));

    socket.on("error", ({ code }: NodeJS.ErrnoException) =>
      settle(code === "ECONNREFUSED" ? "refused" : "reset"),
    );
    // Node 20 takes a reset that comes with data for an end; only the peer is gone then, as it is for one who has ended its
    // side, too: of those what is complete counts as ended. Nobody may have asked for the peer before.
    socket.on("end", () => {
      const isOver = errand.halfCloses === true && due.complete;
      settle(socket.remotePort === undefined && !isOver ? "reset" : "fin");
    });
    socket.on("drain", () => stuck.refresh());
    hearPieces(socket, seed + 2, (chunk) => {
      stuck.refresh();
      const isFirst = due.received === 0;
      due.take(chunk);
      if (due.complete && errand.atEnd === "leaves") settle("mine");
      return isFirst ? errand.restMs : 0;
    });
    const write = socket.write.bind(socket);
    // Counts what is handed over: no more than that can be heard on the other side.
    const counted = Object.assign(socket, {
      write: (bytes: Buffer): boolean => {
        sent += bytes.length;
        return write(bytes);
      },
    });
    if (door.speaks === "history") write(`${id} ${seed} ${up} ${errand.down} ${errand.restMs}\n`);
    const end = (): void => void (errand.halfCloses && socket.end());
    if (errand.paces === undefined) sayPieces(counted, seed + 1, up, end);
    else pace(errand.paces, { bytes: bytesOf(seed + 1), up, say: counted.write, later, end });
  });
}

/** Says the bytes in parts, with pauses. */
function pace(
  { parts, pauseMs }: { readonly parts: number; readonly pauseMs: number },
  around: {
    readonly bytes: (size: number) => Buffer;
    readonly up: number;
    readonly say: (bytes: Buffer) => boolean;
    readonly later: (ms: number, act: () => void) => void;
    readonly end: () => void;
  },
): void {
  let left = around.up;
  const size = Math.ceil(around.up / parts);
  const next = (): void => {
    const part = Math.min(size, left);
    left -= part;
    if (part > 0) around.say(around.bytes(part));
    if (left > 0) around.later(pauseMs, next);
    else around.end();
  };
  next();
}

/** What kinds of clients come to a door, each after the other, until it is over. */
const KINDS: Readonly<Record<Door["speaks"], readonly string[]>> = {
  history: ["ask", "ask", "bulk", "rude", "half-close"],
  echo: ["short", "long", "half-close"],
  greeting: ["short", "long"],
};

/** Keeps clients coming to some doors, and keeps what they saw. */
export class Traffic {
  readonly records: ClientRecord[] = [];
  readonly #seed: number;
  readonly #doors: readonly Door[];
  readonly #going = new Set<Promise<unknown>>();
  #stage: "open" | "closing" = "open";
  #count = 0;

  constructor(seed: number, doors: readonly Door[]) {
    this.#seed = seed;
    this.#doors = doors;
  }

  /** Clients come from now on. */
  start(): void {
    for (const [doorIndex, door] of this.#doors.entries()) {
      for (const [kindIndex, kind] of KINDS[door.speaks].entries()) {
        this.#keep(this.#line(door, kind, diceOf(this.#seed + 1_000 * doorIndex + kindIndex)));
      }
    }
  }

  /** One client, beside all others: whether a forward serves now. */
  async probe(door: Door): Promise<ClientRecord> {
    const record = await go({ ...this.#errand(door, "probe", () => 0.2), up: 64, down: 64, restMs: 0 });
    this.records.push(record);
    return record;
  }

  /** Nobody comes any more. Resolves when everybody has left. */
  async end(): Promise<void> {
    this.#stage = "closing";
    await Promise.all(this.#going);
  }

  #keep(work: Promise<unknown>): void {
    this.#going.add(work);
    void work.finally(() => this.#going.delete(work));
  }

  async #line(door: Door, kind: string, roll: () => number): Promise<void> {
    while (this.#stage === "open") {
      this.records.push(await go(this.#errand(door, kind, roll)));
      await new Promise((resolve) => setTimeout(resolve, (kind === "bulk" ? 1_500 : 300) * roll()));
    }
  }

  #errand(door: Door, kind: string, roll: () => number): Errand {
    const id = `${this.#seed}-${++this.#count}`;
    const seed = Math.floor(roll() * 2 ** 31);
    const size = (bits: number): number => Math.floor(2 ** (bits * roll()));
    const atEnd = door.speaks === "history" && kind !== "probe" ? "waits" : "leaves"; // an echo never ends by itself
    const about = { id, kind, door, seed, restMs: 0, atEnd } as const;
    switch (kind) {
      case "bulk":
        return {
          ...about,
          up: size(21),
          down: size(21),
          restMs: roll() < 0.3 ? Math.floor(1_500 * roll()) : 0,
        };
      case "rude":
        return { ...about, up: size(18), down: size(21), leavesAfterMs: Math.floor(400 * roll()) };
      case "half-close":
        return { ...about, up: size(15), down: size(15), atEnd: "waits", halfCloses: true };
      case "long": {
        const parts = 5 + Math.floor(40 * roll());
        return {
          ...about,
          up: parts * 500,
          down: 0,
          paces: { parts, pauseMs: 100 + Math.floor(600 * roll()) },
        };
      }
      default:
        return { ...about, up: size(14), down: size(14) };
    }
  }
}
