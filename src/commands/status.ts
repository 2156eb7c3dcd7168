/** `kfwd status`: how the forwards are, from any shell. */
import { KfwdError } from "../errors.ts";
import { visible } from "../printable.ts";
import {
  readinessOf,
  supervisorDied,
  type LockRecord,
  type LockState,
  type Note,
  type Project,
  type StatusReport,
} from "../runtime/index.ts";
import { Output } from "./output.ts";
import { chooseNames, chosenFile, chosenName } from "./plan.ts";
import { statusTable } from "./render/statustable.ts";
import type { SharedFlags, World } from "./world.ts";

/** 0 all required forwards are ready, 1 one is not, 3 nothing runs. */
export async function status(world: World, wanted: readonly string[], flags: SharedFlags): Promise<number> {
  const out = new Output(world, flags);
  const signal = new AbortController().signal;
  const { runtime } = world;
  const project = runtime.find({ file: chosenFile(world, flags), name: chosenName(world, flags) });
  if (project === undefined) throw nothingRuns(chosenName(world, flags));
  const record = running(world, project, await runtime.look(project, signal));
  const client = await runtime.connect(record, signal);
  let report: StatusReport;
  try {
    report = await client.status();
  } finally {
    await client[Symbol.asyncDispose]();
  }
  const names = chooseNames(
    wanted,
    report.entries.map(({ name }) => name),
  );
  const entries = report.entries.filter(({ name }) => names.includes(name));
  const configChanged = runtime.configChanged(report.config);
  if (flags.json) {
    out.json({ ...report, configChanged, entries });
  } else {
    const look = { width: out.dataWidth, paint: out.dataPaint, nowMs: world.clock.wall() };
    out.data(statusTable(entries, look));
    for (const note of report.notes ?? []) out.note(visible(noteText(note)));
    if (configChanged)
      out.note(`${visible(report.config.path ?? "")} has changed since; \`kfwd up\` makes it so`);
  }
  return readinessOf(entries).exit === 0 ? 0 : 1;
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
