/** Changes of forwards for a `for await`: a queue that nobody need read. */
import { KfwdError } from "../errors.ts";
import { shown } from "../printable.ts";
import type { EventOptions, ForwardEvent, ForwardEvents } from "./api.ts";

const LIMIT = 1000;

/** Whoever waits for a change holds the process, which nothing else of ours does. */
export type Hold = () => Disposable;

/** How a stream is over: `undefined` in order, else by what is thrown. */
interface Over {
  readonly thrown: unknown;
}

interface Waiting<Name extends string> {
  readonly resolve: (result: IteratorResult<ForwardEvent<Name>, undefined>) => void;
  readonly reject: (thrown: unknown) => void;
}

/** One reader's events. Bounded: of more than its limit the oldest go, and are counted. */
export class EventQueue<Name extends string> implements ForwardEvents<Name> {
  readonly #limit: number;
  readonly #hold: Hold;
  readonly #onOver: (queue: EventQueue<Name>) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #events: ForwardEvent<Name>[] = [];
  readonly #waiting: Waiting<Name>[] = [];
  #held: Disposable | undefined;
  #dropped = 0;
  #over: Over | undefined;

  /** @throws KfwdError `USAGE` for a limit that is none; the signal's reason is thrown by `next`. */
  constructor(
    { limit = LIMIT, signal }: EventOptions,
    hold: Hold,
    onOver: (queue: EventQueue<Name>) => void,
  ) {
    if (!Number.isSafeInteger(limit) || limit < 1) {
      const hint = `limit: ${LIMIT}`;
      throw new KfwdError("USAGE", `limit must be a whole number from 1 on, got ${shown(limit)}`, { hint });
    }
    this.#limit = limit;
    this.#hold = hold;
    this.#onOver = onOver;
    this.#signal = signal;
    if (signal?.aborted) this.#abort();
    else signal?.addEventListener("abort", this.#abort, { once: true });
  }

  get dropped(): number {
    return this.#dropped;
  }

  push(event: ForwardEvent<Name>): void {
    if (this.#over) return;
    const waiting = this.#waiting.shift();
    if (waiting) {
      this.#release();
      waiting.resolve({ done: false, value: event });
      return;
    }
    this.#events.push(event);
    if (this.#events.length <= this.#limit) return;
    this.#events.shift();
    this.#dropped++;
  }

  /** What is in the queue is still read; then it is done, or throws once. */
  end(thrown?: unknown): void {
    if (this.#over) return;
    this.#over = { thrown };
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#onOver(this);
    const [first, ...others] = this.#waiting.splice(0);
    if (first) this.#conclude(first);
    for (const { resolve } of others) resolve({ done: true, value: undefined });
    this.#release();
  }

  next(): Promise<IteratorResult<ForwardEvent<Name>, undefined>> {
    const value = this.#events.shift();
    if (value) return Promise.resolve({ done: false, value });
    return new Promise((resolve, reject) => {
      if (this.#over) {
        this.#conclude({ resolve, reject });
        return;
      }
      this.#waiting.push({ resolve, reject });
      this.#held ??= this.#hold();
    });
  }

  return(): Promise<IteratorResult<ForwardEvent<Name>, undefined>> {
    this.#events.length = 0;
    this.end();
    this.#over = { thrown: undefined };
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #conclude({ resolve, reject }: Waiting<Name>): void {
    const thrown = this.#over?.thrown;
    this.#over = { thrown: undefined };
    if (thrown === undefined) resolve({ done: true, value: undefined });
    else reject(thrown);
  }

  readonly #abort = (): void => {
    this.#events.length = 0; // as Node's own streams of events: what is aborted is not read on
    this.end(this.#signal?.reason);
  };

  #release(): void {
    if (this.#waiting.length > 0) return;
    this.#held?.[Symbol.dispose]();
    this.#held = undefined;
  }
}
