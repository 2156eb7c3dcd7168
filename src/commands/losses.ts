/** Notices which forwards the command of `kfwd run` has lost, and says so. */
import type { Board, Clock, ForwardStatus, Session } from "../runtime/index.ts";
import { quoted } from "../printable.ts";

/** One that is replaced is stopped for a moment. */
const STOPPED_MS = 1_000;

/** What to watch, and whom to tell. */
export interface LossWatch {
  readonly clock: Clock;
  readonly board: Board;
  readonly session: Session;
  /** The required ones. */
  readonly names: readonly string[];
  /** Told once of each loss, until the forward is back. */
  readonly onLost: (sentence: string) => void;
  readonly onBack: (sentence: string) => void;
}

/**
 * A forward is lost that has failed, or was stopped from elsewhere; one that waits for a pod is not. Watches until the
 * signal is aborted.
 */
export function watchLosses(watch: LossWatch, over: AbortSignal): void {
  const { clock, board, session, names } = watch;
  const lost = new Set<string>();
  const stopped = new Map<string, Disposable>();
  const lose = (name: string, why: string): void => {
    if (over.aborted || lost.has(name)) return;
    lost.add(name);
    watch.onLost(`lost forward ${quoted(name)}: ${why}`);
  };
  const look = (): void => {
    if (board.ended !== undefined) return; // which says more than each of them
    for (const name of names) {
      const [status] = board.of([name]);
      if (status !== undefined && status.state !== "stopped") {
        stopped.get(name)?.[Symbol.dispose]();
        stopped.delete(name);
        if (status.state === "failed") lose(name, reasonText(status));
        else if (status.state === "ready" && lost.delete(name))
          watch.onBack(`forward ${quoted(name)} is back`);
      } else if (!stopped.has(name)) {
        const timer = clock.timer(STOPPED_MS, () => {
          if (board.ended === undefined) lose(name, "it was stopped from elsewhere");
        });
        stopped.set(name, timer);
      }
    }
  };
  void board.until(() => {
    look();
    return false;
  }, over);
  void session.ended.then((end) => {
    if (over.aborted) return;
    watch.onLost(
      end.kind === "lost"
        ? `lost all forwards: ${end.error.message}`
        : "the forwards were stopped from elsewhere",
    );
  });
  over.addEventListener("abort", () => stopped.forEach((timer) => timer[Symbol.dispose]()), { once: true });
}

function reasonText({ reason }: ForwardStatus): string {
  return reason?.message ?? "it has failed";
}
