/** Answers who keeps a project's forwards, if anyone: the socket decides first, the process table second. */
import { KfwdError } from "../../errors.ts";
import { shellWord } from "../../shellword.ts";
import type { HelloAnswer } from "../wire/control.ts";
import type { LockRecord, ProcessIdentity } from "../wire/lockrecord.ts";
import { greet, GREETING_MS, type GreetDeps } from "./greet.ts";
import { outliveProcess } from "./dying.ts";
import { locate, sameProcess } from "./identity.ts";
import type { ProjectFiles } from "./projectfiles.ts";
import { readLock } from "./readlock.ts";

/** What dealing with locks needs. */
export interface LockDeps extends GreetDeps {
  /** Effective user id; undefined on Windows. */
  readonly uid: number | undefined;
  /** This process. */
  readonly here: ProcessIdentity;
}

/** How a dead owner ended: it crashed or was killed, the machine was restarted, its container was. */
export type DeathCause = "crashed" | "rebooted" | "container";

/**
 * What a project's lock means.
 * - `none`: nobody has it
 * - `alive`: its owner answers and knows the nonce
 * - `unresponsive`: its owner does not answer; `owner` tells whether its process is proven to run still
 * - `dead`: its owner has ended without removing it
 * - `elsewhere`: its owner is out of reach, on another machine or in a container; `why` is to follow "it"
 * - `damaged`: it cannot be read; `why` is to follow "it"
 */
export type LockState =
  | { readonly kind: "none" }
  | { readonly kind: "alive"; readonly record: LockRecord; readonly hello: HelloAnswer }
  | { readonly kind: "unresponsive"; readonly record: LockRecord; readonly owner: "alive" | "unproven" }
  | { readonly kind: "dead"; readonly record: LockRecord; readonly why: DeathCause }
  | { readonly kind: "elsewhere"; readonly record: LockRecord; readonly why: string }
  | { readonly kind: "damaged"; readonly why: string };

/** An owner that changes while we look is looked at again, but not for ever. */
const LOOKS_MAX = 4;

/**
 * Never signals anyone and changes nothing; takes at most a second for each look.
 * @throws the signal's reason; KfwdError `TOO_MANY_FILES`.
 */
export async function inspect(deps: LockDeps, files: ProjectFiles, signal: AbortSignal): Promise<LockState> {
  for (let look = 1; ; look++) {
    signal.throwIfAborted();
    const reading = readLock(files.lock, deps.uid);
    if (reading.kind === "none") return { kind: "none" };
    if (reading.kind === "unseen") {
      throw new KfwdError("TOO_MANY_FILES", `cannot read lock "${files.lock}": too many open files`);
    }
    if (reading.kind === "bad") return { kind: "damaged", why: reading.why };
    const state = await judge(deps, reading.value, signal);
    if (state.kind === "alive" || look === LOOKS_MAX) return state;
    const again = readLock(files.lock, deps.uid);
    if (again.kind === "value" && again.value.instance === reading.value.instance) return state;
  }
}

async function judge(deps: LockDeps, record: LockRecord, signal: AbortSignal): Promise<LockState> {
  const location = locate(record, deps.here);
  if (location === "rebooted") return { kind: "dead", record, why: "rebooted" };
  if (location === "elsewhere") return { kind: "elsewhere", record, why: `runs on host "${record.host}"` };

  const greeting = await greet(deps, record, GREETING_MS, signal);
  if (greeting.kind === "open") {
    greeting.channel[Symbol.dispose]();
    return { kind: "alive", record, hello: greeting.hello };
  }
  // A supervisor listens from before it has the lock until after it has left it, so a refusal proves its end.
  const refused = greeting.kind === "refused";
  if (location === "container")
    return refused
      ? { kind: "dead", record, why: "container" }
      : { kind: "elsewhere", record, why: "runs in another container" };
  const isLeft = refused || greeting.kind === "brokenOff";
  switch (isLeft ? await outliveProcess(deps, record, signal) : sameProcess(record, deps.here)) {
    case "gone":
    case "other":
      return { kind: "dead", record, why: "crashed" };
    case "alive":
      return { kind: "unresponsive", record, owner: "alive" };
    case "unknowable":
      return refused
        ? { kind: "dead", record, why: "crashed" }
        : { kind: "unresponsive", record, owner: "unproven" };
  }
}

/** The error for a lock that stands in the way of what a command wants. */
export function lockTrouble(
  state: Extract<LockState, { readonly kind: "unresponsive" | "elsewhere" | "damaged" }>,
  files: ProjectFiles,
): KfwdError {
  switch (state.kind) {
    case "unresponsive": {
      const { project, pid } = state.record;
      return new KfwdError(
        "UNRESPONSIVE",
        `the supervisor of project "${project}" (pid ${pid}) does not answer`,
      );
    }
    case "elsewhere": {
      const { project, pid } = state.record;
      return new KfwdError(
        "OWNED_ELSEWHERE",
        `cannot reach the supervisor of project "${project}": it ${state.why}, as pid ${pid}`,
        { hint: `run kfwd there, or remove "${files.lock}" if it has ended` },
      );
    }
    case "damaged":
      return new KfwdError("LOCK_DAMAGED", `cannot use lock "${files.lock}": it ${state.why}`, {
        hint: `if no kfwd of this project runs, remove it: rm -r ${shellWord(files.lock)}`,
      });
  }
}
