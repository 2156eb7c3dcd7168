/** `kfwd demo`: the whole tool at work, without a cluster. */
import { Output } from "./output.ts";
import { INTERRUPTED, type Interrupt, type SharedFlags, type World } from "./world.ts";

export async function demo(world: World, flags: SharedFlags): Promise<number> {
  const out = new Output(world, flags);
  const interrupt = new AbortController();
  const listening = world.onInterrupt((signal) => interrupt.abort(signal));
  try {
    return await world.runDemo((line) => out.data(line), interrupt.signal);
  } catch (thrown) {
    if (!interrupt.signal.aborted) throw thrown;
    const signal: Interrupt = interrupt.signal.reason;
    return INTERRUPTED[signal];
  } finally {
    listening[Symbol.dispose]();
  }
}
