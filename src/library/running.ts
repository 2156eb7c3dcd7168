/** The supervisor that a project has already, before and after a start. */
import { KfwdError } from "../errors.ts";
import { quoted } from "../printable.ts";
import type { Clock, ControlClient, LockRecord, Project, Runtime, UpPlan } from "../runtime/index.ts";
import type { UpOptions } from "./api.ts";
import type { Reading } from "./read.ts";

/** To ask it and to see it end takes milliseconds. */
const ASK_MS = 5_000;

interface Running {
  readonly client: ControlClient;
  readonly project: Project;
  readonly record: LockRecord;
  readonly late: AbortSignal;
}

/**
 * Options may lead a forward to another cluster than the one where somebody else has it now.
 * @throws KfwdError `USAGE`.
 */
export async function refuseToMove(
  runtime: Runtime,
  clock: Clock,
  { plan, chosen }: Reading,
  { context, namespace }: UpOptions,
): Promise<void> {
  if (context === undefined && namespace === undefined) return;
  const entries = await withRunning(
    runtime,
    clock,
    plan,
    async ({ client }) => (await client.status()).entries,
  );
  for (const spec of chosen) {
    const entry = entries?.find(({ name }) => name === spec.name);
    if (!entry?.context || !entry.namespace) continue;
    const [wanted, there] = [spec.context ?? entry.context, spec.namespace ?? entry.namespace];
    if (wanted === entry.context && there === entry.namespace) continue;
    const place = `context ${quoted(entry.context)}, namespace ${quoted(entry.namespace)}`;
    const message = `forward ${quoted(spec.name)} runs already, for somebody else, in ${place}`;
    throw new KfwdError("USAGE", message, {
      hint: `give this one a project of its own: project: ${JSON.stringify(`${plan.project.split("@")[0]}-test`)}`,
    });
  }
}

/** A start that is broken off may leave a supervisor that waits half a minute for forwards. Ends it if it has none. */
export async function endIdle(runtime: Runtime, clock: Clock, plan: UpPlan): Promise<void> {
  await withRunning(runtime, clock, plan, async ({ client, project, record, late }) => {
    await client.release({ names: null }); // it looks then whether it has anything to keep
    const { entries } = await client.status();
    if (entries.length === 0) await runtime.endOf(project, record, client.closed, late);
  });
}

/** Undefined when nobody answers; that is found out again by whoever needs an answer. */
async function withRunning<T>(
  runtime: Runtime,
  clock: Clock,
  { config, explicitName, environment }: UpPlan,
  work: (running: Running) => Promise<T>,
): Promise<T | undefined> {
  const over = new AbortController();
  const late = over.signal;
  const timer = clock.timer(ASK_MS, () => over.abort());
  try {
    const project = runtime.find({ file: config.path ?? undefined, name: explicitName, environment });
    const state = project && (await runtime.look(project, late));
    if (project === undefined || state?.kind !== "alive") return undefined;
    const client = await runtime.connect(project, state.record, late);
    try {
      return await work({ client, project, record: state.record, late });
    } finally {
      await client[Symbol.asyncDispose]();
    }
  } catch {
    return undefined;
  } finally {
    timer[Symbol.dispose]();
  }
}
