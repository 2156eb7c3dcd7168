/** From options to forwards that are ready, or to an error and nothing that is left running. */
import { parseDuration, TIMER_MAX_MS } from "../duration.ts";
import { KfwdError, recordCode } from "../errors.ts";
import {
  Board,
  readinessOf,
  type Clock,
  type ForwardStatus,
  type Runtime,
  type Session,
} from "../runtime/index.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import type { Forwards, UpOptions } from "./api.ts";
import { Kept } from "./kept.ts";
import { readPlan, type Reading, type Variables } from "./read.ts";
import { endIdle, refuseToMove } from "./running.ts";
import { told } from "./told.ts";
import { together } from "./together.ts";

const WAIT = "60s";

/** What bringing up needs of the process that it runs in. */
export interface LibraryWorld {
  readonly clock: Clock;
  readonly variables: Variables;
  readonly runtime: Runtime;
}

/** @throws as {@link up} of the API. */
export async function bringUp<Name extends string>(
  world: LibraryWorld,
  options: UpOptions<Name>,
): Promise<Forwards<Name>> {
  const { signal = new AbortController().signal } = options;
  signal.throwIfAborted();
  try {
    return await start(world, options, signal);
  } catch (thrown) {
    signal.throwIfAborted();
    throw told(thrown);
  }
}

async function start<Name extends string>(
  { clock, variables, runtime }: LibraryWorld,
  options: UpOptions<Name>,
  signal: AbortSignal,
): Promise<Forwards<Name>> {
  const waitMs = waitOf(options.waitTimeout ?? WAIT);
  const reading = await readPlan(runtime, options, variables);
  await refuseToMove(runtime, clock, reading, options);
  const late = new AbortController();
  const tooLate = `no supervisor took the file within ${waitMs / 1_000} s`;
  const timer = clock.timer(waitMs, () => late.abort(new KfwdError("NOT_READY_IN_TIME", tooLate)));
  const { plan, chosen, warnings } = reading;
  let kept: Kept | undefined;
  try {
    const session = await open(runtime, reading, AbortSignal.any([signal, late.signal]));
    kept = new Kept(clock, { session, specs: chosen, project: plan.project });
    await ready(session, kept, waitMs, AbortSignal.any([signal, late.signal, kept.closed]));
    signal.throwIfAborted();
  } catch (thrown) {
    if (kept) await kept.close();
    else await endIdle(runtime, clock, plan);
    throw thrown;
  } finally {
    timer[Symbol.dispose]();
  }
  endWith(kept, signal);
  kept.settle();
  return together(kept, warnings);
}

function endWith(kept: Kept, signal: AbortSignal): void {
  const onAbort = (): void => void kept.close();
  signal.addEventListener("abort", onAbort, { once: true });
  kept.closed.addEventListener("abort", () => signal.removeEventListener("abort", onAbort), { once: true });
}

/** The signal ends the start alone here: what has come up is to be let go of in order. */
async function open(runtime: Runtime, { plan, chosen }: Reading, signal: AbortSignal): Promise<Session> {
  const start = new AbortController();
  const onAbort = (): void => start.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const names = chosen.map(({ name }) => name);
  try {
    signal.throwIfAborted();
    return await runtime.open(
      plan,
      { where: "detached", owner: "client", names, onEnding: () => {} },
      start.signal,
    );
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Resolves when all that are required are ready. @throws KfwdError; what is thrown after `over` may be anything. */
async function ready(session: Session, kept: Kept, waitMs: number, over: AbortSignal): Promise<void> {
  const board = new Board();
  const following = session.control.follow((event) => {
    kept.take(event);
    board.take(event);
  });
  const isOver = new Promise<"over">((resolve) => {
    over.addEventListener("abort", () => resolve("over"), { once: true });
    if (over.aborted) resolve("over");
  });
  following.catch(() => {}); // it may be over before
  if ((await Promise.race([following, isOver])) === "over" && board.all.length === 0) throw over.reason;
  const names = kept.specs.map(({ name }) => name);
  await board.until(() => isDecided(board, names), over);
  if (board.ended !== undefined) await Promise.race([session.ended, isOver]);
  if (kept.closed.aborted) throw kept.closed.reason;
  judge(board.of(names), kept.specs, waitMs);
}

function isDecided(board: Board, names: readonly string[]): boolean {
  const forwards = board.of(names);
  if (forwards.length < names.length) return true; // one was stopped from elsewhere
  return board.haveSpoken(names) && readinessOf(forwards).verdict !== "pending";
}

/** @throws KfwdError unless all that are required are ready. */
function judge(forwards: readonly ForwardStatus[], specs: readonly ForwardSpec[], waitMs: number): void {
  const running = forwards.filter(({ state }) => state !== "stopped").map(({ name }) => name);
  const gone = specs.filter(({ name }) => !running.includes(name));
  if (gone.length > 0) {
    const names = gone.map(({ name }) => name).join(", ");
    throw new KfwdError("FORWARD_FAILED", `stopped from elsewhere while it started: ${names}`);
  }
  const { verdict, late, total } = readinessOf(forwards);
  const [first] = late;
  if (first === undefined) return;
  const detail = late.map(({ name, state, reason }) => `  ${name}: ${reason?.message ?? state}`).join("\n");
  if (verdict === "stuck") throw failureOf(first, late.length > 1 ? detail : undefined);
  const names = late.map(({ name, state, reason }) => `${name} (${reason?.code ?? state})`).join(", ");
  const message = `${late.length} of ${total} not ready after ${waitMs / 1_000} s: ${names}`;
  throw new KfwdError("NOT_READY_IN_TIME", message, { detail, hint: hintOf(first) });
}

function failureOf(status: ForwardStatus, detail: string | undefined): KfwdError {
  const { name, state, reason } = status;
  const message = `forward "${name}" is not ready: ${reason?.message ?? state}`;
  return new KfwdError(codeOf(reason?.code), message, { detail, hint: hintOf(status) });
}

function hintOf({ reason }: ForwardStatus): string {
  return reason?.hint ?? "kfwd logs";
}

/** `PORT_BUSY` for PortBusy; not every reason is an error of the table. */
function codeOf(reason = ""): KfwdError["code"] {
  const known = KfwdError.fromRecord({ code: recordCode(reason), message: "" }).code;
  return known === "INTERNAL" ? "FORWARD_FAILED" : known;
}

/** @throws KfwdError `USAGE`. */
function waitOf(wait: number | string): number {
  if (typeof wait === "string") return parseDuration(wait, "waitTimeout");
  if (wait >= 0 && wait <= TIMER_MAX_MS) return wait;
  const message = `waitTimeout must be milliseconds from 0 to ${TIMER_MAX_MS}, got ${wait}`;
  throw new KfwdError("USAGE", message, { hint: 'waitTimeout: "60s"' });
}
