/** `kfwd stop`, `start` and `restart`: single forwards of what runs, without another look at what the file says of them. */
import { KfwdError } from "../errors.ts";
import { shellWord } from "../shellword.ts";
import {
  Board,
  readinessOf,
  type ControlClient,
  type ForwardStatus,
  type StatusReport,
} from "../runtime/index.ts";
import { compareWithFile } from "./declared.ts";
import { parseDuration } from "../duration.ts";
import { Output } from "./output.ts";
import { chooseNames, chosenName, chosenProject, namesMeant } from "./plan.ts";
import { countText, durationText, stoppedText } from "./render/forward.ts";
import { showStop } from "./render/stopview.ts";
import { Reporter } from "./reporter.ts";
import { nothingRuns, running } from "./status.ts";
import { INTERRUPTED, type Interrupt, type SharedFlags, type World } from "./world.ts";

export interface StopFlags extends SharedFlags {
  readonly timeout?: string;
}

/** How long a forward that was started may take to a first word; what waits for a pod then goes on by itself. */
const FIRST_WORDS_MS = 3_000;

/** 0 also for what was stopped already: what was wanted is so. */
export async function stop(world: World, wanted: readonly string[], flags: StopFlags): Promise<number> {
  const drainMs = parseDuration(flags.timeout ?? "5s", "--timeout");
  return withSupervisor(world, wanted, flags, async ({ out, client, names }) => {
    const title = `stopping ${countText(names.length, "forward")}: open connections may go on for ${durationText(drainMs)}`;
    const stopping = client.halt({ names, drainMs });
    const { names: stopped } = await (out.progress === "terminal"
      ? showStop(out.stderr, title, world.clock, stopping)
      : stopping);
    const unchanged = without(names, stopped);
    if (flags.json) out.json({ schema: "kfwd.stop/1", stopped, unchanged });
    if (stopped.length > 0) out.note(`${stoppedText(stopped.length)}: ${stopped.join(", ")}`);
    if (unchanged.length > 0) out.note(`stopped already: ${unchanged.join(", ")}`);
    return 0;
  });
}

/** 0 started or running, 5 a local port is not to be had any more. */
export async function start(world: World, wanted: readonly string[], flags: SharedFlags): Promise<number> {
  return withSupervisor(world, wanted, flags, async (hold) => {
    const { out, client, names } = hold;
    const { names: started } = await client.start({ names });
    const unchanged = without(names, started);
    const isNoted = wanted.length > 0 ? unchanged.length > 0 : started.length === 0;
    if (isNoted) out.note(`running already: ${unchanged.join(", ")}`);
    const { entries, exit } = await firstWords(world, hold, flags, started);
    if (flags.json) out.json({ schema: "kfwd.start/1", started, unchanged, entries });
    return exit;
  });
}

/** As `start`. What was stopped is left alone, unless it was named. */
export async function restart(world: World, wanted: readonly string[], flags: SharedFlags): Promise<number> {
  return withSupervisor(world, wanted, flags, async (hold) => {
    const { out, client, names } = hold;
    const { names: restarted } = await client.restart({ names: wanted.length === 0 ? null : names });
    if (restarted.length === 0) out.note("nothing to restart: all forwards are stopped");
    const { entries, exit } = await firstWords(world, hold, flags, restarted);
    if (flags.json) out.json({ schema: "kfwd.restart/1", restarted, entries });
    return exit;
  });
}

/** What these commands work with. */
interface Hold {
  readonly out: Output;
  readonly client: ControlClient;
  /** Of the forwards that are meant, in the order of the file. */
  readonly names: readonly string[];
  readonly signal: AbortSignal;
}

/** @throws KfwdError of exit status 3 where no supervisor answers. */
async function withSupervisor(
  world: World,
  wanted: readonly string[],
  flags: SharedFlags,
  work: (hold: Hold) => Promise<number>,
): Promise<number> {
  const out = new Output(world, flags);
  const interrupt = new AbortController();
  const listening = world.onInterrupt((signal) => interrupt.abort(signal));
  const { signal } = interrupt;
  try {
    const project = world.runtime.find(chosenProject(world, flags));
    if (project === undefined) throw nothingRuns(chosenName(world, flags));
    const record = running(world, project, await world.runtime.look(project, signal));
    await using client = await world.runtime.connect(project, record, signal);
    const names = await chooseKept(world, flags, await client.status(), wanted);
    return await work({ out, client, names, signal });
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
    const name: Interrupt = signal.reason;
    return INTERRUPTED[name];
  } finally {
    listening[Symbol.dispose]();
  }
}

/** @throws KfwdError `UNKNOWN_FORWARD`; `NOT_RUNNING` for one that the file declares and that was never started. */
async function chooseKept(
  world: World,
  flags: SharedFlags,
  report: StatusReport,
  wanted: readonly string[],
): Promise<readonly string[]> {
  const kept = report.entries.map(({ name }) => name);
  const strange = wanted.filter((word) => namesMeant(word, kept).length === 0);
  if (strange.length === 0) return chooseNames(wanted, kept);
  const { notStarted } = await compareWithFile(world, flags, report);
  const idle = notStarted.map(({ name }) => name);
  const [first = ""] = chooseNames(strange, [...kept, ...idle]);
  throw new KfwdError("NOT_RUNNING", `forward "${first}" has not been started`, {
    hint: `kfwd up ${shellWord(first)}`,
  });
}

/** Tells how the forwards come up, as `up -d` does. */
async function firstWords(
  { clock }: World,
  { out, client, signal }: Hold,
  flags: SharedFlags,
  names: readonly string[],
): Promise<{ readonly entries: readonly ForwardStatus[]; readonly exit: number }> {
  if (names.length === 0) return { entries: [], exit: 0 };
  const board = new Board();
  const reporter = new Reporter(out, clock, { names, only: true });
  const following = await client.follow((event) => {
    if (!flags.json) reporter.take(event);
    board.take(event);
  });
  const late = new AbortController();
  const timer = clock.timer(FIRST_WORDS_MS, () => late.abort());
  const over = AbortSignal.any([signal, client.closed, late.signal]);
  await board.until(() => board.haveSpoken(names), over);
  timer[Symbol.dispose]();
  signal.throwIfAborted();
  client.closed.throwIfAborted();
  await following[Symbol.asyncDispose]();
  const entries = board.of(names);
  const failed = entries.filter(({ state }) => state === "failed");
  return { entries, exit: readinessOf(failed).exit };
}

function without(names: readonly string[], others: readonly string[]): readonly string[] {
  return names.filter((name) => !others.includes(name));
}
