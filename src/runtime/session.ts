/** Gets hold of a project's supervisor, the one that runs or a new one, and makes its forwards what the file says. */
import { delimiter, resolve } from "node:path";
import { KfwdError } from "../errors.ts";
import { connectControl, type ControlClient } from "./daemon/controlclient.ts";
import { within } from "./daemon/deadline.ts";
import { supervisorDied, type Death } from "./daemon/death.ts";
import { spawnDetached } from "./daemon/detach.ts";
import { inspect, lockTrouble, type LockDeps, type LockState } from "./daemon/inspect.ts";
import { logPath, type ProjectFiles } from "./daemon/projectfiles.ts";
import type { PlaceFacts } from "./daemon/place.ts";
import type { ApplyRequest, ApplyResult, SupervisorControl } from "./deps.ts";
import { untilGone, whyGone, type SessionEnd } from "./sessionend.ts";
import type { Supervised, SuperviseRequest, SupervisorProgram } from "./supervised.ts";
import type { LockRecord } from "./wire/lockrecord.ts";

export type { SessionEnd } from "./sessionend.ts";

/** A supervisor that answers its socket answers a greeting in this time. */
const CONNECT_MS = 2_000;

/** A new process has to load, take the lock and listen. */
const START_MS = 20_000;

/** What is left to do for a supervisor whose connections are over takes milliseconds. */
const END_MS = 5_000;

/** One that we have started and that keeps nothing ends, unless others have joined it meanwhile. */
const IDLE_END_MS = 1_000;

/** Supervisors that start and end while we look are looked for again, but not for ever. */
const TRIES_MAX = 10;

/** Between losing one and looking again. */
const PAUSE_MS = 50;

/** One that does not answer may be busy, or start on a busy machine: it is asked again for so long. */
const ANSWER_MS = 5_000;

/** What starting and finding supervisors needs. */
export interface SessionDeps {
  readonly cwd: string;
  readonly facts: PlaceFacts;
  readonly lockDeps: LockDeps;
  /** Absolute path of what Node is to run as a detached supervisor. */
  readonly supervisorScript: string;
  readonly loadSupervisor: () => Promise<SupervisorProgram>;
}

/** What is wanted of a session. */
export interface Wish {
  /** Where a supervisor is to run that has to be started. */
  readonly where: "here" | "detached";
  readonly apply: ApplyRequest;
  /**
   * - `project`: the forwards are kept until somebody stops them
   * - `client`: they are claimed until the session is disposed, or this process ends
   * - `starter`: claimed if the supervisor is started by this call, which sits at a terminal, else kept
   */
  readonly owner: "project" | "client" | "starter";
  /** Told of a supervisor that is being stopped, when it is waited for. */
  readonly onEnding: (record: LockRecord, drainLeftMs: number) => void;
  readonly signal: AbortSignal;
}

/**
 * - `here`: runs in this process and ends with it
 * - `started`: was started by this call and lives on
 * - `claimed`: was started by this call and ends with it, unless somebody else wants something of it
 * - `joined`: ran already
 */
export type SessionKind = "here" | "started" | "claimed" | "joined";

/** A supervisor that can be driven. Disposing lets go of it; one that runs here ends. */
interface Hold extends AsyncDisposable {
  readonly kind: SessionKind;
  readonly control: SupervisorControl;
  /** Resolves when the supervisor has ended or cannot be heard any more. */
  readonly ended: Promise<SessionEnd>;
  /** Whether the session by itself keeps this process alive; at first it does, and one that is `here` always. */
  hold(process: "keepsAlive" | "idle"): void;
}

/** A hold on a supervisor that keeps what was wished for. */
export interface Session extends Hold {
  readonly changes: ApplyResult["changes"];
  /** The dead supervisor whose lock was in the way. */
  readonly replaced: Death | undefined;
}

/**
 * Never joins a supervisor that is being stopped: waits for its end, and looks again. Neither does one count that
 * begins to end before it has taken the file.
 * @throws KfwdError when somebody holds the project who cannot be reached, does not end, or dies under us; what the
 * supervisor says of the file; the signal's reason.
 */
export async function openSession(
  deps: SessionDeps,
  files: ProjectFiles,
  request: SuperviseRequest,
  wish: Wish,
): Promise<Session> {
  let replaced: Death | undefined;
  let startedPid: number | undefined;
  let lost: LockRecord | undefined;
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    const state = await look(deps.lockDeps, files, wish.signal);
    switch (state.kind) {
      case "alive": {
        const { record, hello } = state;
        if (hello.drainLeftMs !== undefined) {
          await outlast(deps, record, hello.drainLeftMs, wish);
          continue;
        }
        const kind = kindOf(record.pid === startedPid, wish);
        const session = await trySession(deps, () => join(deps, files, record, kind, wish.signal), wish);
        if (session) return { ...session, replaced };
        lost = record;
        continue;
      }
      case "unresponsive":
      case "elsewhere":
      case "damaged":
        throw lockTrouble(state, files);
      case "dead":
        if (state.record.instance === lost?.instance) throw supervisorDied(state);
        replaced = state;
        break;
      case "none":
    }
    if (wish.where === "detached") {
      const report = await detach(deps, request, wish);
      if (report.type === "owned") startedPid = report.pid;
      continue;
    }
    const program = await deps.loadSupervisor();
    const outcome = await program.supervise(request, "foreground", wish.signal);
    if (outcome.kind === "held") continue;
    const session = await trySession(deps, async () => holdHere(outcome.supervised), wish);
    if (session) return { ...session, replaced };
  }
  throw new KfwdError(
    "LOCK_TAKEN",
    `cannot get hold of project "${request.project}": its supervisors keep ending`,
  );
}

function kindOf(isOurs: boolean, { owner }: Wish): SessionKind {
  if (!isOurs) return "joined";
  return owner === "starter" ? "claimed" : "started";
}

/** Follows the supervisor that runs, and changes nothing. @throws as {@link connectControl}. */
export async function attachSession(
  deps: SessionDeps,
  files: ProjectFiles,
  record: LockRecord,
  signal: AbortSignal,
): Promise<Session> {
  return { ...(await join(deps, files, record, "joined", signal)), changes: [], replaced: undefined };
}

async function look(lockDeps: LockDeps, files: ProjectFiles, signal: AbortSignal): Promise<LockState> {
  const untilMs = lockDeps.clock.now() + ANSWER_MS;
  for (;;) {
    const state = await inspect(lockDeps, files, signal);
    if (state.kind !== "unresponsive" || lockDeps.clock.now() >= untilMs) return state;
    await lockDeps.clock.sleep(PAUSE_MS, signal);
  }
}

/** Undefined when the supervisor ended before it had taken the file. */
async function trySession(
  { lockDeps: { clock } }: SessionDeps,
  take: () => Promise<Hold>,
  { apply, owner, signal }: Wish,
): Promise<Omit<Session, "replaced"> | undefined> {
  let hold: Hold | undefined;
  try {
    hold = await take();
    const claims = owner === "client" || hold.kind === "claimed";
    const { changes } = await hold.control.apply({ ...apply, owner: claims ? "client" : "project" });
    return { ...hold, changes };
  } catch (thrown) {
    const { code } = KfwdError.from(thrown);
    const isGone = !signal.aborted && (code === "NOT_RUNNING" || code === "UNRESPONSIVE");
    // Without a forward it ends by itself: once we say so, nothing of it is left.
    if (!isGone && !signal.aborted && (hold?.kind === "started" || hold?.kind === "claimed"))
      await within(clock, IDLE_END_MS, hold.ended, () => new Error("late")).catch(() => {});
    await hold?.[Symbol.asyncDispose]();
    if (!isGone) throw thrown;
    await clock.sleep(PAUSE_MS, signal);
    return undefined;
  }
}

function holdHere(supervised: Supervised): Hold {
  return {
    kind: "here",
    control: supervised.control,
    hold: () => {},
    ended: supervised.ended.then((why) =>
      why === "stopped"
        ? { kind: "stopped" }
        : { kind: "lost", error: new KfwdError("LOCK_TAKEN", `the forwards have ended: ${why}`) },
    ),
    [Symbol.asyncDispose]: () => Promise.resolve(supervised[Symbol.asyncDispose]()),
  };
}

async function join(
  deps: SessionDeps,
  files: ProjectFiles,
  record: LockRecord,
  kind: SessionKind,
  signal: AbortSignal,
): Promise<Hold> {
  const client = await connect(deps, record, signal);
  const released = new AbortController();
  const { lockDeps } = deps;
  const gone = untilGone(lockDeps, record, client.closed, released.signal).then(() =>
    whyGone(lockDeps, files, record, released.signal),
  );
  return {
    kind,
    control: client,
    hold: (process) => client.hold(process),
    ended: gone.catch(() => new Promise<never>(() => {})), // we have let go of it ourselves
    [Symbol.asyncDispose]: () => {
      released.abort();
      return client[Symbol.asyncDispose]();
    },
  };
}

/** Waits until a supervisor that is being stopped has gone, or must be looked at again. */
async function outlast(
  deps: SessionDeps,
  record: LockRecord,
  drainLeftMs: number,
  { onEnding, signal }: Wish,
): Promise<void> {
  let client: ControlClient;
  try {
    client = await connect(deps, record, signal);
  } catch {
    signal.throwIfAborted();
    return;
  }
  onEnding(record, drainLeftMs);
  const who = `the supervisor of project "${record.project}" (pid ${record.pid})`;
  const late = (): KfwdError => new KfwdError("UNRESPONSIVE", `${who} is being stopped, but does not end`);
  try {
    const gone = untilGone(deps.lockDeps, record, client.closed, signal);
    await within(deps.lockDeps.clock, drainLeftMs + END_MS, gone, late);
  } finally {
    await client[Symbol.asyncDispose]();
  }
  signal.throwIfAborted();
}

function connect(deps: SessionDeps, record: LockRecord, signal: AbortSignal): Promise<ControlClient> {
  return connectControl(deps.lockDeps, record, { timeoutMs: CONNECT_MS, signal });
}

function detach(
  deps: SessionDeps,
  request: SuperviseRequest,
  { owner, signal }: Wish,
): ReturnType<typeof spawnDetached> {
  const terminal = owner === "starter";
  return spawnDetached(
    deps.lockDeps.clock,
    {
      script: deps.supervisorScript,
      args: [JSON.stringify({ ...request, terminal })],
      terminal,
      env: { ...deps.facts.env, KUBECONFIG: absolutePaths(deps.facts.env["KUBECONFIG"], deps.cwd) },
      logFile: logPath(deps.facts, request.id),
      timeoutMs: START_MS,
    },
    signal,
  );
}

/** The supervisor runs in another folder, so a relative path of the list would mean something else there. */
function absolutePaths(list: string | undefined, cwd: string): string | undefined {
  const paths = list?.split(delimiter).filter((path) => path !== "");
  return paths?.map((path) => resolve(cwd, path)).join(delimiter);
}
