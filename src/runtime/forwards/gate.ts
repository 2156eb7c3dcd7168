/** Where accepted connections wait while a forward has no ready pod. */
import type { Clock } from "../deps.ts";

/** Why the gate let nobody through. */
export type Refusal = "full" | "late" | "closed" | "left";

/** The answer to {@link Gate.pass}. */
export type Pass<T> =
  | { readonly kind: "through"; readonly way: T }
  | { readonly kind: "refused"; readonly why: Refusal };

type GateState<T> =
  | { readonly kind: "open"; readonly way: T }
  | { readonly kind: "shut" }
  | { readonly kind: "closed" };

/** Opens and shuts many times, closes once. At most `maxWaiting` wait; whoever comes then is refused. */
export class Gate<T> implements Disposable {
  readonly #clock: Clock;
  readonly #maxWaiting: number;
  readonly #waiting = new Set<(pass: Pass<T>) => void>();
  readonly #watching = new Set<() => void>();
  #state: GateState<T> = { kind: "shut" };
  #waited = 0;

  constructor(clock: Clock, maxWaiting: number) {
    this.#clock = clock;
    this.#maxWaiting = maxWaiting;
  }

  /** How many wait now, for the gate to open or for a pod that refused them to give way. */
  get waiting(): number {
    return this.#waiting.size + this.#watching.size;
  }

  /** How many have waited for the gate to open, ever. */
  get waited(): number {
    return this.#waited;
  }

  /** Lets everyone through who waits or comes, in the order they came. */
  open(way: T): void {
    if (this.#state.kind === "closed") return;
    if (this.#state.kind === "open" && this.#state.way === way) return;
    this.#become({ kind: "open", way });
    this.#answerAll({ kind: "through", way });
  }

  /** Whoever comes from now on waits. */
  shut(): void {
    if (this.#state.kind === "open") this.#become({ kind: "shut" });
  }

  /** Refuses everyone, for good. */
  [Symbol.dispose](): void {
    this.#become({ kind: "closed" });
    this.#answerAll({ kind: "refused", why: "closed" });
  }

  /** Waits until the gate is open, but no longer than `deadlineMs` on the clock, or until `left` is aborted. */
  pass(deadlineMs: number, left: AbortSignal): Promise<Pass<T>> {
    if (this.#state.kind === "open") return Promise.resolve({ kind: "through", way: this.#state.way });
    const refusal = this.#refusalNow(deadlineMs, left);
    if (refusal !== undefined) return Promise.resolve({ kind: "refused", why: refusal });
    return new Promise((resolve) => {
      const answer = (pass: Pass<T>): void => {
        this.#waiting.delete(answer);
        timer[Symbol.dispose]();
        left.removeEventListener("abort", onLeft);
        resolve(pass);
      };
      const onLeft = (): void => answer({ kind: "refused", why: "left" });
      const timer = this.#clock.timer(deadlineMs - this.#clock.now(), () =>
        answer({ kind: "refused", why: "late" }),
      );
      left.addEventListener("abort", onLeft, { once: true });
      this.#waiting.add(answer);
      this.#waited++;
    });
  }

  /**
   * True as soon as the gate no longer leads to `way`; false when it still does after `ms`, the client has left, or too
   * many wait already.
   */
  changes(way: T, ms: number, left: AbortSignal): Promise<boolean> {
    if (this.#state.kind !== "open" || this.#state.way !== way) return Promise.resolve(true);
    if (left.aborted || this.waiting >= this.#maxWaiting) return Promise.resolve(false);
    return new Promise((resolve) => {
      const end = (changed: boolean): void => {
        this.#watching.delete(onChange);
        timer[Symbol.dispose]();
        left.removeEventListener("abort", onLeft);
        resolve(changed);
      };
      const onChange = (): void => end(true);
      const onLeft = (): void => end(false);
      const timer = this.#clock.timer(ms, onLeft);
      left.addEventListener("abort", onLeft, { once: true });
      this.#watching.add(onChange);
    });
  }

  #become(state: GateState<T>): void {
    this.#state = state;
    for (const onChange of this.#watching) onChange();
  }

  #refusalNow(deadlineMs: number, left: AbortSignal): Refusal | undefined {
    if (this.#state.kind === "closed") return "closed";
    if (left.aborted) return "left";
    if (this.#clock.now() >= deadlineMs) return "late";
    return this.waiting >= this.#maxWaiting ? "full" : undefined;
  }

  #answerAll(pass: Pass<T>): void {
    for (const answer of this.#waiting) answer(pass);
  }
}
