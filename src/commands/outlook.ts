/** What can be said of forwards that are waited for. Pure. */
import { readinessOf, type Board, type ForwardStatus, type Readiness } from "../runtime/index.ts";
import { chooseNames } from "./plan.ts";

/** Forwards that are waited for, as they are now. */
export interface Outlook {
  readonly verdict: Readiness["verdict"];
  readonly ready: number;
  readonly total: number;
  /** What is not ready, and in a word why. */
  readonly late: readonly { readonly name: string; readonly status: ForwardStatus | undefined }[];
}

/** The forwards of a supervisor. One that is stopped and that nobody has halted is about to be replaced or to leave. */
export function forwardsOf(board: Board): readonly ForwardStatus[] {
  return board.all.map((status) =>
    status.state === "stopped" && !board.isHalted(status.name) ? { ...status, state: "stopping" } : status,
  );
}

/**
 * Without names: what runs and is required, as soon as anything runs; what somebody has stopped does not count. A
 * forward that was named counts whether it is required or not.
 * @throws KfwdError `UNKNOWN_FORWARD` for a name that neither runs nor is in `declared`.
 */
export function outlookOf(
  all: readonly ForwardStatus[],
  wanted: readonly string[],
  declared: readonly string[],
): Outlook {
  const known = [...new Set([...all.map(({ name }) => name), ...declared])];
  if (wanted.length === 0) return ofAll(all);
  if (known.length === 0)
    return { verdict: "pending", ready: 0, total: wanted.length, late: nameless(wanted) };
  const statuses = new Map(all.map((status) => [status.name, { ...status, required: true }]));
  const names = chooseNames(wanted, known);
  const there = names.flatMap((name) => statuses.get(name) ?? []);
  const { ready, verdict } = readinessOf(there);
  const late = names
    .map((name) => ({ name, status: statuses.get(name) }))
    .filter(({ status }) => status?.state !== "ready");
  const isStopped = there.some(({ state }) => state === "stopped"); // nobody but a person starts it again
  const ofNamed = isStopped && verdict === "ready" ? "stuck" : verdict;
  return { verdict: there.length < names.length ? "pending" : ofNamed, ready, total: names.length, late };
}

function ofAll(all: readonly ForwardStatus[]): Outlook {
  const meant = all.filter(({ state }) => state !== "stopped" && state !== "stopping");
  if (meant.length === 0) {
    const late = all.map((status) => ({ name: status.name, status }));
    const isOver = all.length > 0 && all.every(({ state }) => state === "stopped");
    return { verdict: isOver ? "stuck" : "pending", ready: 0, total: all.length, late };
  }
  const { verdict, ready, total, late } = readinessOf(meant);
  return { verdict, ready, total, late: late.map((status) => ({ name: status.name, status })) };
}

function nameless(wanted: readonly string[]): Outlook["late"] {
  return wanted.map((name) => ({ name, status: undefined }));
}

/** Whether a forward that is waited for is down: it was never started, has been stopped, or has left. */
export function isDown(
  all: readonly ForwardStatus[],
  wanted: readonly string[],
  declared: readonly string[],
): boolean {
  const statuses = new Map(all.map((status) => [status.name, status]));
  const known = [...new Set([...statuses.keys(), ...declared])];
  if (known.length === 0) return false; // it has not been told yet what it keeps
  const names = chooseNames(wanted, known);
  return names.every((name) => (statuses.get(name)?.state ?? "stopped") === "stopped");
}

/** `cache (NoReadyPods), db (not started)` */
export function lateText({ late }: Outlook): string {
  return late.map(({ name, status }) => `${name} (${wordOf(status)})`).join(", ");
}

/** A line for each forward that has a reason. */
export function reasonsText({ late }: Outlook): string | undefined {
  const lines = late.flatMap(({ name, status }) =>
    status?.reason ? [`  ${name}: ${status.reason.message}`] : [],
  );
  return lines.length === 0 ? undefined : lines.join("\n");
}

function wordOf(status: ForwardStatus | undefined): string {
  return status === undefined ? "not started" : (status.reason?.code ?? status.state);
}
