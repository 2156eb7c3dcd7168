/** What the log says of one forward: each change once, and what comes by the thousand now and then. */
import type { ForwardStatus, Reason } from "./core/status.ts";
import type { Deps, LogFields } from "./deps.ts";

/** How long a line in the log stands for all clients that there is no room for. */
const REFUSALS_LOGGED_MS = 10_000;

/** One a forward. */
export class Journal {
  readonly #deps: Pick<Deps, "clock" | "log">;
  readonly #forward: string;
  #told = "";
  /** The pod it was ready on last, when it was not any more, and whether that has been told. */
  #well:
    | { readonly pod: string | null; readonly untilMs: number | undefined; readonly lossTold: boolean }
    | undefined;
  #lastError: { readonly message: string; readonly atMs: number } | undefined;
  #refusalsLoggedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(deps: Pick<Deps, "clock" | "log">, forward: string) {
    this.#deps = deps;
    this.#forward = forward;
  }

  /** The last thing that went wrong with one connection. */
  get lastError(): { readonly message: string; readonly atMs: number } | undefined {
    return this.#lastError;
  }

  /** `held`: how many connections waited until now. */
  changed(status: ForwardStatus, held: number): void {
    const { state, pod, reason, attempt } = status;
    const { log, clock } = this.#deps;
    const fields = { forward: this.#forward, target: status.targetText, pod, podPort: status.podPort };
    switch (state) {
      case "ready": {
        const { pod: from = null, untilMs } = this.#well ?? {};
        const afterMs = untilMs === undefined ? null : Math.round(clock.now() - untilMs);
        const words = { ...fields, from, afterMs, held };
        if (this.#isNews(`ready ${pod}`)) log.info(state, words);
        else if (afterMs !== null) log.debug(state, words); // the end of what the log has the beginning of
        this.#well = { pod, untilMs: undefined, lossTold: false };
        return;
      }
      case "waiting":
      case "failed":
        this.#leave();
        if (!this.#isNews(`${state} ${reason?.code} ${reason?.message}`)) return;
        log.info(state, {
          ...fields,
          lost: this.#well?.lossTold === false ? this.#well.pod : null,
          ...wordsOf(reason),
        });
        if (this.#well) this.#well = { ...this.#well, lossTold: true };
        return;
      case "stopping":
      case "stopped":
        if (!this.#isNews(state)) return;
        log.info(state, reason === null ? fields : { ...fields, ...wordsOf(reason) });
        return;
      case "binding":
      case "resolving":
      case "connecting":
        this.#leave();
        if (attempt <= 1) log.debug(state, fields); // the tries of a whole night would say nothing new
    }
  }

  /** Somebody has it begun anew: what follows is news, whatever was told before. */
  restarted(): void {
    this.#told = "";
    this.#deps.log.info("restarted", { forward: this.#forward });
  }

  /** A connection came to nothing, or broke; `refused`: how many did so far. */
  failed(reason: Reason, refused: number): void {
    this.keep(reason);
    const { code, message } = reason;
    this.#deps.log.warn("connection failed", { forward: this.#forward, code, reason: message, refused });
  }

  /** Such clients come by the thousand, so the log has a line every few seconds and `status` has the number. */
  turnedAway(reason: Reason, refused: number): void {
    const nowMs = this.#deps.clock.now();
    if (nowMs < this.#refusalsLoggedUntilMs) {
      this.keep(reason);
      return;
    }
    this.#refusalsLoggedUntilMs = nowMs + REFUSALS_LOGGED_MS;
    this.failed(reason, refused);
  }

  /** For `status` alone. */
  keep({ message }: Reason): void {
    this.#lastError = { message, atMs: this.#deps.clock.wall() };
  }

  #leave(): void {
    if (this.#well?.untilMs === undefined && this.#well)
      this.#well = { ...this.#well, untilMs: this.#deps.clock.now() };
  }

  #isNews(text: string): boolean {
    if (text === this.#told) return false;
    this.#told = text;
    return true;
  }
}

function wordsOf(reason: Reason | null): LogFields {
  return {
    code: reason?.code ?? null,
    kind: reason?.kind ?? null,
    reason: reason?.message ?? null,
    hint: reason?.hint ?? null,
  };
}
