/** `kfwd up`: makes the forwards what the file says, and in the foreground keeps them until a signal. */
import { KfwdError } from "../errors.ts";
import type { Session, UpManner } from "../runtime/index.ts";
import { parseDuration } from "./duration.ts";
import { Output } from "./output.ts";
import { chooseNames, readPlan, type Chosen } from "./plan.ts";
import { durationText } from "./render/forward.ts";
import { refuseMetadata } from "./metadata.ts";
import { Start, type Patience } from "./start.ts";
import { Interrupts, leave, stay } from "./stay.ts";
import { withTtl } from "./ttl.ts";
import { INTERRUPTED, type ClusterFlags, type Interrupt, type World } from "./world.ts";

export interface UpFlags extends ClusterFlags {
  readonly detach?: boolean;
  readonly wait?: boolean;
  readonly waitTimeout?: string;
  readonly timeout?: string;
  readonly ttl?: string;
  readonly allowMetadata?: readonly string[];
}

/** `up -d` does not wait for pods, only for a first word on each forward. */
const FIRST_WORDS_MS = 3_000;

/** In the foreground, `kfwd: degraded` is said when not all is ready after this long. */
const SETTLE_MS = 10_000;

const WAIT_TIMEOUT = "60s";

export async function up(world: World, wanted: readonly string[], flags: UpFlags): Promise<number> {
  const out = new Output(world, flags);
  if (flags.waitTimeout !== undefined && flags.wait !== true) {
    throw new KfwdError("USAGE", "--wait-timeout says how long --wait waits", { hint: "add --wait" });
  }
  const detached = flags.detach === true || flags.wait === true;
  const waitMs = parseDuration(flags.waitTimeout ?? WAIT_TIMEOUT, "--wait-timeout");
  const drainMs = parseDuration(flags.timeout ?? "5s", "--timeout");
  const plan = await readPlan(world, flags, wanted, out, "start");
  if (plan === undefined) return 2;
  const known = plan.forwards.map(({ name }) => name);
  const chosen: Chosen = { names: chooseNames(wanted, known), only: wanted.length > 0 };
  refuseMetadata(
    plan.forwards.filter(({ name }) => chosen.names.includes(name)),
    flags.allowMetadata ?? [],
  );

  const interrupt = new AbortController();
  const early = world.onInterrupt((signal) => interrupt.abort(signal));
  let session: Session;
  try {
    session = await world.runtime.open(
      withTtl(plan, chosen.names, flags.ttl),
      mannerOf(chosen, detached, out),
      interrupt.signal,
    );
  } catch (thrown) {
    early[Symbol.dispose]();
    if (interrupt.signal.aborted) return interrupted(interrupt.signal);
    throw thrown;
  }
  let interrupts: Interrupts | undefined;
  try {
    const start = new Start(world, out, session, chosen);
    const outcome = await start.run(patienceOf(flags, detached, waitMs), interrupt.signal);
    if (interrupt.signal.aborted) return interrupted(interrupt.signal);
    if (outcome.kind === "ended") {
      if (detached && outcome.end.kind === "stopped") throw stoppedEarly(plan.project);
      return leave(start.reporter, outcome.end, 0);
    }
    if (detached || start.isHopeless) return outcome.exit;
    interrupts = new Interrupts(world);
    early[Symbol.dispose](); // only now: a signal on its way to a listener is lost when no other is there
    const { board, reporter } = start;
    return await stay(out, session, { board, reporter, chosen, drainMs, exit: outcome.exit, interrupts });
  } catch (thrown) {
    if (interrupt.signal.aborted) return interrupted(interrupt.signal);
    throw thrown;
  } finally {
    await session[Symbol.asyncDispose]();
    interrupts?.[Symbol.dispose](); // not before: one Ctrl-C too many would leave the lock behind
    early[Symbol.dispose]();
  }
}

function mannerOf({ names, only }: Chosen, detached: boolean, out: Output): UpManner {
  return {
    where: detached ? "detached" : "here",
    names: only ? names : null,
    onEnding: ({ pid }, drainLeftMs) => {
      const left = durationText(drainLeftMs);
      out.note(
        `waiting for the supervisor that is being stopped (pid ${pid}): its connections may go on for ${left}`,
      );
    },
  };
}

function stoppedEarly(project: string): KfwdError {
  return new KfwdError("NOT_RUNNING", `project "${project}" was stopped from elsewhere while it started`);
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
