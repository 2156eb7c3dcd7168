/**
 * Whether an API server serves, as the requests to it find out. While it does not, one request at a time looks again
 * and the others are told what it found: many lists and watches are no more of a burden than one.
 */
import type { Clock } from "../deps.ts";
import { KfwdError } from "../../errors.ts";
import { ApiRefusal } from "./failures.ts";

/** Between two looks at a server that does not serve: nothing, then at least this, doubled after each. */
const LOOK_FIRST_MS = 25;
const LOOK_CAP_MS = 1_000;

/** No server keeps us away for longer with Retry-After. */
export const RETRY_AFTER_MAX_MS = 60_000;

/** Why the server is not asked now, and when it may be asked again. */
interface Trouble {
  readonly error: KfwdError;
  /** In a row. */
  readonly looks: number;
  readonly untilMs: number;
}

/** Nobody was asked, because the server was found not to serve a moment ago: says what was found. */
export class NotAsked extends KfwdError {
  constructor({ code, message, hint, detail }: KfwdError) {
    super(code, message, { hint, detail });
  }
}

export class Reach {
  readonly #clock: Clock;
  readonly #onBack: () => void;
  #trouble: Trouble | undefined;
  #look: "none" | "under way" = "none";

  /** `onBack` is called when the server serves again, from within the request that found it; it must not throw. */
  constructor(clock: Clock, onBack: () => void) {
    this.#clock = clock;
    this.#onBack = onBack;
  }

  /**
   * Makes the request, unless the server is known not to serve.
   * @throws what the request throws, or {@link NotAsked}.
   */
  async attempt<T>(signal: AbortSignal, request: () => Promise<T>): Promise<T> {
    const trouble = this.#trouble;
    if (trouble && (this.#look === "under way" || this.#clock.now() < trouble.untilMs))
      throw new NotAsked(trouble.error);
    if (trouble) this.#look = "under way";
    try {
      const answer = await request();
      this.#well();
      return answer;
    } catch (error) {
      if (!signal.aborted) this.#note(error);
      throw error;
    } finally {
      if (trouble) this.#look = "none";
    }
  }

  /** What was found says nothing any more: the machine slept, or a person wants to know now. */
  forget(): void {
    this.#trouble = undefined;
  }

  #note(error: unknown): void {
    const nowMs = this.#clock.now();
    const before = this.#trouble;
    const askedMs = error instanceof ApiRefusal ? (error.retryAfterMs ?? 0) : 0;
    if (!isOutage(error) && askedMs === 0) {
      this.#well();
      return;
    }
    if (before && nowMs < before.untilMs) return; // of the same moment
    const looks = (before?.looks ?? 0) + 1;
    const spaceMs = looks === 1 ? 0 : Math.min(LOOK_CAP_MS, LOOK_FIRST_MS * 2 ** (looks - 2));
    this.#trouble = {
      error: KfwdError.from(error),
      looks,
      untilMs: nowMs + Math.max(spaceMs, Math.min(askedMs, RETRY_AFTER_MAX_MS)),
    };
  }

  #well(): void {
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#onBack();
  }
}

/** It is the server or the way to it that fails, and not this one request. */
export function isOutage(error: unknown): boolean {
  if (error instanceof NotAsked) return true;
  if (error instanceof ApiRefusal) return error.status >= 500;
  return error instanceof KfwdError && error.code === "UNREACHABLE";
}
