/** Credit of the streams of a relay tunnel: who may send how much, so that one that is not read holds up no other. */

/**
 * What either side may send on a stream before it hears of it. A relay has 1024 streams at most, all of which may stall,
 * and 128 MiB.
 */
export const FIRST_WINDOW_BYTES = 32 * 1024;

/** Of a stream that is read; enough for 20 MB/s at 50 ms of round trip. */
export const WINDOW_MAX_BYTES = 1024 * 1024;

/** What all streams of a tunnel may have beyond their first windows, together. */
export interface WindowBudget {
  leftBytes: number;
}

/** A tunnel's budget. */
export function newWindowBudget(): WindowBudget {
  return { leftBytes: 16 * 1024 * 1024 };
}

/** How much may still be sent. */
export class SendWindow {
  #left = FIRST_WINDOW_BYTES;

  get left(): number {
    return this.#left;
  }

  take(bytes: number): void {
    this.#left -= bytes;
  }

  add(bytes: number): void {
    this.#left += bytes;
  }
}

/** How much the other side may still send, and when to let it send more. */
export class ReceiveWindow {
  readonly #budget: WindowBudget;
  #size = FIRST_WINDOW_BYTES;
  #open = FIRST_WINDOW_BYTES;
  #consumed = 0;

  constructor(budget: WindowBudget) {
    this.#budget = budget;
  }

  /** Bytes have come; false: more than were allowed. */
  receive(bytes: number): boolean {
    this.#open -= bytes;
    return this.#open >= 0;
  }

  /** Their reader has taken so many. The credit to send now; 0: it can wait. */
  consume(bytes: number): number {
    this.#consumed += bytes;
    if (this.#consumed < this.#size / 2) return 0;
    const credit = this.#consumed + this.#grow();
    this.#consumed = 0;
    this.#open += credit;
    return credit;
  }

  /** Gives back what it had of the budget. */
  close(): void {
    this.#budget.leftBytes += this.#size - FIRST_WINDOW_BYTES;
    this.#size = FIRST_WINDOW_BYTES;
  }

  /** Whoever reads gets a window twice as large, as long as there is budget. */
  #grow(): number {
    const more = Math.min(this.#size, WINDOW_MAX_BYTES - this.#size, this.#budget.leftBytes);
    this.#size += more;
    this.#budget.leftBytes -= more;
    return more;
  }
}
