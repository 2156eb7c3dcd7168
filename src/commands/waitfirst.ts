/** `--wait` of commands that print where forwards are: first they must be ready. */
import { KfwdError } from "../errors.ts";
import { untilReady, waitLimit, type WaitFlags } from "./awaited.ts";
import type { World } from "./world.ts";

/** Flags of a command that may wait before it prints. */
export interface WaitFirstFlags extends WaitFlags {
  readonly wait?: boolean;
}

/** The exit status of a command that a signal ended while it waited. @throws KfwdError as {@link untilReady}. */
export async function waitFirst(
  world: World,
  flags: WaitFirstFlags,
  names: readonly string[],
): Promise<number | undefined> {
  if (flags.wait !== true) {
    if (flags.timeout === undefined) return undefined;
    throw new KfwdError("USAGE", "--timeout says how long --wait waits", { hint: "add --wait" });
  }
  const waited = await untilReady(world, flags, names, waitLimit(flags));
  return waited.kind === "interrupted" ? waited.exit : undefined;
}
