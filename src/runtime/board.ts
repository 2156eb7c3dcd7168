/** The latest status of each forward, as events tell it, and a way to wait until it is as wanted. */
import { hasSpoken } from "./core/readiness.ts";
import type { ForwardStatus, SupervisorEvent } from "./core/status.ts";

/** Fed by {@link SupervisorControl.follow}. */
export class Board {
  readonly #statuses = new Map<string, ForwardStatus>();
  readonly #halted = new Set<string>();
  readonly #watching = new Set<() => void>();
  #endedWhy: string | undefined;

  take(event: SupervisorEvent): void {
    switch (event.type) {
      case "forward":
        this.#statuses.set(event.status.name, event.status);
        if (event.status.state !== "stopped") this.#halted.delete(event.status.name);
        break;
      case "halted":
        this.#halted.add(event.name);
        break;
      case "removed":
        this.#statuses.delete(event.name);
        this.#halted.delete(event.name);
        break;
      case "owners":
        break;
      case "ended":
        this.#endedWhy = event.why;
    }
    for (const look of this.#watching) look();
  }

  /** Why the supervisor ended; undefined while it runs. */
  get ended(): string | undefined {
    return this.#endedWhy;
  }

  /** The statuses of all forwards there are. */
  get all(): readonly ForwardStatus[] {
    return [...this.#statuses.values()];
  }

  /** Whether somebody has stopped it, and may start it again: others that are stopped are about to go. */
  isHalted(name: string): boolean {
    return this.#halted.has(name);
  }

  /**
   * Whether each of these that are there has come to something that lasts: one that is stopped and was not halted is
   * about to be replaced or to leave, and perhaps the supervisor with it.
   */
  haveSpoken(names: readonly string[]): boolean {
    return this.of(names).every((status) =>
      status.state === "stopped" ? this.isHalted(status.name) : hasSpoken(status),
    );
  }

  /** The statuses of these forwards, in this order; unknown ones are left out. */
  of(names: readonly string[]): readonly ForwardStatus[] {
    return names.flatMap((name) => this.#statuses.get(name) ?? []);
  }

  /** Resolves true once `met` holds or the supervisor has ended, false when the signal is aborted first. */
  until(met: (board: Board) => boolean, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (outcome: boolean): void => {
        this.#watching.delete(look);
        signal.removeEventListener("abort", onAbort);
        resolve(outcome);
      };
      const look = (): void => {
        if (this.#endedWhy !== undefined || met(this)) settle(true);
      };
      const onAbort = (): void => settle(false);
      this.#watching.add(look);
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      else look();
    });
  }
}
