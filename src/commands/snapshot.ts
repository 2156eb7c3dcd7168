/** A status as `kfwd status` shows it, once or again and again: beside what the file says now. */
import { visible } from "../printable.ts";
import type { ForwardStatus, Note, StatusReport } from "../runtime/index.ts";
import { compareWithFile, type FileComparison } from "./declared.ts";
import type { Output } from "./output.ts";
import { chooseNames } from "./plan.ts";
import { inOrder, statusTable } from "./render/statustable.ts";
import type { FileFlags, World } from "./world.ts";

/** Flags of `kfwd status`. */
export interface StatusFlags extends FileFlags {
  readonly output?: "wide" | "json";
  readonly status?: readonly string[];
  readonly names?: boolean;
  readonly watch?: boolean;
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
  const entries = inOrder(
    report.entries.filter(({ name }) => names.includes(name)),
    file.order,
  );
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

/** The table of what `--status` asks for. */
export function tableOf(
  world: World,
  out: Output,
  flags: StatusFlags,
  { report, entries, file }: Snapshot,
): string {
  const look = {
    width: out.dataWidth,
    paint: out.dataPaint,
    nowMs: world.clock.wall(),
    wide: flags.output === "wide",
    owners: report.owners ?? [],
  };
  const shown = flags.status ? { ...file, notStarted: [] } : file;
  return statusTable(chooseStates(entries, flags), look, shown);
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

/** Those that `--status` asks for. */
export function chooseStates(
  entries: readonly ForwardStatus[],
  { status }: StatusFlags,
): readonly ForwardStatus[] {
  return status === undefined ? entries : entries.filter(({ state }) => status.includes(state));
}

function noteText({ message, hint }: Note): string {
  return hint === undefined ? message : `${message} (hint: ${hint})`;
}
