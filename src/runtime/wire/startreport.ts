/** The one message that a detached supervisor sends to the process that started it. */
import * as z from "zod/mini";
import type { ErrorRecord } from "../../errors.ts";
import { agree } from "./agree.ts";
import { errorRecord } from "./payloads.ts";

/**
 * How a start went.
 * - `owned`: the child owns the lock, and answers on its socket
 * - `taken`: another supervisor owns it, or something is in the way; the child has ended
 * - `failed`: the child cannot run, and has ended
 */
export type StartReport =
  | { readonly type: "owned"; readonly pid: number }
  | { readonly type: "taken" }
  | { readonly type: "failed"; readonly error: ErrorRecord };

export const startReport = agree<StartReport>()(
  z.union([
    z.object({ type: z.literal("owned"), pid: z.int() }),
    z.object({ type: z.literal("taken") }),
    z.object({ type: z.literal("failed"), error: errorRecord }),
  ]),
);
