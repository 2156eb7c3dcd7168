/** Whether a process is ready for signals, as Linux tells it. */
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { vi } from "vitest";

/** Of the signals that a command listens to, the last one, and the only one that Node does not catch by itself. */
const LAST = 1n << BigInt(constants.signals.SIGHUP - 1);

/** Resolves when the command listens to signals: before, it would just die of them. */
export async function untilItListens({
  child,
}: {
  readonly child: { readonly pid?: number | undefined };
}): Promise<void> {
  await vi.waitFor(() => {
    const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
    const [, mask = "0"] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status) ?? [];
    if ((BigInt(`0x${mask}`) & LAST) === 0n) throw new Error(`pid ${child.pid} does not listen to signals`);
  }, 30_000);
}
