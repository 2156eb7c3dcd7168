/** `kfwd down`: ends a project's forwards, or some of them, from any shell. */
import { KfwdError } from "../errors.ts";
import { visible } from "../printable.ts";
import type { LockRecord, LockState, Owner, Project, StatusReport } from "../runtime/index.ts";
import { compareWithFile } from "./declared.ts";
import { parseDuration } from "../duration.ts";
import { Output } from "./output.ts";
import { chooseNames, chosenName, chosenProject, namesMeant } from "./plan.ts";
import { countText, durationText, stoppedText } from "./render/forward.ts";
import { showStop } from "./render/stopview.ts";
import { INTERRUPTED, type Interrupt, type SharedFlags, type World } from "./world.ts";

export interface DownFlags extends SharedFlags {
  readonly timeout?: string;
  readonly force?: boolean;
}

/** 0 also when nothing ran: what was wanted is so. */
export async function down(world: World, names: readonly string[], flags: DownFlags): Promise<number> {
  const out = new Output(world, flags);
  const drainMs = parseDuration(flags.timeout ?? "5s", "--timeout");
  const interrupt = new AbortController();
  const listening = world.onInterrupt((signal) => interrupt.abort(signal));
  const around: Surroundings = { world, out, flags, drainMs, signal: interrupt.signal };
  try {
    const project = world.runtime.find(chosenProject(world, flags));
    const state: LockState = project ? await world.runtime.look(project, interrupt.signal) : { kind: "none" };
    if (project === undefined || state.kind === "none") {
      const name = project?.shownAs ?? chosenName(world, flags);
      return done(
        around,
        [],
        name === undefined ? "nothing is running" : `nothing is running for project ${name}`,
      );
    }
    if (names.length > 0 && state.kind === "alive") return await stopSome(around, project, state, names);
    // It cannot be asked to stop some, and a signal would end the others too.
    if (names.length > 0 && state.kind === "unresponsive") throw world.runtime.trouble(project, state);
    return await stopAll(around, project, state);
  } catch (thrown) {
    if (!interrupt.signal.aborted) throw thrown;
    const signal: Interrupt = interrupt.signal.reason;
    return INTERRUPTED[signal];
  } finally {
    listening[Symbol.dispose]();
  }
}

/** What the parts of `down` share. */
interface Surroundings {
  readonly world: World;
  readonly out: Output;
  readonly flags: DownFlags;
  readonly drainMs: number;
  readonly signal: AbortSignal;
}

async function stopSome(
  around: Surroundings,
  project: Project,
  state: Extract<LockState, { kind: "alive" }>,
  names: readonly string[],
): Promise<number> {
  const client = await around.world.runtime.connect(project, state.record, around.signal);
  try {
    const report = await client.status();
    const { chosen, idle } = await chooseRunning(around, report, names);
    if (idle.length > 0) around.out.note(`not running: ${idle.join(", ")}`);
    if (chosen.length === 0) return done(around, [], NOTHING_STOPPED);
    const stopping = client.stop({ names: chosen, drainMs: around.drainMs });
    const { stopped } = await watched(around, drainTitle(around, chosen.length), stopping);
    sayTaken(around, stopped, report.owners);
    return done(around, stopped, stoppedText(stopped.length));
  } finally {
    await client[Symbol.asyncDispose]();
  }
}

/** `idle`: declared, but never started, so what is wanted of them is so. @throws KfwdError `UNKNOWN_FORWARD`. */
async function chooseRunning(
  { world, flags }: Surroundings,
  report: StatusReport,
  wanted: readonly string[],
): Promise<{ readonly chosen: readonly string[]; readonly idle: readonly string[] }> {
  const kept = report.entries.map(({ name }) => name);
  const strange = wanted.filter((word) => namesMeant(word, kept).length === 0);
  if (strange.length === 0) return { chosen: chooseNames(wanted, kept), idle: [] };
  const { notStarted } = await compareWithFile(world, flags, report);
  const idle = chooseNames(strange, [...kept, ...notStarted.map(({ name }) => name)]);
  const others = wanted.filter((word) => !strange.includes(word));
  return { chosen: others.length === 0 ? [] : chooseNames(others, kept), idle };
}

async function stopAll(around: Surroundings, project: Project, state: LockState): Promise<number> {
  const { world, out, flags, drainMs, signal } = around;
  const startedAtMs = world.clock.now();
  const ending = world.runtime.terminate(project, state, {
    drainMs,
    manner: flags.force ? "force" : "ask",
    onStep: (step) => out.note(`the supervisor does not answer: sent ${step}`),
    signal,
  });
  const ended = await watched(around, titleOf(around, state), ending);
  const took = durationText(world.clock.now() - startedAtMs);
  const stopped = "record" in ended ? ended.record.forwards.map(({ name }) => name) : [];
  switch (ended.kind) {
    case "nothing":
      return done(around, [], `nothing is running for project ${project.shownAs}`);
    case "signalled":
      await removeRelays(around, ended.record);
      // It did not say what ran; its lock may not have been written since its last change.
      return done(
        around,
        stopped,
        `${stopped.length > 0 ? stoppedText(stopped.length) : HAS_ENDED} (${took})`,
      );
    case "stopped":
      sayTaken(around, stopped, ended.record.owners);
      return done(
        around,
        stopped,
        `${stopped.length > 0 ? stoppedText(stopped.length) : NONE_RAN} (${took})`,
      );
    case "reaped":
      await removeRelays(around, ended.record);
      return done(around, [], `nothing was running any more; removed the lock of pid ${ended.record.pid}`);
  }
}

/** Whoever needs them goes on, and may wonder. */
function sayTaken({ out }: Surroundings, stopped: readonly string[], owners: readonly Owner[] = []): void {
  for (const { pid, names } of owners) {
    const taken = names.filter((name) => stopped.includes(name));
    if (taken.length > 0)
      out.note(visible(`took ${taken.join(", ")} from a program that still runs (pid ${pid ?? "unknown"})`));
  }
}

/** It could not delete its relay pods itself; without us they would end by themselves. */
async function removeRelays({ world, out, signal }: Surroundings, { relays }: LockRecord): Promise<void> {
  if (relays.length === 0) return;
  await using janitor = await world.runtime.janitor();
  for (const relay of relays) {
    try {
      if (await janitor.removeRelay(relay, signal))
        out.note(visible(`removed relay pod ${relay.namespace}/${relay.pod}`));
    } catch (thrown) {
      signal.throwIfAborted();
      const { message } = KfwdError.from(thrown);
      const words = `relay pod ${relay.namespace}/${relay.pod} ends by itself; it could not be removed: ${message}`;
      out.note(visible(words));
    }
  }
}

const NOTHING_STOPPED = "nothing to stop";

const HAS_ENDED = "the supervisor has ended";

/** A supervisor whose forwards had all failed. */
const NONE_RAN = `${HAS_ENDED}; none of its forwards ran`;

/** On a terminal says what is waited for. */
function watched<T>({ world, out }: Surroundings, title: string, stopping: Promise<T>): Promise<T> {
  return out.progress === "terminal" ? showStop(out.stderr, title, world.clock, stopping) : stopping;
}

function titleOf(around: Surroundings, state: LockState): string {
  switch (state.kind) {
    case "alive":
      return drainTitle(around, state.record.forwards.length);
    case "unresponsive":
      return `the supervisor (pid ${state.record.pid}) does not answer, waiting for it`;
    case "none":
    case "dead":
    case "elsewhere":
    case "damaged":
      return "clearing up";
  }
}

function drainTitle({ drainMs }: Surroundings, forwards: number): string {
  return `stopping ${countText(forwards, "forward")}: open connections may go on for ${durationText(drainMs)}`;
}

function done({ out, flags }: Surroundings, stopped: readonly string[], text: string): number {
  if (flags.json) out.json({ schema: "kfwd.down/1", stopped });
  else out.note(text);
  return 0;
}
