/** `kfwd run`: a command that has its forwards for as long as it runs. */
import { KfwdError } from "../errors.ts";
import type { LockRecord, Session } from "../runtime/index.ts";
import { isTerminalsOwn, signalStatus, startChild, type Child } from "./child.ts";
import { parseDuration } from "../duration.ts";
import { sayWaiting, stoppedEarly } from "./early.ts";
import { allVariables, type Located } from "../schema/exports.ts";
import { watchLosses } from "./losses.ts";
import { Output } from "./output.ts";
import type { Chosen } from "./plan.ts";
import { Start } from "./start.ts";
import { readWanted, type WantedFlags } from "./wanted.ts";
import { NOT_STARTED, type World } from "./world.ts";

export interface RunFlags extends WantedFlags {
  readonly waitTimeout?: string;
  readonly onLost?: "warn" | "fail";
}

const WAIT_TIMEOUT = "60s";

/** A command that `--on-lost fail` has asked to end is killed after this long. */
const KILL_MS = 10_000;

/** Forwards end in milliseconds; a relay pod takes a request to the cluster. */
const RELEASE_MS = 5_000;

const PASSED_ON = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGWINCH"] as const;

/** `words`: the command. Resolves with its exit status, 125 to 127 where it was not started. */
export async function run(
  world: World,
  wanted: readonly string[],
  words: readonly string[],
  flags: RunFlags,
): Promise<number> {
  // Standard output is the command's.
  const out = new Output({ stdout: world.stderr, stderr: world.stderr, env: world.env }, flags);
  const signals = new Signals(world);
  try {
    return await perform({ world, out, wanted, words, flags, signals });
  } catch (thrown) {
    if (signals.early.aborted) return interrupted(signals.early);
    out.error(thrown);
    const error = KfwdError.from(thrown);
    return error.code === "COMMAND_NOT_FOUND" || error.code === "COMMAND_NOT_EXECUTABLE"
      ? error.exit
      : NOT_STARTED;
  } finally {
    signals[Symbol.dispose]();
  }
}

/** One `kfwd run`. */
interface Run {
  readonly world: World;
  readonly out: Output;
  readonly wanted: readonly string[];
  readonly words: readonly string[];
  readonly flags: RunFlags;
  readonly signals: Signals;
}

async function perform(request: Run): Promise<number> {
  const { world, out, wanted, words, flags, signals } = request;
  const waitMs = parseDuration(flags.waitTimeout ?? WAIT_TIMEOUT, "--wait-timeout");
  const meant = await readWanted(world, flags, wanted, out);
  if (meant === undefined) return NOT_STARTED;
  const { plan } = meant;
  const chosen: Chosen = { ...meant.chosen, only: true };
  const specs = plan.forwards.filter(({ name }) => chosen.names.includes(name));

  const manner = {
    where: "detached",
    names: chosen.names,
    owner: "client",
    onEnding: (record: LockRecord, drainLeftMs: number) => sayWaiting(out, record, drainLeftMs),
  } as const;
  const session = await world.runtime.open(plan, manner, signals.early);
  const start = new Start(world, out, session, chosen);
  try {
    sayReplaced(out, session);
    const patience = {
      until: "ready",
      withinMs: waitMs,
      strict: true,
      ifLate: "the command was not run",
    } as const;
    const outcome = await start.run(patience, signals.early);
    if (signals.early.aborted) return interrupted(signals.early);
    if (outcome.kind === "ended")
      throw outcome.end.kind === "lost" ? outcome.end.error : stoppedEarly(plan.project);
    if (outcome.exit !== 0) return NOT_STARTED;
    const env = { ...world.env, ...Object.fromEntries(allVariables(locatedBy(start, specs))) };
    const child = await startChild({ words, env, cwd: world.cwd });
    signals.passTo(child);
    const required = specs.filter((spec) => spec.required).map(({ name }) => name);
    return await keepCompany(request, child, { session, start, required });
  } finally {
    await letGo(request, session, start);
    await session[Symbol.asyncDispose]();
  }
}

/** What runs while the command does. */
interface Company {
  readonly session: Session;
  readonly start: Start;
  readonly required: readonly string[];
}

/** Resolves with the exit status once the command has ended. */
async function keepCompany(
  { world, out, flags }: Run,
  child: Child,
  { session, start, required }: Company,
): Promise<number> {
  const over = new AbortController();
  let verdict: "well" | "lost" = "well";
  let killing: Disposable | undefined;
  const onLost = (sentence: string): void => {
    if (verdict === "lost") return;
    if (flags.onLost !== "fail") {
      out.error(new KfwdError("FORWARD_FAILED", `${sentence}; the command goes on`));
      return;
    }
    verdict = "lost";
    out.error(new KfwdError("FORWARD_FAILED", `${sentence}; ending the command`));
    child.signal("SIGTERM");
    killing = world.clock.timer(KILL_MS, () => child.signal("SIGKILL"));
  };
  const { board, reporter } = start;
  reporter.view = "drawn"; // the terminal is the command's from here on
  const names = required;
  watchLosses({ board, session, names, onLost, onBack: (text) => out.note(text) }, over.signal);
  try {
    const status = await child.ended;
    return isLost(verdict) ? 1 : status;
  } finally {
    over.abort();
    killing?.[Symbol.dispose]();
  }
}

function isLost(verdict: string): boolean {
  return verdict === "lost";
}

/** Waits until what only this run needed has ended, so that whoever comes next finds the ports free. */
async function letGo(
  { world: { clock }, out, signals }: Run,
  session: Session,
  { board, reporter }: Start,
): Promise<void> {
  const enough = new AbortController();
  reporter.view = "drawn"; // that they end is no news
  signals.onMore(() => enough.abort());
  const released = session.control.release({ names: null }).then(async () => {
    if (board.all.length === 0) await session.ended;
  });
  const late = clock.sleep(RELEASE_MS, enough.signal);
  await Promise.race([released, session.ended, late]).catch((thrown: unknown) => {
    const { code, message } = KfwdError.from(thrown);
    // Whatever else goes wrong, the end of the connection releases them, too.
    if (code === "VERSION_SKEW") out.note(`the forwards stay up, \`kfwd down\` stops them: ${message}`);
  });
  enough.abort();
  await late.catch(() => {});
}

function locatedBy({ board }: Start, specs: readonly Located["spec"][]): readonly Located[] {
  return specs.flatMap((spec) => {
    const [status] = board.of([spec.name]);
    const port = spec.local === "auto" ? (status?.localPort ?? undefined) : spec.local;
    if (port !== undefined) return [{ spec, port }];
    if (!spec.required) return [];
    throw new KfwdError("FORWARD_FAILED", `forward "${spec.name}" has no local port`);
  });
}

function sayReplaced(out: Output, { changes }: Session): void {
  const names = changes.filter(({ action }) => action === "replace").map(({ name }) => name);
  if (names.length > 0) out.note(`started anew, as the file says something else now: ${names.join(", ")}`);
}

function interrupted(signal: AbortSignal): number {
  const name: (typeof PASSED_ON)[number] = signal.reason;
  return signalStatus(name);
}

/** Signals to us: before the command runs they end us, then they are the command's. */
class Signals implements Disposable {
  readonly #early = new AbortController();
  readonly #listening: Disposable;
  #child: Child | undefined;
  #onMore: (() => void) | undefined;

  constructor({ onSignal }: World) {
    this.#listening = onSignal(PASSED_ON, (signal) => this.#take(signal));
  }

  /** Aborted with the name of the signal that came before the command ran. */
  get early(): AbortSignal {
    return this.#early.signal;
  }

  /** One that came while the command was being started is passed on now. */
  passTo(child: Child): void {
    this.#child = child;
    const { aborted, reason } = this.#early.signal;
    if (aborted && !isTerminalsOwn(reason)) child.signal(reason);
  }

  /** The command has ended: signals are for us again. */
  onMore(listener: () => void): void {
    this.#child = undefined;
    this.#onMore = listener;
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }

  #take(signal: (typeof PASSED_ON)[number]): void {
    if (this.#child) {
      if (!isTerminalsOwn(signal)) this.#child.signal(signal);
    } else if (signal !== "SIGWINCH") {
      this.#early.abort(signal);
      this.#onMore?.();
    }
  }
}
