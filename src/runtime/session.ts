/** Gets hold of a project's supervisor: the one that runs, or a new one, here or as a process of its own. */
import { delimiter, resolve } from "node:path";
import { KfwdError } from "../errors.ts";
import { connectControl } from "./daemon/controlclient.ts";
import { spawnDetached } from "./daemon/detach.ts";
import { inspect, lockTrouble, type DeathCause, type LockDeps } from "./daemon/inspect.ts";
import { logPath, type ProjectFiles } from "./daemon/projectfiles.ts";
import type { PlaceFacts } from "./daemon/place.ts";
import type { SupervisorControl } from "./deps.ts";
import type { SuperviseRequest, SupervisorProgram } from "./supervised.ts";
import type { LockRecord } from "./wire/lockrecord.ts";

/** A supervisor that answers its socket answers a greeting in this time. */
const CONNECT_MS = 2_000;

/** A new process has to load, take the lock and listen. */
const START_MS = 20_000;

/** Supervisors that start and end while we look are looked for again, but not for ever. */
const TRIES_MAX = 10;

/** What starting and finding supervisors needs. */
export interface SessionDeps {
  readonly cwd: string;
  readonly facts: PlaceFacts;
  readonly lockDeps: LockDeps;
  /** Absolute path of what Node is to run as a detached supervisor. */
  readonly supervisorScript: string;
  readonly loadSupervisor: () => Promise<SupervisorProgram>;
}

/**
 * - `here`: runs in this process and ends with it
 * - `started`: was started by this call and lives on
 * - `joined`: ran already
 */
export type SessionKind = "here" | "started" | "joined";

/** A hold on a supervisor. Disposing lets go of it; one that runs here ends. */
export interface Session extends AsyncDisposable {
  readonly kind: SessionKind;
  readonly control: SupervisorControl;
  /** Resolves with the reason when the supervisor has ended or cannot be heard any more. */
  readonly ended: Promise<string>;
  /** The dead supervisor whose lock was in the way. */
  readonly replaced: { readonly record: LockRecord; readonly why: DeathCause } | undefined;
}

/** @throws KfwdError when somebody holds the project who cannot be reached; the signal's reason. */
export async function openSession(
  deps: SessionDeps,
  files: ProjectFiles,
  request: SuperviseRequest,
  where: "here" | "detached",
  signal: AbortSignal,
): Promise<Session> {
  let kind: SessionKind = "joined";
  let replaced: Session["replaced"];
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    const state = await inspect(deps.lockDeps, files, signal);
    switch (state.kind) {
      case "alive":
        return joined(deps, state.record, kind, replaced, signal);
      case "unresponsive":
      case "elsewhere":
      case "damaged":
        throw lockTrouble(state, files);
      case "dead":
        replaced = { record: state.record, why: state.why };
        break;
      case "none":
    }
    if (where === "here") {
      const program = await deps.loadSupervisor();
      const outcome = await program.supervise(request, "foreground", signal);
      if (outcome.kind === "running") return { kind: "here", replaced, ...bind(outcome.supervised) };
    } else {
      const report = await detach(deps, request, signal);
      if (report.type === "owned") kind = "started";
    }
  }
  throw new KfwdError(
    "LOCK_TAKEN",
    `cannot get hold of project "${request.project}": its supervisors keep ending`,
  );
}

function bind(supervised: Omit<Session, "kind" | "replaced">): Omit<Session, "kind" | "replaced"> {
  return {
    control: supervised.control,
    ended: supervised.ended,
    [Symbol.asyncDispose]: () => Promise.resolve(supervised[Symbol.asyncDispose]()),
  };
}

async function joined(
  deps: SessionDeps,
  record: LockRecord,
  kind: SessionKind,
  replaced: Session["replaced"],
  signal: AbortSignal,
): Promise<Session> {
  const client = await connectControl(deps.lockDeps, record, { timeoutMs: CONNECT_MS, signal });
  const ended = new Promise<string>((resolve) => {
    const onClosed = (): void => resolve(KfwdError.from(client.closed.reason).message);
    if (client.closed.aborted) onClosed();
    else client.closed.addEventListener("abort", onClosed, { once: true });
  });
  return {
    kind,
    replaced,
    control: client,
    ended,
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}

function detach(
  deps: SessionDeps,
  request: SuperviseRequest,
  signal: AbortSignal,
): ReturnType<typeof spawnDetached> {
  return spawnDetached(
    deps.lockDeps.clock,
    {
      script: deps.supervisorScript,
      args: [JSON.stringify(request)],
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
