/**
 * The facade: all that commands know of the runtime. It loads neither Kubernetes nor sockets of forwards; the
 * supervisor's program is loaded through `loadSupervisor` when one has to run in this process.
 */
import type { ForwardSpec } from "../schema/spec.ts";
import { resolve } from "node:path";
import { hashOfFile, type ConfigText } from "./files/configfile.ts";
import { ownIdentity } from "./daemon/identity.ts";
import { connectControl, type ControlClient } from "./daemon/controlclient.ts";
import type { Finding } from "./checkup.ts";
import { lockTrouble, type LockDeps, type LockState } from "./daemon/inspect.ts";
import { findRuntimeFolder, type PlaceFacts } from "./daemon/place.ts";
import { logPath } from "./daemon/projectfiles.ts";
import { LogReader } from "./daemon/readlog.ts";
import { terminate, type Terminated, type TerminateOptions } from "./daemon/terminate.ts";
import type { StatusReport } from "./core/status.ts";
import type { ApplyRequest, Clock } from "./deps.ts";
import {
  allow,
  isAllowed,
  protectedContext,
  trustQuestion,
  type GoodConfig,
  type TrustQuestion,
} from "./files/guard.ts";
import { contextsIn, type NamedContext } from "./files/kubecontexts.ts";
import { kubeconfigPaths } from "./files/kubefacts.ts";
import { checkFolders, checkKubeconfigFiles } from "./files/localcheck.ts";
import { protectedError } from "./files/protect.ts";
import { untrustedError, type HintOf } from "./files/refusals.ts";
import { loadProject, type LoadedConfig, type LoadRequest } from "./files/projectload.ts";
import {
  findProject,
  knownProjects,
  lookAt,
  projectOfFile,
  stdinPath,
  type Project,
  type ProjectChoice,
  type Surroundings,
} from "./projects.ts";
import { listAll, type Listed } from "./listing.ts";
import { FileWatch } from "./files/filewatch.ts";
import { findLeftovers, removeLock, type DeadLock, type Leftovers } from "./leftovers.ts";
import { preview, type Preview } from "./preview.ts";
import { attachSession, openSession, type Session, type SessionDeps, type Wish } from "./session.ts";
import { untilGone, whyGone, whyUnreached, type SessionEnd } from "./sessionend.ts";
import type { RelayPlace, SupervisorProgram } from "./supervised.ts";
import type { SurveyProgram, Surveyor } from "./surveyor.ts";
import type { LockedRelay, LockRecord } from "./wire/lockrecord.ts";

export { foldersAbove } from "./files/configfile.ts";
export type { Listed } from "./listing.ts";
export { Board } from "./board.ts";
export { targetText } from "./core/describe.ts";
export { NO_NAMES, troubleFinding, type Finding, type FindingState, type PrivateNames } from "./checkup.ts";
export { RELAY_IMAGE } from "./core/rights.ts";
export { rolesFor, type NeededRole, type RoleRule } from "./core/roles.ts";
export { readinessOf, type Readiness } from "./core/readiness.ts";
export { STAGES } from "./core/status.ts";
export type { ControlClient } from "./daemon/controlclient.ts";
export type { ForwardStatus, Note, Owner, Reason, StatusReport, SupervisorEvent } from "./core/status.ts";
export { deathText, supervisorDied } from "./daemon/death.ts";
export type { Clock } from "./deps.ts";
export type { FileWatch } from "./files/filewatch.ts";
export type { LockState } from "./daemon/inspect.ts";
export type { LogReader } from "./daemon/readlog.ts";
export type { DeadLock, Leftovers } from "./leftovers.ts";
export type { LeftRelay, RelayPlace } from "./supervised.ts";
export type { LockRecord } from "./wire/lockrecord.ts";
export { inEnvironment } from "./projects.ts";
export type { GoodConfig, TrustQuestion } from "./files/guard.ts";
export { protectingGlob } from "./files/protect.ts";
export { demandLines, refuseBadNamespace, refuseMetadata, refuseUnknownProfiles } from "./files/refusals.ts";
export type { LoadedConfig, LoadRequest } from "./files/projectload.ts";
export { LOG_LEVELS, decodeLogLine, type LogLevel, type LogLine } from "./wire/logline.ts";
export { mendText, refuseUnwritable, replaceFile } from "./files/mendfile.ts";
export type { Preview } from "./preview.ts";
export type { Project, ProjectChoice } from "./projects.ts";
export type { Session, SessionEnd } from "./session.ts";
export type { Attended, AttendHow, Examined, SeenService, Surveyor } from "./surveyor.ts";

/** How long a supervisor may take to answer a greeting. */
const CONNECT_MS = 2_000;

/** What the facade needs of the world; a composition root fills it in. */
export interface RuntimeWorld {
  readonly clock: Clock;
  readonly facts: PlaceFacts;
  readonly cwd: string;
  readonly version: string;
  readonly readStdin: () => Promise<string>;
  /** Absolute path of what Node is to run as a detached supervisor. */
  readonly supervisorScript: string;
  readonly loadSupervisor: () => Promise<SupervisorProgram>;
  readonly loadSurvey: () => Promise<SurveyProgram>;
}

/** Everything `up` needs to make a file true. */
export interface UpPlan {
  readonly config: ConfigText;
  readonly read: LoadedConfig["read"];
  readonly forwards: readonly ForwardSpec[];
  readonly ownName: LoadedConfig["ownName"];
  /** `-p` or KFWD_PROJECT. */
  readonly explicitName: string | undefined;
  /** The item of `environments` in force. */
  readonly environment: string | undefined;
  /** What messages call it. */
  readonly project: string;
  /** `--allow-context`. */
  readonly allowContexts: readonly string[];
  /** How the files can be read again; absent where they cannot, or nobody is to. */
  readonly again?: ApplyRequest["again"];
}

/** How `up` is to go about it. */
export interface UpManner {
  readonly where: Wish["where"];
  /** The forwards to touch; null: all, and those that left the file are stopped. */
  readonly names: readonly string[] | null;
  /** Absent: `project`. */
  readonly owner?: Wish["owner"];
  /** What becomes of forwards that run; absent: those that mean something else now are replaced. */
  readonly recreate?: ApplyRequest["recreate"];
  readonly orphans?: ApplyRequest["orphans"];
  readonly occasion?: ApplyRequest["occasion"];
  readonly onEnding: Wish["onEnding"];
}

/** What an `up` touches, and how. */
export type Touch = Pick<UpManner, "names" | "recreate" | "orphans" | "occasion">;

/** Removes what supervisors that died have left. */
export interface Janitor extends AsyncDisposable {
  /** @see findLeftovers */
  find(places: readonly RelayPlace[], signal: AbortSignal): Promise<Leftovers>;
  /** Whether it was there. @throws KfwdError, or the signal's reason. */
  removeRelay(relay: LockedRelay, signal: AbortSignal): Promise<boolean>;
  removeLock(lock: DeadLock, signal: AbortSignal): Promise<void>;
}

/** One per command. Holds nothing open. */
export class Runtime {
  readonly #world: RuntimeWorld;

  constructor(world: RuntimeWorld) {
    this.#world = world;
  }

  /** Reads and checks the files. @throws as {@link loadProject}. */
  load(request: LoadRequest): Promise<LoadedConfig> {
    const { cwd, version, readStdin, facts } = this.#world;
    const { home, env, platform } = facts;
    return loadProject({ cwd, version, readStdin, home, env, platform }, request);
  }

  /** @throws KfwdError `PROTECTED_CONTEXT` for the first in which one of the forwards would be started. */
  refuseProtected(
    config: GoodConfig,
    names: readonly string[],
    allowed: readonly string[],
    hintOf: HintOf,
  ): void {
    const found = protectedContext(config, names, allowed, this.#world.facts);
    if (found !== undefined) throw protectedError(found, hintOf(found.context));
  }

  /** What the files want that only trusted ones may have. `kubeconfig`: as on the command line. */
  trustQuestion(config: GoodConfig, kubeconfig: string | undefined): TrustQuestion {
    const flagged = kubeconfig && resolve(this.#world.cwd, kubeconfig);
    return trustQuestion(config, flagged, this.#world.facts);
  }

  /**
   * @throws KfwdError `UNTRUSTED` where the files want what `isRefused`, and the user has not allowed them as they are
   * now. `kubeconfig`: as on the command line.
   */
  refuseUntrusted(
    config: GoodConfig,
    kubeconfig: string | undefined,
    isRefused: (kind: TrustQuestion["demands"][number]["kind"]) => boolean,
  ): void {
    const question = this.trustQuestion(config, kubeconfig);
    const demands = question.demands.filter(({ kind }) => isRefused(kind));
    if (demands.length === 0 || isAllowed(question, this.#world.facts)) return;
    throw untrustedError(config.config.shownAs, demands);
  }

  /** Allows the files as they are now. @throws KfwdError `STATE_FOLDER`. */
  allow(question: TrustQuestion): void {
    allow(question, this.#world.facts);
  }

  /** Makes the file true, by the supervisor that runs or a new one. @throws as {@link openSession}. */
  open(plan: UpPlan, manner: UpManner, signal: AbortSignal): Promise<Session> {
    const { config, ownName, explicitName, environment, project } = plan;
    const path = config.path ?? stdinPath(this.#world.cwd);
    const { runtimeFolder, files } = projectOfFile(this.#surroundings(), {
      path,
      ownName,
      explicitName,
      environment,
    });
    const request = {
      runtimeFolder,
      id: files.id,
      project,
      config: { path: config.path, sha256: config.sha256 },
    };
    const { where, owner = "project", onEnding } = manner;
    const apply = this.applyRequest(plan, manner);
    return openSession(this.#sessionDeps(), files, request, { where, apply, owner, onEnding, signal });
  }

  /** Follows the supervisor of a lock that {@link look} found. @throws KfwdError when it does not answer. */
  attach({ files }: Project, record: LockRecord, signal: AbortSignal): Promise<Session> {
    return attachSession(this.#sessionDeps(), files, record, signal);
  }

  /** What a supervisor is asked for to make the file true. */
  applyRequest(plan: UpPlan, { names, recreate, orphans, occasion }: Touch): ApplyRequest {
    const { config, read, forwards, project, allowContexts, again } = plan;
    const others = read.filter((one) => one.path !== config.path);
    const { path, sha256 } = config;
    const told = { project, config: { path, sha256, others }, forwards, names, allowContexts };
    return {
      ...told,
      ...(recreate && { recreate }),
      ...(orphans && { orphans }),
      ...(occasion && { occasion }),
      ...(again && { again }),
    };
  }

  /** Whoever asked disposes it. */
  watchFiles(onChange: () => void): FileWatch {
    return new FileWatch(this.#world.clock, onChange);
  }

  /** What {@link open} would do now. @throws as {@link preview}. */
  preview(plan: UpPlan, touch: Touch, signal: AbortSignal): Promise<Preview> {
    const path = plan.config.path ?? stdinPath(this.#world.cwd);
    const { files } = projectOfFile(this.#surroundings(), { ...plan, path });
    const request = this.applyRequest(plan, touch);
    return preview(this.#lockDeps(), files, request, signal);
  }

  /** @throws as {@link findProject}. */
  find(choice: ProjectChoice): Project | undefined {
    return findProject(this.#surroundings(), choice);
  }

  /** What the lock of each of the user's projects says; who wrote one may have died since. @throws KfwdError `RUNTIME_FOLDER`. */
  locks(): readonly { readonly id: string; readonly record: LockRecord }[] {
    return knownProjects(this.#surroundings()).map(({ files, record }) => ({ id: files.id, record }));
  }

  /** The contexts of the kubeconfig that is named, else of the user's own, as far as they can be read. */
  contexts(kubeconfig: string | undefined): readonly NamedContext[] {
    const { cwd, facts } = this.#world;
    return contextsIn(kubeconfigPaths(kubeconfig && resolve(cwd, kubeconfig), facts.env, facts.home));
  }

  look(project: Project, signal: AbortSignal): Promise<LockState> {
    return lookAt(this.#surroundings(), project, signal);
  }

  /** All projects of this user. @throws as {@link listAll}. */
  list(signal: AbortSignal): Promise<readonly Listed[]> {
    return listAll(this.#surroundings(), signal);
  }

  /** Whether a file on disk is another than the one that was applied. */
  configChanged({ path, sha256, others = [] }: StatusReport["config"]): boolean {
    const own = path === null ? [] : [{ path, sha256 }];
    return [...own, ...others].some((file) => hashOfFile(file.path) !== file.sha256);
  }

  /**
   * Connects to the supervisor that {@link look} found. Whoever asked disposes the client.
   * @throws KfwdError when it does not answer; one that has ended since says how.
   */
  async connect(project: Project, record: LockRecord, signal: AbortSignal): Promise<ControlClient> {
    try {
      return await connectControl(this.#lockDeps(), record, { timeoutMs: CONNECT_MS, signal });
    } catch (thrown) {
      signal.throwIfAborted();
      throw await whyUnreached(this.#lockDeps(), project.files, record, thrown, signal);
    }
  }

  /** What has become of a supervisor whose connection is over. @throws the signal's reason. */
  async endOf(
    project: Project,
    record: LockRecord,
    closed: AbortSignal,
    signal: AbortSignal,
  ): Promise<SessionEnd> {
    await untilGone(this.#lockDeps(), record, closed, signal);
    return whyGone(this.#lockDeps(), project.files, record, signal);
  }

  /** The log of the supervisor that {@link look} found, else of the one that ran last. Whoever asked disposes it. */
  openLog(project: Project, found: LockState): LogReader {
    return new LogReader("record" in found ? found.record.log : logPath(this.#world.facts, project.files.id));
  }

  /** A log by its path. Whoever asked disposes it. */
  readLog(path: string): LogReader {
    return new LogReader(path);
  }

  /** Ends the supervisor that {@link look} found. @throws as {@link terminate}. */
  terminate(project: Project, found: LockState, options: TerminateOptions): Promise<Terminated> {
    return terminate(this.#lockDeps(), project.files, found, options);
  }

  /** Looks for what the dead have left, and removes it. Whoever asked disposes it. */
  async janitor(): Promise<Janitor> {
    const around = this.#surroundings();
    const tools = (await this.#world.loadSupervisor()).relayTools();
    return {
      find: (places, signal) => findLeftovers(around, tools, places, signal),
      removeRelay: (relay, signal) => tools.remove(relay, signal),
      removeLock: (lock, signal) => removeLock(around, lock, signal),
      [Symbol.asyncDispose]: () => tools[Symbol.asyncDispose](),
    };
  }

  /** The error for a supervisor that cannot be reached. */
  trouble(project: Project, state: Parameters<typeof lockTrouble>[0]): Error {
    return lockTrouble(state, project.files);
  }

  /** To ask clusters without a supervisor; loads what speaks Kubernetes. Whoever asked disposes it. */
  async survey(): Promise<Surveyor> {
    const program = await this.#world.loadSurvey();
    return program.openSurvey();
  }

  /** The folders that kfwd writes to. */
  folders(): readonly Finding[] {
    return checkFolders(this.#world.facts);
  }

  /** The files of a kubeconfig; undefined: those that are taken when none is named. */
  kubeconfigFiles(named: string | undefined): readonly Finding[] {
    return checkKubeconfigFiles(named && resolve(this.#world.cwd, named), this.#world.facts);
  }

  /** Binds what a forward wants to bind, and lets go of it. @throws KfwdError of exit status 5. */
  async tryPort(forward: Pick<ForwardSpec, "name" | "bind" | "protocol">, port: number): Promise<void> {
    const program = await this.#world.loadSurvey();
    await program.tryPort(forward, port, findRuntimeFolder(this.#world.facts));
  }

  /** The user's home folder. */
  get home(): string {
    return this.#world.facts.home;
  }

  #surroundings(): Surroundings {
    return { facts: this.#world.facts, cwd: this.#world.cwd, lockDeps: this.#lockDeps() };
  }

  #sessionDeps(): SessionDeps {
    const { cwd, facts, supervisorScript, loadSupervisor } = this.#world;
    return { cwd, facts, supervisorScript, loadSupervisor, lockDeps: this.#lockDeps() };
  }

  #lockDeps(): LockDeps {
    const { clock, version, facts } = this.#world;
    return { clock, version, uid: facts.uid, here: ownIdentity() };
  }
}
