/** Notices which forwards the command of `kfwd run` has lost, and says so. */
import { quoted } from "../printable.ts";
import type { Board, Session } from "../runtime/index.ts";

/** What to watch, and whom to tell. */
export interface LossWatch {
  readonly board: Board;
  readonly session: Session;
  /** The required ones. */
  readonly names: readonly string[];
  /** Told once of each loss, until the forward is back. */
  readonly onLost: (sentence: string) => void;
  readonly onBack: (sentence: string) => void;
}

/**
 * A forward is lost that has failed, or was stopped by somebody else or by its `ttl`; one that waits for a pod, or is
 * being replaced, is not. Watches until the signal is aborted.
 */
export function watchLosses({ board, session, names, onLost, onBack }: LossWatch, over: AbortSignal): void {
  const lost = new Set<string>();
  const look = (name: string): void => {
    const [status] = board.of([name]);
    if (status?.state === "ready" && lost.delete(name)) onBack(`forward ${quoted(name)} is back`);
    const why = whyLost(board, name);
    if (why === undefined || lost.has(name)) return;
    lost.add(name);
    onLost(`lost forward ${quoted(name)}: ${why}`);
  };
  void board.until(() => {
    if (board.ended === undefined) names.forEach(look); // the end of all says more than that of each
    return false;
  }, over);
  void session.ended.then((end) => {
    if (over.aborted) return;
    const why = end.kind === "lost" ? `: ${end.error.message}` : ", which were stopped from elsewhere";
    onLost(`lost all forwards${why}`);
  });
}

function whyLost(board: Board, name: string): string | undefined {
  const [status] = board.of([name]);
  if (status === undefined) return "it was stopped from elsewhere";
  if (status.state === "failed") return status.reason?.message ?? "it has failed";
  if (!board.isHalted(name)) return undefined;
  return status.reason?.message ?? "it was stopped from elsewhere";
}
