/** `kfwd up`: makes the forwards what the file says, and in the foreground keeps them until a signal. */
import { KfwdError } from "../errors.ts";
import type { Session, UpManner } from "../runtime/index.ts";
import { parseDuration } from "../duration.ts";
import { sayWaiting, stoppedEarly } from "./early.ts";
import { hasKeys } from "./keyboard.ts";
import { Output } from "./output.ts";
import { FailFast } from "./failfast.ts";
import type { Chosen } from "./plan.ts";
import { Rereader } from "./reread.ts";
import { Start, type Patience } from "./start.ts";
import { Interrupts, leave, stay } from "./stay.ts";
import { touched, type TouchFlags } from "./touched.ts";
import { readWanted, type WantedFlags } from "./wanted.ts";
import { INTERRUPTED, type Interrupt, type World } from "./world.ts";

export interface UpFlags extends WantedFlags, TouchFlags {
  readonly detach?: boolean;
  readonly wait?: boolean;
  readonly waitTimeout?: string;
  readonly timeout?: string;
  readonly watch?: boolean;
  readonly dryRun?: boolean;
  readonly exitCode?: boolean;
  readonly failFast?: boolean;
}

/** `up -d` does not wait for pods, only for a first word on each forward. */
const FIRST_WORDS_MS = 3_000;

/** In the foreground, `kfwd: degraded` is said when not all is ready after this long. */
const SETTLE_MS = 10_000;

const WAIT_TIMEOUT = "60s";

export async function up(world: World, wanted: readonly string[], flags: UpFlags): Promise<number> {
  const out = new Output(world, flags);
  const detached = flags.detach === true || flags.wait === true;
  refuseUnfit(flags, detached);
  const waitMs = parseDuration(flags.waitTimeout ?? WAIT_TIMEOUT, "--wait-timeout");
  const drainMs = parseDuration(flags.timeout ?? "5s", "--timeout");
  const first = await readFirst(world, out, wanted, flags);
  if (first === undefined) return 2;
  const { plan, chosen } = first;
  if (flags.watch && plan.config.path === null) {
    throw new KfwdError("USAGE", "--watch cannot read standard input again", { hint: "-f PATH" });
  }
  const withKeys = !detached && hasKeys(world, out) && plan.config.path !== null;

  const interrupt = new AbortController();
  const early = world.onInterrupt((signal) => interrupt.abort(signal));
  let session: Session;
  try {
    session = await world.runtime.open(
      plan,
      { ...mannerOf(chosen, detached, withKeys, out), ...touched(chosen, flags) },
      interrupt.signal,
    );
  } catch (thrown) {
    early[Symbol.dispose]();
    if (interrupt.signal.aborted) return interrupted(interrupt.signal);
    throw thrown;
  }
  let interrupts: Interrupts | undefined;
  let rereader: Rereader | undefined;
  let failFast: FailFast | undefined;
  try {
    const start = new Start(world, out, session, chosen);
    if (flags.failFast) failFast = new FailFast(start.board, session, chosen);
    const patience = patienceOf(flags, detached, waitMs);
    const outcome = await start.run(patience, interrupt.signal, () => FailFast.check(failFast));
    if (interrupt.signal.aborted) return interrupted(interrupt.signal, detached ? out : undefined);
    if (outcome.kind === "ended") {
      if (detached && outcome.end.kind === "stopped") throw stoppedEarly(plan.project);
      return leave(start.reporter, outcome.end, 0);
    }
    if (detached || start.isHopeless) return outcome.exit;
    interrupts = new Interrupts(world);
    early[Symbol.dispose](); // only now: a signal on its way to a listener is lost when no other is there
    const { board, reporter } = start;
    const reading = new Rereader({ world, out, flags, names: wanted, session, reporter, first });
    rereader = reading;
    if (flags.watch) void rereader.start();
    const keys = withKeys ? { specs: () => reading.specs, rereader } : undefined;
    const started = { board, reporter, chosen, drainMs, exit: outcome.exit, interrupts, keys, rereader };
    const staying = stay(world, out, failFast?.calm(session) ?? session, started);
    return await (failFast === undefined ? staying : failFast.endOr(staying));
  } catch (thrown) {
    if (interrupt.signal.aborted) return interrupted(interrupt.signal);
    await FailFast.check(failFast);
    throw thrown;
  } finally {
    rereader?.[Symbol.dispose]();
    failFast?.[Symbol.dispose]();
    await session[Symbol.asyncDispose]();
    interrupts?.[Symbol.dispose](); // not before: one Ctrl-C too many would leave the lock behind
    early[Symbol.dispose]();
  }
}

/** @throws KfwdError `USAGE`. */
function refuseUnfit({ wait, waitTimeout, watch }: UpFlags, detached: boolean): void {
  if (waitTimeout !== undefined && wait !== true) {
    throw new KfwdError("USAGE", "--wait-timeout says how long --wait waits", { hint: "add --wait" });
  }
  if (!watch || !detached) return;
  const message =
    "--watch is for the foreground: a supervisor in the background reads its files again on SIGHUP";
  throw new KfwdError("USAGE", message, { hint: "kfwd up -d, and again after a change" });
}

function readFirst(
  world: World,
  out: Output,
  wanted: readonly string[],
  flags: UpFlags,
): ReturnType<typeof readWanted> {
  if (flags.reread) return readWanted(world, flags, [], out, wanted); // a supervisor's, and not its first
  return readWanted(world, flags, wanted, out);
}

/** With keys the supervisor is a process of its own, so that it can be left; until then it ends with this one. */
function mannerOf({ names, only }: Chosen, detached: boolean, withKeys: boolean, out: Output): UpManner {
  return {
    where: detached || withKeys ? "detached" : "here",
    owner: withKeys ? "starter" : "project",
    names: only ? names : null,
    onEnding: (record, drainLeftMs) => sayWaiting(out, record, drainLeftMs),
  };
}

/** `out` is told that the forwards do not end with this process. */
function interrupted(signal: AbortSignal, out?: Output): number {
  out?.note("the forwards go on in the background, `kfwd down` stops them");
  const name: Interrupt = signal.reason;
  return INTERRUPTED[name];
}

function patienceOf(flags: UpFlags, detached: boolean, waitMs: number): Patience {
  if (flags.wait) return { until: "ready", withinMs: waitMs, strict: true };
  if (detached) return { until: "words", withinMs: FIRST_WORDS_MS, strict: false };
  return { until: "ready", withinMs: SETTLE_MS, strict: false };
}
