/** `kfwd status`: how the forwards are, from any shell. */
import { KfwdError } from "../errors.ts";
import { visible } from "../printable.ts";
import {
  readinessOf,
  supervisorDied,
  type ForwardStatus,
  type LockRecord,
  type LockState,
  type Note,
  type Project,
  type StatusReport,
} from "../runtime/index.ts";
import { compareWithFile, type FileComparison } from "./declared.ts";
import { Output } from "./output.ts";
import { chooseNames, chosenName, chosenProject } from "./plan.ts";
import { statusTable } from "./render/statustable.ts";
import type { FileFlags, World } from "./world.ts";

export interface StatusFlags extends FileFlags {
  readonly output?: "wide" | "json";
  readonly status?: readonly string[];
  readonly names?: boolean;
  readonly watch?: boolean;
}

/** 0 all required forwards are ready, 1 one is not or one that was named has not been started, 3 nothing runs; 130 or 143 when a signal ends `--watch`. */
export async function status(world: World, wanted: readonly string[], given: StatusFlags): Promise<number> {
  const flags = given.output === "json" ? { ...given, json: true } : given;
  const out = new Output(world, flags);
  const signal = new AbortController().signal;
  const { runtime } = world;
  const project = runtime.find(chosenProject(world, flags));
  if (project === undefined) throw nothingRuns(chosenName(world, flags));
  const record = running(world, project, await runtime.look(project, signal));
  const client = await runtime.connect(record, signal);
  try {
    if (flags.watch) {
      const { watchStatus } = await import("./statuswatch.ts");
      return await watchStatus({ world, out, flags, project, client }, wanted);
    }
    const snapshot = await takeSnapshot(world, flags, await client.status(), wanted);
    show(world, out, flags, snapshot);
    const isIdle = wanted.length > 0 && snapshot.file.notStarted.length > 0;
    return readinessOf(snapshot.entries).exit === 0 && !isIdle ? 0 : 1;
  } finally {
    await client[Symbol.asyncDispose]();
  }
}

/** A status as it is shown: what is asked for, beside what the file says now. */
export interface Snapshot {
  readonly report: StatusReport;
  /** Those that were named; `--status` has not chosen among them yet. */
  readonly entries: readonly ForwardStatus[];
  readonly file: FileComparison;
}

/** @throws KfwdError `UNKNOWN_FORWARD`. */
export async function takeSnapshot(
  world: World,
  flags: StatusFlags,
  report: StatusReport,
  wanted: readonly string[],
): Promise<Snapshot> {
  const file = await compareWithFile(world, flags, report);
  const running = report.entries.map(({ name }) => name);
  const idle = file.notStarted.map(({ name }) => name);
  const names = chooseNames(wanted, [...running, ...idle]);
  const entries = report.entries.filter(({ name }) => names.includes(name));
  return {
    report,
    entries,
    file: {
      ...file,
      notStarted: file.notStarted.filter(({ name }) => names.includes(name)),
      undeclared: file.undeclared.filter((name) => names.includes(name)),
    },
  };
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

/** The table of what `--status` asks for. */
export function tableOf(world: World, out: Output, flags: StatusFlags, { entries, file }: Snapshot): string {
  const look = {
    width: out.dataWidth,
    paint: out.dataPaint,
    nowMs: world.clock.wall(),
    wide: flags.output === "wide",
  };
  return statusTable(chooseStates(entries, flags), look, flags.status ? [] : file.notStarted);
}

/** What is to be said besides the table. */
export function notesOf({ report, file }: Snapshot): readonly string[] {
  const path = visible(report.config.path ?? "");
  const { undeclared } = file;
  return [
    ...(report.notes ?? []).map((note) => visible(noteText(note))),
    ...(file.configChanged ? [`${path} has changed since; \`kfwd up\` makes it so`] : []),
    ...(undeclared.length === 0
      ? []
      : [`not in the file any more, \`kfwd up\` stops it: ${visible(undeclared.join(", "))}`]),
  ];
}

function chooseStates(entries: readonly ForwardStatus[], { status }: StatusFlags): readonly ForwardStatus[] {
  return status === undefined ? entries : entries.filter(({ state }) => status.includes(state));
}

function noteText({ message, hint }: Note): string {
  return hint === undefined ? message : `${message} (hint: ${hint})`;
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
