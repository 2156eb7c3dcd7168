/** `kfwd wait`: returns when forwards are ready, or down. */
import { untilDown, untilReady, waitLimit, type WaitFlags } from "./awaited.ts";
import { Output } from "./output.ts";
import { sentinel } from "./render/progressline.ts";
import type { World } from "./world.ts";

export interface WaitCommandFlags extends WaitFlags {
  readonly for: "ready" | "down";
}

/** 0 it is so, 1 not in time or not to be waited for, 3 nothing runs that could become ready; 130 or 143 by a signal. */
export async function wait(
  world: World,
  wanted: readonly string[],
  flags: WaitCommandFlags,
): Promise<number> {
  const out = new Output(world, flags);
  const limit = waitLimit(flags);
  if (flags.for === "down") {
    const exit = await untilDown(world, flags, wanted, limit);
    if (exit === 0 && flags.json) out.json({ schema: "kfwd.wait/1", for: "down" });
    return exit;
  }
  const waited = await untilReady(world, flags, wanted, limit);
  if (waited.kind === "interrupted") return waited.exit;
  const { ready, total } = waited.outlook;
  if (flags.json) out.json({ schema: "kfwd.wait/1", for: "ready", ready, total });
  else out.note(sentinel({ ...waited.outlook, late: [], exit: 0 }));
  return 0;
}
