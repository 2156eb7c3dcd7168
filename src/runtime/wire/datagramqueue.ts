/** Datagrams that wait for their tunnel: the oldest are dropped when there is no room, and nobody takes another's turn. */

/** What a queue may hold, in bytes. */
export interface QueueLimits {
  readonly flowBytes: number;
  readonly totalBytes: number;
}

/**
 * A flow's share is what 10 000 datagrams of 1 200 bytes a second bring in 80 ms: on a machine whose cores are all busy, each
 * hop of the tunnel may have to wait for some tens of them. What is older is of little use to anybody.
 */
export const RELAY_QUEUE: QueueLimits = { flowBytes: 1024 * 1024, totalBytes: 8 * 1024 * 1024 };

/** What an item costs besides its bytes, so that empty datagrams are not free. */
const ITEM_BYTES = 64;

interface Waiting {
  readonly items: Buffer[];
  /** Items before it have been taken. */
  head: number;
  bytes: number;
}

/** Items of one flow keep their order; flows take turns. */
export class DatagramQueue {
  readonly #limits: QueueLimits;
  readonly #onDropped: (id: number, count: number) => void;
  readonly #flows = new Map<number, Waiting>();
  #bytes = 0;

  /** `onDropped` is called from within {@link push}. */
  constructor(limits: QueueLimits, onDropped: (id: number, count: number) => void) {
    this.#limits = limits;
    this.#onDropped = onDropped;
  }

  get empty(): boolean {
    return this.#flows.size === 0;
  }

  /** Keeps the item, at the price of the oldest of its flow, or of the flow whose turn is next. */
  push(id: number, item: Buffer): void {
    let flow = this.#flows.get(id);
    if (flow === undefined) this.#flows.set(id, (flow = { items: [], head: 0, bytes: 0 }));
    flow.items.push(item);
    this.#count(flow, item.length + ITEM_BYTES);
    while (flow.bytes > this.#limits.flowBytes && flow.items.length - flow.head > 1) this.#drop(id, flow);
    while (this.#bytes > this.#limits.totalBytes) {
      const next = this.#flows.entries().next();
      if (next.done) return;
      this.#drop(...next.value);
    }
  }

  /** The next items in turn, of at least `bytes` together if there are so many. */
  take(bytes: number): Buffer[] {
    const taken: Buffer[] = [];
    let length = 0;
    while (length < bytes && this.#flows.size > 0) {
      for (const [id, flow] of this.#flows) {
        const item = this.#shift(id, flow);
        if (item === undefined) continue;
        taken.push(item);
        length += item.length;
        if (length >= bytes) break;
      }
    }
    return taken;
  }

  /** Forgets what waits of a flow that is over. */
  forget(id: number): void {
    const flow = this.#flows.get(id);
    if (flow === undefined) return;
    this.#bytes -= flow.bytes;
    this.#flows.delete(id);
  }

  #drop(id: number, flow: Waiting): void {
    if (this.#shift(id, flow) !== undefined) this.#onDropped(id, 1);
  }

  /** A flow that has had its turn goes to the end of the line. */
  #shift(id: number, flow: Waiting): Buffer | undefined {
    const item = flow.items[flow.head];
    if (item !== undefined) this.#count(flow, -(item.length + ITEM_BYTES));
    flow.head++;
    if (flow.head >= flow.items.length) {
      this.#flows.delete(id);
    } else if (flow.head >= COMPACT_AT) {
      flow.items.splice(0, flow.head);
      flow.head = 0;
    }
    return item;
  }

  #count(flow: Waiting, bytes: number): void {
    flow.bytes += bytes;
    this.#bytes += bytes;
  }
}

const COMPACT_AT = 1024;
