/** Ends a project's supervisor: by asking, then by signals to a proven process, and never by a guess. */
import { KfwdError } from "../../errors.ts";
import { shellWord } from "../../shellword.ts";
import type { LockRecord } from "../wire/lockrecord.ts";
import { connectControl } from "./controlclient.ts";
import { isStopped, sameProcess, signalProcess } from "./identity.ts";
import { lockTrouble, type DeathCause, type LockDeps, type LockState } from "./inspect.ts";
import type { ProjectFiles } from "./projectfiles.ts";
import { readLock } from "./readlock.ts";
import { reap } from "./reap.ts";
import { sweepAfter } from "./sweep.ts";

/** How patient to be at each step, in milliseconds. */
interface Patience {
  /** For the answer to `stop`, beyond the time it may drain. */
  readonly answerMs: number;
  /** For the process to end after it has answered. */
  readonly endMs: number;
  /** After SIGTERM. */
  readonly termMs: number;
  /** After SIGKILL, which only a process in an uninterruptible call survives. */
  readonly killMs: number;
}

const PATIENT: Patience = { answerMs: 5_000, endMs: 5_000, termMs: 10_000, killMs: 2_000 };
const FORCED: Patience = { answerMs: 500, endMs: 500, termMs: 500, killMs: 1_000 };

/** How often a process is looked at that ends without telling us. */
const POLL_MS = 50;

/** Another reaper's work takes a millisecond: this many looks are plenty. */
const REAP_TRIES = 20;

export interface TerminateOptions {
  /** How long connections may go on before they are reset; `force` makes it 0. */
  readonly drainMs: number;
  /**
   * - `ask`: over the socket, then by SIGTERM, with seconds of patience
   * - `force`: half a second for each, then SIGKILL
   */
  readonly manner: "ask" | "force";
  /** Told of each signal that was sent because the step before did not work. */
  readonly onStep: (step: "SIGTERM" | "SIGKILL") => void;
  readonly signal: AbortSignal;
}

/**
 * How it ended.
 * - `nothing`: nobody had the project
 * - `stopped`: it ended as asked
 * - `signalled`: it had to be ended by a signal
 * - `reaped`: it had ended before, without removing its lock
 */
export type Terminated =
  | { readonly kind: "nothing" }
  | { readonly kind: "stopped" | "signalled"; readonly record: LockRecord }
  | { readonly kind: "reaped"; readonly record: LockRecord; readonly why: DeathCause };

/**
 * Ends the supervisor that {@link inspect} found, and returns when its process and its lock are gone.
 * @throws KfwdError `OWNED_ELSEWHERE`, `LOCK_DAMAGED`, `OWNER_UNPROVEN`, with nobody signalled; `UNRESPONSIVE` when it
 * lives on after all that `manner` allows; the signal's reason.
 */
export async function terminate(
  deps: LockDeps,
  files: ProjectFiles,
  found: LockState,
  options: TerminateOptions,
): Promise<Terminated> {
  const patience = options.manner === "force" ? FORCED : PATIENT;
  switch (found.kind) {
    case "none":
      return { kind: "nothing" };
    case "elsewhere":
    case "damaged":
      throw lockTrouble(found, files);
    case "dead":
      await clear(deps, files, found.record, options.signal);
      return { kind: "reaped", record: found.record, why: found.why };
    case "unresponsive":
      if (options.manner === "ask") break; // it may only have been busy
      await signalOut(deps, files, found.record, patience, options);
      return { kind: "signalled", record: found.record };
    case "alive":
  }
  const { record } = found;
  const asked = await ask(deps, record, patience, options);
  const isEnding = asked === "heard" || (asked === "absent" && found.kind === "alive");
  if (await ends(deps, files, record, isEnding ? patience.endMs : 0, options.signal)) {
    await clear(deps, files, record, options.signal);
    return { kind: "stopped", record };
  }
  await signalOut(deps, files, record, patience, options);
  return { kind: "signalled", record };
}

/**
 * Whatever comes of it, the process itself tells whether it worked.
 * - `heard`: it has got the request
 * - `silent`: it gave no answer in time
 * - `absent`: nobody, or another program, is at its socket
 */
async function ask(
  deps: LockDeps,
  record: LockRecord,
  patience: Patience,
  options: TerminateOptions,
): Promise<"heard" | "silent" | "absent"> {
  const drainMs = options.manner === "force" ? 0 : options.drainMs;
  const late = new AbortController();
  const timer = deps.clock.timer(drainMs + patience.answerMs, () => late.abort());
  const signal = AbortSignal.any([options.signal, late.signal]);
  let outcome: "heard" | "absent" = "absent";
  try {
    const client = await connectControl(deps, record, { timeoutMs: patience.answerMs, signal });
    outcome = "heard";
    try {
      await client.stop({ names: null, drainMs });
    } finally {
      await client[Symbol.asyncDispose]();
    }
  } catch (thrown) {
    options.signal.throwIfAborted();
    if (late.signal.aborted) return "silent";
    if (outcome === "absent" && KfwdError.from(thrown).code === "UNRESPONSIVE") return "silent";
  } finally {
    timer[Symbol.dispose]();
  }
  return outcome;
}

async function signalOut(
  deps: LockDeps,
  files: ProjectFiles,
  record: LockRecord,
  patience: Patience,
  options: TerminateOptions,
): Promise<void> {
  const term = { signal: "SIGTERM", waitMs: patience.termMs } as const;
  const kill = { signal: "SIGKILL", waitMs: patience.killMs } as const;
  for (const { signal, waitMs } of options.manner === "force" ? [term, kill] : [term]) {
    if (signal === "SIGTERM" && options.manner === "force" && isStopped(record.pid)) continue; // it would not arrive
    const sent = signalProcess(record, deps.here, signal);
    if (sent === "unproven") throw unproven(files, record);
    if (sent === "sent") options.onStep(signal);
    if (await ends(deps, files, record, waitMs, options.signal)) {
      await clear(deps, files, record, options.signal);
      return;
    }
  }
  const who = `the supervisor of project "${record.project}" (pid ${record.pid})`;
  throw new KfwdError("UNRESPONSIVE", `cannot end ${who}: ${whyAlive(record, options.manner)}`);
}

function whyAlive({ pid }: LockRecord, manner: TerminateOptions["manner"]): string {
  if (manner === "force") return "it does not even obey SIGKILL";
  return isStopped(pid) ? "it is suspended, so SIGTERM has to wait" : "it does not obey SIGTERM";
}

function unproven(files: ProjectFiles, record: LockRecord): KfwdError {
  return new KfwdError(
    "OWNER_UNPROVEN",
    `cannot end the supervisor of project "${record.project}": nothing proves that pid ${record.pid} is it`,
    {
      hint: `end process ${record.pid} if it is kfwd, otherwise remove the lock: rm ${shellWord(files.lock)}`,
    },
  );
}

/** Whether the process is gone within `withinMs`; where nobody can tell, whether its lock is. */
async function ends(
  deps: LockDeps,
  files: ProjectFiles,
  record: LockRecord,
  withinMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const deadlineMs = deps.clock.now() + withinMs;
  for (;;) {
    const same = sameProcess(record, deps.here);
    if (same === "gone" || same === "other") return true;
    if (same === "unknowable" && !isLocked(deps, files, record)) return true;
    if (deps.clock.now() >= deadlineMs) return false;
    await deps.clock.sleep(POLL_MS, signal);
  }
}

/** Removes what the dead owner left, unless another one has moved in. */
async function clear(
  deps: LockDeps,
  files: ProjectFiles,
  record: LockRecord,
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 1; isLocked(deps, files, record) && tries <= REAP_TRIES; tries++) {
    if (reap(deps, files, record.instance) === "busy") await deps.clock.sleep(POLL_MS, signal);
  }
  await sweepAfter(deps, files, record.socket);
}

function isLocked(deps: LockDeps, files: ProjectFiles, record: LockRecord): boolean {
  const reading = readLock(files.lock, deps.uid);
  return reading.kind === "value" && reading.value.instance === record.instance;
}
