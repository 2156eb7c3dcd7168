/** What a row finds out, compared with the peer it was measured against. */
import { spreadOf, type Spread } from "./statistics.ts";

export type Unit = "ms" | "MB" | "MiB/s" | "CPU s/GiB" | "CPU s/1000" | "per s" | "requests" | "failed" | "%";

/** What a figure should be; information, never a failure. */
export interface Goal {
  /** The ratio to the peer, or our own value in the figure's unit. */
  readonly of: "ratio" | "value";
  readonly is: "<=" | ">=";
  readonly limit: number;
}

/** One thing that was measured, of us and of the peer. */
export interface Figure {
  /** The row and what of it: `up-1, RTT 50 ms`. */
  readonly name: string;
  readonly unit: Unit;
  /** What ours is compared with, where it is not kubectl. */
  readonly peer?: string;
  /** Samples of one round stand at the same index. */
  readonly theirs: readonly number[];
  readonly ours: readonly number[];
  readonly goal?: Goal;
}

export type Verdict = "reached" | "missed" | "no goal";

/** A figure and what follows from it. */
export interface Finding extends Figure {
  readonly peer: string;
  readonly theirSpread: Spread;
  readonly ourSpread: Spread;
  /** Ours by theirs, round by round. */
  readonly ratio: Spread;
  readonly verdict: Verdict;
}

/** @throws Error when there are no samples, or not as many of one as of the other. */
export function judge(figure: Figure): Finding {
  const { theirs, ours, goal } = figure;
  if (theirs.length !== ours.length) throw new Error(`"${figure.name}": rounds are missing`);
  const ratios = ours.map((our, round) => (our === theirs[round] ? 1 : our / (theirs[round] ?? Number.NaN))); // 0 of 0 too
  const ratio = spreadOf(ratios);
  const ourSpread = spreadOf(ours);
  return {
    ...figure,
    peer: figure.peer ?? "kubectl",
    theirSpread: spreadOf(theirs),
    ourSpread,
    ratio,
    verdict: goal ? verdict(goal.of === "ratio" ? ratio : ourSpread, goal) : "no goal",
  };
}

function verdict({ median }: Spread, { is, limit }: Goal): Verdict {
  return (is === "<=" ? median <= limit : median >= limit) ? "reached" : "missed";
}
