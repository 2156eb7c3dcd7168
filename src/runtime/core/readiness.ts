/**
 * What a set of forwards amounts to: the last line of `up`, the end of `--wait`, the exit status. One that somebody has
 * stopped is no trouble, and counts for nothing.
 */
import type { FailureKind, ForwardStatus } from "./status.ts";

/**
 * - `ready`: every required forward is ready
 * - `pending`: some may still become ready by themselves
 * - `stuck`: nothing pending is left; what is not ready needs a person
 */
export type Verdict = "ready" | "pending" | "stuck";

export interface Readiness {
  readonly verdict: Verdict;
  readonly ready: number;
  readonly total: number;
  /** Required forwards that are not ready, in order. */
  readonly late: readonly ForwardStatus[];
  /** 0 all required are ready · 1 one is not · 4 the cluster refuses us · 5 the local port is not to be had. */
  readonly exit: 0 | 1 | 4 | 5;
}

export function readinessOf(all: readonly ForwardStatus[]): Readiness {
  const forwards = all.filter((f) => f.state !== "stopped");
  const ready = forwards.filter((f) => f.state === "ready").length;
  const late = forwards.filter((f) => f.required && f.state !== "ready");
  const verdict = late.length === 0 ? "ready" : late.every(needsAPerson) ? "stuck" : "pending";
  return { verdict, ready, total: forwards.length, late, exit: exitOf(late) };
}

/** Whether a forward has come to something; its other states last for milliseconds. */
export function hasSpoken({ state }: ForwardStatus): boolean {
  return state === "ready" || state === "waiting" || state === "failed";
}

function needsAPerson(forward: ForwardStatus): boolean {
  const denied = forward.state === "waiting" && forward.reason?.kind === "denied"; // not while it is tried again
  return forward.state === "failed" || denied;
}

/** The most telling status wins: a port that is taken, then a cluster that refuses, then merely late. */
function exitOf(late: readonly ForwardStatus[]): Readiness["exit"] {
  if (late.length === 0) return 0;
  const kinds = new Set<FailureKind | undefined>(late.map((f) => f.reason?.kind));
  if (kinds.has("local")) return 5;
  if (kinds.has("denied") || kinds.has("unreachable")) return 4;
  return 1;
}
