/** `kfwd up`: makes the forwards what the file says, and in the foreground keeps them until a signal. */
import type { Session } from "../runtime/index.ts";
import { parseDuration } from "./duration.ts";
import { Output } from "./output.ts";
import { chooseNames, readPlan } from "./plan.ts";
import { Start, type Patience } from "./start.ts";
import { Interrupts, stay } from "./stay.ts";
import { INTERRUPTED, type ClusterFlags, type Interrupt, type World } from "./world.ts";

export interface UpFlags extends ClusterFlags {
  readonly detach?: boolean;
  readonly wait?: boolean;
  readonly waitTimeout?: string;
  readonly timeout?: string;
}

/** `up -d` does not wait for pods, only for a first word on each forward. */
const FIRST_WORDS_MS = 3_000;

/** In the foreground, `kfwd: degraded` is said when not all is ready after this long. */
const SETTLE_MS = 10_000;

const WAIT_TIMEOUT = "60s";

export async function up(world: World, wanted: readonly string[], flags: UpFlags): Promise<number> {
  const out = new Output(world, flags);
  const detached = flags.detach === true || flags.wait === true;
  const waitMs = parseDuration(flags.waitTimeout ?? WAIT_TIMEOUT, "--wait-timeout");
  const drainMs = parseDuration(flags.timeout ?? "5s", "--timeout");
  const plan = await readPlan(world, flags, out);
  if (plan === undefined) return 2;
  const names = chooseNames(
    wanted,
    plan.forwards.map(({ name }) => name),
  );

  const interrupt = new AbortController();
  const early = world.onInterrupt((signal) => interrupt.abort(signal));
  let session: Session;
  try {
    session = await world.runtime.open(plan, detached ? "detached" : "here", interrupt.signal);
  } catch (thrown) {
    early[Symbol.dispose]();
    if (interrupt.signal.aborted) return interrupted(interrupt.signal);
    throw thrown;
  }
  let interrupts: Interrupts | undefined;
  try {
    const start = new Start(world, out, session, names);
    const patience = patienceOf(flags, detached, waitMs);
    const exit = await start.run(plan, wanted.length > 0, patience, interrupt.signal);
    if (interrupt.signal.aborted) return interrupted(interrupt.signal);
    if (detached || start.isHopeless) return exit;
    interrupts = new Interrupts(world);
    early[Symbol.dispose](); // only now: a signal on its way to a listener is lost when no other is there
    return await stay(out, session, {
      board: start.board,
      reporter: start.reporter,
      names,
      drainMs,
      exit,
      interrupts,
    });
  } catch (thrown) {
    if (interrupt.signal.aborted) return interrupted(interrupt.signal);
    throw thrown;
  } finally {
    await session[Symbol.asyncDispose]();
    interrupts?.[Symbol.dispose](); // not before: one Ctrl-C too many would leave the lock behind
    early[Symbol.dispose]();
  }
}

function interrupted(signal: AbortSignal): number {
  const name: Interrupt = signal.reason;
  return INTERRUPTED[name];
}

function patienceOf(flags: UpFlags, detached: boolean, waitMs: number): Patience {
  if (flags.wait) return { until: "ready", withinMs: waitMs, strict: true };
  if (detached) return { until: "words", withinMs: FIRST_WORDS_MS, strict: false };
  return { until: "ready", withinMs: SETTLE_MS, strict: false };
}
