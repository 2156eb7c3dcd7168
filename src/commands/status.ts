/** `kfwd status`: how the forwards are, from any shell. */
import { KfwdError } from "../errors.ts";
import {
  readinessOf,
  supervisorDied,
  type LockRecord,
  type LockState,
  type Project,
} from "../runtime/index.ts";
import { Output } from "./output.ts";
import { chosenName, chosenProject } from "./plan.ts";
import { chooseStates, notesOf, tableOf, takeSnapshot, type Snapshot, type StatusFlags } from "./snapshot.ts";
import type { World } from "./world.ts";

/**
 * 0 all required forwards are ready but those that somebody has stopped, 1 one is not, or one that was named is stopped or
 * has not been started, 3 nothing runs, or all is stopped; 130 or 143 when a signal ends `--watch`.
 */
export async function status(world: World, wanted: readonly string[], given: StatusFlags): Promise<number> {
  const flags = given.output === "json" ? { ...given, json: true } : given;
  const out = new Output(world, flags);
  const signal = new AbortController().signal;
  const { runtime } = world;
  const project = runtime.find(chosenProject(world, flags));
  if (project === undefined) throw nothingRuns(chosenName(world, flags));
  const record = running(world, project, await runtime.look(project, signal));
  const client = await runtime.connect(project, record, signal);
  try {
    if (flags.watch) {
      const { watchStatus } = await import("./statuswatch.ts");
      return await watchStatus({ world, out, flags, project, client }, wanted);
    }
    const snapshot = await takeSnapshot(world, flags, await client.status(), wanted);
    show(world, out, flags, snapshot);
    return exitOf(snapshot, wanted);
  } finally {
    await client[Symbol.asyncDispose]();
  }
}

function exitOf({ entries, file }: Snapshot, wanted: readonly string[]): number {
  const { exit, total } = readinessOf(entries);
  if (wanted.length > 0)
    return exit === 0 && total === entries.length && file.notStarted.length === 0 ? 0 : 1;
  if (total === 0 && entries.length > 0) return 3;
  return exit === 0 ? 0 : 1;
}

function show(world: World, out: Output, flags: StatusFlags, { report, entries, file }: Snapshot): void {
  const chosen = chooseStates(entries, flags);
  if (flags.json) {
    const notStarted = file.notStarted.map(({ name }) => name);
    const { configChanged, undeclared } = file;
    out.json({ ...report, configChanged, entries: chosen, notStarted, undeclared });
  } else if (flags.names) {
    for (const { name } of chosen) out.data(name);
  } else if (!flags.quiet) {
    out.data(tableOf(world, out, flags, { report, entries, file }));
    for (const note of notesOf({ report, entries, file })) out.note(note);
  }
}

/** The record of a supervisor that answers. @throws KfwdError of exit status 3 or 5 for any other state. */
export function running({ runtime }: World, project: Project, state: LockState): LockRecord {
  switch (state.kind) {
    case "alive":
      return state.record;
    case "none":
      throw nothingRuns(project.shownAs, project.namesakes[0]);
    case "dead":
      throw supervisorDied(state);
    case "unresponsive":
    case "elsewhere":
    case "damaged":
      throw runtime.trouble(project, state);
  }
}

/** `namesake`: the name under which the same file runs. */
export function nothingRuns(project: string | undefined, namesake?: string): KfwdError {
  return new KfwdError(
    "NOT_RUNNING",
    project === undefined ? "nothing is running" : `nothing is running for project ${project}`,
    { hint: namesake && `its file runs as project ${namesake}: kfwd status -p ${namesake}` },
  );
}
