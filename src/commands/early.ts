/** What a start says of supervisors that end before or during it. */
import { KfwdError } from "../errors.ts";
import type { LockRecord } from "../runtime/index.ts";
import type { Output } from "./output.ts";
import { durationText } from "./render/forward.ts";

/** Says for whom a start waits: a supervisor that is being stopped. */
export function sayWaiting(out: Output, { pid }: LockRecord, drainLeftMs: number): void {
  const left = durationText(drainLeftMs);
  out.note(
    `waiting for the supervisor that is being stopped (pid ${pid}): its connections may go on for ${left}`,
  );
}

/** Of a supervisor that somebody else has stopped before the start was over. */
export function stoppedEarly(project: string): KfwdError {
  return new KfwdError("NOT_RUNNING", `project "${project}" was stopped from elsewhere while it started`);
}
