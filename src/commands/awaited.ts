/** Waits until forwards are ready or down: follows the supervisor's events, and looks for one that is yet to come. */
import { KfwdError } from "../errors.ts";
import {
  Board,
  type ControlClient,
  type ForwardStatus,
  type LockRecord,
  type LockState,
  type Project,
  type SessionEnd,
} from "../runtime/index.ts";
import { declaredNames } from "./declared.ts";
import { parseDuration } from "../duration.ts";
import { forwardsOf, isDown, lateText, outlookOf, reasonsText, type Outlook } from "./outlook.ts";
import { Patience } from "./patience.ts";
import { chooseNames, chosenName, chosenProject } from "./plan.ts";
import { nothingRuns, running } from "./status.ts";
import type { FileFlags, World } from "./world.ts";

/** How long commands wait that were not told. */
const WITHIN = "60s";

/** How often somebody who is waited for before they are there is looked for: nobody tells of them. */
const LOOK_MS = 200;

/** How long a command waits, and for whom. */
export interface WaitLimit {
  readonly withinMs: number;
  /** Whether a supervisor that does not run yet is waited for, too. */
  readonly supervisor: "mustRun" | "mayCome";
}

/** Flags of the commands that wait. */
export interface WaitFlags extends FileFlags {
  readonly timeout?: string;
}

/** A command that was told how long to wait also waits for a supervisor to come. @throws KfwdError `USAGE`. */
export function waitLimit({ timeout }: WaitFlags): WaitLimit {
  const withinMs = parseDuration(timeout ?? WITHIN, "--timeout");
  return { withinMs, supervisor: timeout === undefined ? "mustRun" : "mayCome" };
}

/**
 * How a wait ended that did not fail.
 * - `met`: what was waited for is so
 * - `interrupted`: a signal came; `exit` is what the command ends with
 */
export type Waited =
  | { readonly kind: "met"; readonly outlook: Outlook }
  | { readonly kind: "interrupted"; readonly exit: number };

/**
 * Resolves when the named forwards, or all that run, are ready.
 * @throws KfwdError `NOT_READY_IN_TIME`, `FORWARD_FAILED` when only a person could help, `NOT_RUNNING` and its like
 * when nothing runs or the supervisor ends meanwhile, `UNKNOWN_FORWARD`.
 */
export async function untilReady(
  world: World,
  flags: WaitFlags,
  wanted: readonly string[],
  limit: WaitLimit,
): Promise<Waited> {
  using patience = new Patience(world, limit.withinMs);
  const wait = new Wait(world, flags, wanted, patience);
  try {
    return { kind: "met", outlook: await wait.ready(limit) };
  } catch (thrown) {
    if (patience.interrupted !== undefined) return { kind: "interrupted", exit: patience.interrupted };
    throw thrown;
  }
}

/**
 * Resolves when none of the named forwards, or no supervisor, runs.
 * @throws KfwdError `NOT_READY_IN_TIME`, `UNKNOWN_FORWARD`; of a supervisor that cannot be reached.
 */
export async function untilDown(
  world: World,
  flags: WaitFlags,
  wanted: readonly string[],
  { withinMs }: WaitLimit,
): Promise<number> {
  using patience = new Patience(world, withinMs);
  const wait = new Wait(world, flags, wanted, patience);
  try {
    await wait.down(withinMs);
    return 0;
  } catch (thrown) {
    if (patience.interrupted !== undefined) return patience.interrupted;
    throw thrown;
  }
}

/** A supervisor that answers. */
interface Found {
  readonly project: Project;
  readonly record: LockRecord;
  readonly client: ControlClient;
}

/** One wait for the forwards of a project. */
class Wait {
  readonly #world: World;
  readonly #flags: WaitFlags;
  readonly #wanted: readonly string[];
  readonly #patience: Patience;

  constructor(world: World, flags: WaitFlags, wanted: readonly string[], patience: Patience) {
    this.#world = world;
    this.#flags = flags;
    this.#wanted = wanted;
    this.#patience = patience;
  }

  async ready(limit: WaitLimit): Promise<Outlook> {
    const declared = await this.#declared();
    const found = await this.#supervisor(limit, declared);
    try {
      const look = (all: readonly ForwardStatus[]): Outlook => outlookOf(all, this.#wanted, declared);
      const board = await this.#watch(found.client, (all) => look(all).verdict !== "pending");
      if (board === undefined || board.ended !== undefined) throw await this.#lost(found);
      const outlook = look(forwardsOf(board));
      if (outlook.verdict === "ready") return outlook;
      throw outlook.verdict === "stuck" ? failed(outlook) : late(outlook, limit.withinMs);
    } finally {
      await found.client[Symbol.asyncDispose]();
    }
  }

  async down(withinMs: number): Promise<void> {
    const declared = await this.#declared();
    const { project, state } = await this.#look();
    if (project === undefined || state.kind === "none" || state.kind === "dead") {
      if (declared.length > 0) chooseNames(this.#wanted, declared); // a name that is mistyped is down, too
      return;
    }
    const found = await this.#connect(project, running(this.#world, project, state));
    try {
      const isMet = (all: readonly ForwardStatus[]): boolean => isDown(all, this.#wanted, declared);
      const board = await this.#watch(found.client, (all) => this.#wanted.length > 0 && isMet(all));
      if (board === undefined || board.ended !== undefined) {
        const end = await this.#endOf(found);
        if (end.kind === "lost" && end.error.code !== "NOT_RUNNING") throw end.error;
      } else if (this.#wanted.length === 0 || !isMet(forwardsOf(board))) {
        throw stillUp(forwardsOf(board), this.#wanted, withinMs);
      }
    } finally {
      await found.client[Symbol.asyncDispose]();
    }
  }

  /** The names that the file has; none where another project may be meant, or it cannot be read. */
  #declared(): Promise<readonly string[]> {
    if (chosenName(this.#world, this.#flags) !== undefined) return Promise.resolve([]);
    return declaredNames(this.#world, this.#flags);
  }

  async #look(): Promise<{ readonly project: Project | undefined; readonly state: LockState }> {
    const { runtime } = this.#world;
    const project = runtime.find(chosenProject(this.#world, this.#flags));
    if (project === undefined) return { project, state: { kind: "none" } };
    return { project, state: await runtime.look(project, this.#patience.interruption) };
  }

  async #supervisor(limit: WaitLimit, declared: readonly string[]): Promise<Found> {
    let trouble: KfwdError | undefined;
    try {
      for (;;) {
        const found = await this.#answering().catch((thrown: unknown) => KfwdError.from(thrown));
        if (!(found instanceof KfwdError)) return found;
        this.#patience.throwIfInterrupted();
        if (limit.supervisor === "mustRun" || found.exit !== 3) throw found;
        if (trouble === undefined && declared.length > 0) chooseNames(this.#wanted, declared);
        trouble = found;
        await this.#world.clock.sleep(LOOK_MS, this.#patience.signal);
      }
    } catch (thrown) {
      if (trouble === undefined || !this.#patience.signal.aborted) throw thrown;
      const detail = [trouble.detail, `  none came within ${limit.withinMs / 1_000} s`];
      throw new KfwdError(trouble.code, trouble.message, {
        detail: detail.filter((line) => line !== undefined).join("\n"),
        hint: trouble.hint,
      });
    }
  }

  /** @throws KfwdError of exit status 3 where none answers that goes on. */
  async #answering(): Promise<Found> {
    const { project, state } = await this.#look();
    if (project === undefined) throw nothingRuns(chosenName(this.#world, this.#flags));
    const record = running(this.#world, project, state);
    if (state.kind === "alive" && state.hello.drainLeftMs !== undefined) {
      throw new KfwdError("NOT_RUNNING", `project "${record.project}" is being stopped`);
    }
    return this.#connect(project, record);
  }

  async #connect(project: Project, record: LockRecord): Promise<Found> {
    const client = await this.#world.runtime.connect(project, record, this.#patience.interruption);
    return { project, record, client };
  }

  /**
   * Follows until it is as wanted, the wait is over, or the supervisor has ended; undefined where the connection is
   * over. What `isMet` throws is left for the caller to meet again.
   */
  async #watch(
    client: ControlClient,
    isMet: (all: readonly ForwardStatus[]) => boolean,
  ): Promise<Board | undefined> {
    const board = new Board();
    const met = (): boolean => {
      try {
        return isMet(forwardsOf(board));
      } catch {
        return true;
      }
    };
    try {
      const following = await client.follow((event) => board.take(event));
      await board.until(met, AbortSignal.any([this.#patience.signal, client.closed]));
      if (!client.closed.aborted) await following[Symbol.asyncDispose]();
    } catch (thrown) {
      if (!client.closed.aborted) throw thrown;
    }
    this.#patience.throwIfInterrupted();
    return client.closed.aborted ? undefined : board;
  }

  #endOf({ project, record, client }: Found): Promise<SessionEnd> {
    const closed = AbortSignal.any([client.closed, this.#patience.signal]);
    return this.#world.runtime.endOf(project, record, closed, this.#patience.interruption);
  }

  async #lost(found: Found): Promise<KfwdError> {
    const end = await this.#endOf(found);
    if (end.kind === "lost") return end.error;
    const { project } = found.record;
    return new KfwdError(
      "NOT_RUNNING",
      `project "${project}" was stopped while its forwards were waited for`,
    );
  }
}

function late(outlook: Outlook, withinMs: number): KfwdError {
  const count = `${outlook.late.length} of ${outlook.total}`;
  const after = `not ready after ${withinMs / 1_000} s`;
  const [first] = outlook.late;
  if (first === undefined) {
    return new KfwdError("NOT_READY_IN_TIME", `no forward was started within ${withinMs / 1_000} s`);
  }
  return new KfwdError("NOT_READY_IN_TIME", `${count} ${after}: ${lateText(outlook)}`, {
    detail: reasonsText(outlook),
    hint: first.status === undefined ? `kfwd up -d ${first.name}` : `kfwd logs ${first.name}`,
  });
}

function failed(outlook: Outlook): KfwdError {
  const [first] = outlook.late;
  return new KfwdError("FORWARD_FAILED", `not ready, and not to be waited for: ${lateText(outlook)}`, {
    detail: reasonsText(outlook),
    hint: first?.status?.state === "stopped" ? `kfwd up ${first.name}` : first?.status?.reason?.hint,
  });
}

function stillUp(all: readonly ForwardStatus[], wanted: readonly string[], withinMs: number): KfwdError {
  const up = all.filter(({ name, state }) => state !== "stopped" && isMeant(name, wanted));
  const names = up.map(({ name }) => name).join(", ");
  return new KfwdError(
    "NOT_DOWN_IN_TIME",
    `still up after ${withinMs / 1_000} s: ${names || "the supervisor"}`,
  );
}

function isMeant(name: string, wanted: readonly string[]): boolean {
  return wanted.length === 0 || wanted.some((one) => name === one || name.startsWith(`${one}:`));
}
