/** A socket to the API server that is dialled before anybody needs it. */
import type { Clock } from "../deps.ts";
import type { Dialled } from "./access.ts";

/** How long it is kept for whoever needs it: servers drop a connection that says nothing, Kubernetes' own after 32 s. */
const KEPT_MS = 20_000;

/** What became of a dial that nobody took: it stood and stands no more, or came to nothing. */
export type AheadEnd = "gone" | "failed";

/** One dial ahead. Disposing gives it up; a socket that was taken is its taker's. */
export class DialAhead implements Disposable {
  readonly #giveUp = new AbortController();
  readonly #dialled: Promise<Dialled>;
  readonly #expiry: Disposable;
  readonly #onEnd: (how: AheadEnd) => void;
  #owner: "nobody" | "taker" = "nobody";
  #usable = true;

  /** `onEnd` is called once unless it is taken, and never from within. */
  constructor(
    clock: Clock,
    dial: (signal: AbortSignal) => Promise<Dialled>,
    onEnd: (how: AheadEnd) => void = () => {},
  ) {
    this.#onEnd = onEnd;
    this.#dialled = this.#hold(dial);
    this.#dialled.catch(() => {}); // whoever takes it is told
    this.#expiry = clock.timer(KEPT_MS, () => this[Symbol.dispose]());
  }

  /** Under way, or standing. */
  get usable(): boolean {
    return this.#usable;
  }

  /**
   * Undefined when the server has closed it meanwhile. To be called once.
   * @throws as the dial, or the signal's reason.
   */
  async take(signal: AbortSignal): Promise<Dialled | undefined> {
    const onAbort = (): void => this.#giveUp.abort(signal.reason);
    this.#owner = "taker";
    this.#expiry[Symbol.dispose]();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const dialled = await this.#dialled;
      if (!this.#usable) return undefined;
      dialled.socket.off("error", this.#onGone).off("close", this.#onGone);
      return dialled;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#usable = false;
    }
  }

  [Symbol.dispose](): void {
    if (this.#usable) this.#giveUp.abort(new Error("nobody needed it"));
    this.#end("gone");
  }

  async #hold(dial: (signal: AbortSignal) => Promise<Dialled>): Promise<Dialled> {
    const { signal } = this.#giveUp;
    try {
      const dialled = await dial(signal);
      const { socket } = dialled;
      socket.on("error", this.#onGone).on("close", this.#onGone);
      signal.addEventListener("abort", () => socket.destroy(), { once: true });
      if (signal.aborted) socket.destroy();
      signal.throwIfAborted();
      return dialled;
    } catch (thrown) {
      this.#end("failed");
      throw thrown;
    }
  }

  readonly #onGone = (): void => this.#end("gone");

  #end(how: AheadEnd): void {
    if (!this.#usable) return;
    this.#usable = false;
    this.#expiry[Symbol.dispose]();
    if (this.#owner === "nobody") queueMicrotask(() => this.#onEnd(how));
  }
}
