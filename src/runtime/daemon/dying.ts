/** The last moments of a supervisor: its sockets are closed, and its process is still there. */
import type { Clock } from "../deps.ts";
import type { LockRecord, ProcessIdentity } from "../wire/lockrecord.ts";
import { sameProcess, type Sameness } from "./identity.ts";

/** A process that ends closes its sockets a little before it is gone. */
const DYING_MS = 1_000;
const POLL_MS = 20;

/** Waits until the process of a supervisor that does not listen any more has gone, unless that takes its time. @throws the signal's reason. */
export async function outliveProcess(
  { clock, here }: { readonly clock: Clock; readonly here: ProcessIdentity },
  record: LockRecord,
  signal: AbortSignal,
): Promise<Sameness> {
  const untilMs = clock.now() + DYING_MS;
  for (;;) {
    const process = sameProcess(record, here);
    if (process !== "alive" || clock.now() >= untilMs) return process;
    await clock.sleep(POLL_MS, signal);
  }
}
