/** Which clients of a UDP forward have a flow, and when each is over: datagrams know no end of their own. */

/** Of one forward; with one more the flow that was quiet for longest ends. */
export const FLOWS_MAX = 4_096;

/** How long a flow may be quiet in both directions. */
const IDLE_UNANSWERED_MS = 60_000;
const IDLE_ANSWERED_MS = 300_000;
/** To a DNS server: each question comes from a port of its own. */
const IDLE_DNS_MS = 10_000;
const DNS_PORT = 53;

/** Quiet flows are looked for no more often than this, however many there are. */
const SWEEP_EVERY_MS = 1_000;

interface Row<F> {
  readonly flow: F;
  readonly port: number;
  seenMs: number;
  answers: "none" | "some";
}

/** Pure but for its memory; times are of one clock. Rows are kept in the order they were last used. */
export class FlowTable<F> {
  readonly #rows = new Map<string, Row<F>>();
  readonly #max: number;

  constructor(max = FLOWS_MAX) {
    this.#max = max;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** The client's flow, which is in use now. */
  use(key: string, nowMs: number): F | undefined {
    const row = this.#rows.get(key);
    if (row === undefined) return undefined;
    this.#touch(key, row, nowMs);
    return row.flow;
  }

  /** An answer has come: it keeps the flow alive, and for longer than one that never had any. */
  answered(key: string, nowMs: number): void {
    const row = this.#rows.get(key);
    if (row === undefined) return;
    row.answers = "some";
    this.#touch(key, row, nowMs);
  }

  /** Takes in a new flow to a port of the target; what it returns is over, and no longer in the table. */
  add(key: string, flow: F, port: number, nowMs: number): readonly F[] {
    const over = this.#take(key);
    if (this.#rows.size >= this.#max) {
      const [oldest] = this.#rows.keys();
      if (oldest !== undefined) over.push(...this.#take(oldest));
    }
    this.#rows.set(key, { flow, port, seenMs: nowMs, answers: "none" });
    return over;
  }

  /** Takes out what was quiet for too long. */
  sweep(nowMs: number): readonly F[] {
    const over = [...this.#rows].filter(([, row]) => endMs(row) <= nowMs);
    for (const [key] of over) this.#rows.delete(key);
    return over.map(([, { flow }]) => flow);
  }

  /** When to {@link sweep} next; undefined while there is nothing to sweep. */
  sweepAtMs(nowMs: number): number | undefined {
    if (this.#rows.size === 0) return undefined;
    let firstMs = Number.POSITIVE_INFINITY;
    for (const row of this.#rows.values()) firstMs = Math.min(firstMs, endMs(row));
    return Math.max(firstMs, nowMs + SWEEP_EVERY_MS);
  }

  /** Takes out all. */
  clear(): readonly F[] {
    const all = [...this.#rows.values()].map(({ flow }) => flow);
    this.#rows.clear();
    return all;
  }

  #take(key: string): F[] {
    const row = this.#rows.get(key);
    this.#rows.delete(key);
    return row === undefined ? [] : [row.flow];
  }

  #touch(key: string, row: Row<F>, nowMs: number): void {
    row.seenMs = nowMs;
    this.#rows.delete(key);
    this.#rows.set(key, row);
  }
}

function endMs({ port, seenMs, answers }: Row<unknown>): number {
  if (port === DNS_PORT) return seenMs + IDLE_DNS_MS;
  return seenMs + (answers === "some" ? IDLE_ANSWERED_MS : IDLE_UNANSWERED_MS);
}
