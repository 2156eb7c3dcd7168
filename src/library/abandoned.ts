/** What a start leaves that was broken off: a supervisor that has not been told of any forward waits for half a minute. */
import type { Clock, Runtime, UpPlan } from "../runtime/index.ts";

/** To ask it and to see it end takes milliseconds. */
const END_MS = 5_000;

/** Ends the supervisor of a project if nobody wants anything of it. Never rejects. */
export async function endIdle(runtime: Runtime, clock: Clock, plan: UpPlan): Promise<void> {
  const { config, explicitName, environment } = plan;
  const late = new AbortController();
  const timer = clock.timer(END_MS, () => late.abort());
  try {
    const project = runtime.find({ file: config.path ?? undefined, name: explicitName, environment });
    const state = project && (await runtime.look(project, late.signal));
    if (project === undefined || state?.kind !== "alive") return;
    const client = await runtime.connect(state.record, late.signal);
    try {
      await client.release({ names: null }); // it looks then whether it has anything to keep
      const { entries } = await client.status();
      if (entries.length === 0) await runtime.endOf(project, state.record, client.closed, late.signal);
    } finally {
      await client[Symbol.asyncDispose]();
    }
  } catch {
    // it has ended, or is going to
  } finally {
    timer[Symbol.dispose]();
  }
}
