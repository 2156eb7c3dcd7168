/** `up --fail-fast`: the first required forward that fails for good stops all. */
import { KfwdError } from "../errors.ts";
import { readinessOf, type Board, type ForwardStatus, type Session } from "../runtime/index.ts";
import type { Chosen } from "./plan.ts";

/** Watches from the start on, until it is disposed. */
export class FailFast implements Disposable {
  readonly #over = new AbortController();
  readonly #failed: Promise<KfwdError>;
  #failure: KfwdError | undefined;

  constructor(board: Board, { control }: Session, { names, only }: Chosen) {
    const failing = (): ForwardStatus | undefined => board.of(names).find(failsForGood);
    this.#failed = board
      .until(() => failing() !== undefined, this.#over.signal)
      .then(async () => {
        const status = failing();
        if (status === undefined) return new Promise<never>(() => {}); // the wait is over, or the supervisor is
        this.#failure = failureOf(status);
        const stopped = board.of(names).map(({ name }) => name);
        await control.stop({ names: only ? stopped : null, drainMs: 0 }).catch(() => {}); // gone before we could ask
        return this.#failure;
      });
  }

  /** @throws as {@link throwIfFailed}, where one watches. */
  static async check(one: FailFast | undefined): Promise<void> {
    await one?.throwIfFailed();
  }

  /** The session as others are to see it: that we have ended it ourselves is no news. */
  calm(session: Session): Session {
    const never = new Promise<never>(() => {});
    return { ...session, ended: session.ended.then((end) => (this.#failure === undefined ? end : never)) };
  }

  /** Resolves as `work` does, unless a forward fails. @throws KfwdError `FORWARD_FAILED`, once all is stopped. */
  endOr<T>(work: Promise<T>): Promise<T> {
    const failed = this.#failed.then((error) => {
      throw error;
    });
    return Promise.race([failed, work.then(async (result) => (await this.throwIfFailed(), result))]);
  }

  /** @throws KfwdError `FORWARD_FAILED`, once all is stopped. */
  async throwIfFailed(): Promise<void> {
    if (this.#failure !== undefined) throw await this.#failed;
  }

  [Symbol.dispose](): void {
    this.#over.abort();
  }
}

function failsForGood(status: ForwardStatus): boolean {
  return status.required && readinessOf([status]).verdict === "stuck";
}

function failureOf({ name, reason }: ForwardStatus): KfwdError {
  const message = `forward "${name}" failed, so all are stopped: ${reason?.message ?? "nobody knows why"}`;
  return new KfwdError("FORWARD_FAILED", message, { hint: reason?.hint });
}
