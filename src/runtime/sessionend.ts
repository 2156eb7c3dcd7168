/** How a supervisor ended under the command that holds it. */
import { KfwdError } from "../errors.ts";
import { supervisorDied } from "./daemon/death.ts";
import { sameProcess } from "./daemon/identity.ts";
import { inspect, lockTrouble, type LockDeps, type LockState } from "./daemon/inspect.ts";
import type { ProjectFiles } from "./daemon/projectfiles.ts";
import type { LockRecord } from "./wire/lockrecord.ts";

/**
 * - `stopped`: somebody asked it to end, and it gave the project back
 * - `lost`: it died, or is out of reach
 */
export type SessionEnd = { readonly kind: "stopped" } | { readonly kind: "lost"; readonly error: KfwdError };

/** A process that ends closes its sockets a little before it is gone. */
const DYING_MS = 1_000;
const POLL_MS = 20;

/** Resolves when the connection to a supervisor is over, and its process as well unless that takes its time. */
export async function untilGone(
  { clock, here }: LockDeps,
  record: LockRecord,
  closed: AbortSignal,
  signal: AbortSignal,
): Promise<void> {
  await new Promise<void>((resolve) => {
    closed.addEventListener("abort", () => resolve(), { once: true });
    if (closed.aborted) resolve();
  });
  const untilMs = clock.now() + DYING_MS;
  while (sameProcess(record, here) === "alive" && clock.now() < untilMs) await clock.sleep(POLL_MS, signal);
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
