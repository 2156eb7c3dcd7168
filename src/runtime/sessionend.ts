/** How a supervisor ended under the command that holds it. */
import { KfwdError } from "../errors.ts";
import { supervisorDied } from "./daemon/death.ts";
import { outliveProcess } from "./daemon/dying.ts";
import { inspect, lockTrouble, type LockDeps, type LockState } from "./daemon/inspect.ts";
import type { ProjectFiles } from "./daemon/projectfiles.ts";
import type { LockRecord } from "./wire/lockrecord.ts";

/**
 * - `stopped`: somebody asked it to end, and it gave the project back
 * - `lost`: it died, or is out of reach
 */
export type SessionEnd = { readonly kind: "stopped" } | { readonly kind: "lost"; readonly error: KfwdError };

/** Resolves when the connection to a supervisor is over, and its process as well unless that takes its time. */
export async function untilGone(
  deps: LockDeps,
  record: LockRecord,
  closed: AbortSignal,
  signal: AbortSignal,
): Promise<void> {
  await new Promise<void>((resolve) => {
    closed.addEventListener("abort", () => resolve(), { once: true });
    if (closed.aborted) resolve();
  });
  await outliveProcess(deps, record, signal);
}

/** Looks what has become of a supervisor that {@link untilGone} has seen off. @throws the signal's reason. */
export async function whyGone(
  deps: LockDeps,
  files: ProjectFiles,
  { instance }: LockRecord,
  signal: AbortSignal,
): Promise<SessionEnd> {
  const state = await inspect(deps, files, signal);
  switch (state.kind) {
    case "none":
      return { kind: "stopped" };
    case "damaged":
      return { kind: "lost", error: lockTrouble(state, files) };
    case "dead":
    case "alive":
    case "unresponsive":
    case "elsewhere":
      if (state.record.instance !== instance) return { kind: "stopped" }; // and another has come
      return { kind: "lost", error: errorOf(state, files) };
  }
}

function errorOf(state: Extract<LockState, { readonly record: LockRecord }>, files: ProjectFiles): KfwdError {
  switch (state.kind) {
    case "dead":
      return supervisorDied(state);
    case "alive":
      return new KfwdError("UNRESPONSIVE", "the supervisor closed the connection", { hint: "kfwd status" });
    case "unresponsive":
    case "elsewhere":
      return lockTrouble(state, files);
  }
}

/** What to say of a supervisor that answered a moment ago and cannot be connected to now. @throws the signal's reason. */
export async function whyUnreached(
  deps: LockDeps,
  files: ProjectFiles,
  record: LockRecord,
  thrown: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const { code } = KfwdError.from(thrown);
  if (code !== "NOT_RUNNING" && code !== "UNRESPONSIVE") return thrown;
  const end = await whyGone(deps, files, record, signal);
  if (end.kind === "stopped")
    return new KfwdError("NOT_RUNNING", `project "${record.project}" was stopped just now`);
  return end.error.code === "NOT_RUNNING" ? end.error : thrown;
}
