/** `kfwd ls`: all projects of this user, from anywhere. */
import { visible } from "../printable.ts";
import { shellWord } from "../shellword.ts";
import { deathText, readinessOf, type Listed } from "../runtime/index.ts";
import { Output } from "./output.ts";
import { columns } from "./render/columns.ts";
import { INTERRUPTED, type Interrupt, type SharedFlags, type World } from "./world.ts";

/** Flags of `kfwd ls`. */
export type LsFlags = Pick<SharedFlags, "json" | "quiet" | "color">;

/** One project as `--json` has it. */
interface LsEntry {
  /** What `-p` takes; null where the lock cannot be read. */
  readonly project: string | null;
  /** The same in two parts. */
  readonly name: string | null;
  readonly env: string | null;
  readonly state: "running" | "stopping" | "unresponsive" | "elsewhere" | "damaged" | "dead";
  /** Forwards: null where nobody tells. */
  readonly ready: number | null;
  readonly total: number | null;
  readonly stopped: number | null;
  readonly supervisor: {
    readonly pid: number;
    readonly mode: "foreground" | "detached";
    readonly version: string;
    readonly startedAt: string;
  } | null;
  /** Null when it came from standard input, or is not known. */
  readonly file: string | null;
  readonly lock: string;
  /** What is wrong, in words. */
  readonly trouble: string | null;
  readonly hint: string | null;
}

const HEAD = ["PROJECT", "ENV", "READY", "SUPERVISOR", "FILE"] as const;
const STATE_COLUMN = 3;

/** 0 however they are. */
export async function ls(world: World, flags: LsFlags): Promise<number> {
  const interrupt = new AbortController();
  const listening = world.onInterrupt((signal) => interrupt.abort(signal));
  let listed: readonly Listed[];
  try {
    listed = await world.runtime.list(interrupt.signal);
  } catch (thrown) {
    if (!interrupt.signal.aborted) throw thrown;
    const signal: Interrupt = interrupt.signal.reason;
    return INTERRUPTED[signal];
  } finally {
    listening[Symbol.dispose]();
  }
  const entries = listed.map(entryOf).toSorted(byName);
  const out = new Output(world, { ...flags, quiet: false });
  if (flags.json) out.json({ schema: "kfwd.ls/1", projects: entries });
  else if (flags.quiet) for (const project of namesOf(entries)) out.data(project);
  else if (entries.length === 0) out.note("nothing is running");
  else show(out, entries);
  return 0;
}

function namesOf(entries: readonly LsEntry[]): readonly string[] {
  return entries.flatMap(({ project }) => (project === null ? [] : [visible(project)]));
}

function show(out: Output, entries: readonly LsEntry[]): void {
  const paint = out.dataPaint;
  const rows = entries.map((entry) => {
    const { name, env, ready, total, file, lock } = entry;
    const supervisor = supervisorText(entry);
    const healthy = entry.state === "running";
    return {
      cells: [
        visible(name ?? "?"),
        visible(env ?? "-"),
        ready === null ? "-" : `${ready}/${total}`,
        supervisor,
        visible(file ?? (name === null ? lock : "<stdin>")),
      ],
      paint: (text: string, column: number) => (column === STATE_COLUMN && !healthy ? paint.bad(text) : text),
    };
  });
  const head = { cells: HEAD, paint: (text: string) => paint.dim(text) };
  out.data(columns([head, ...rows]));
  const hints = new Set(entries.flatMap(({ hint }) => (hint === null ? [] : [hint])));
  for (const hint of hints) out.note(`hint: ${visible(hint)}`);
}

function supervisorText({ state, supervisor, stopped }: LsEntry): string {
  const pid = supervisor === null ? "" : `pid ${supervisor.pid}`;
  const mode = supervisor?.mode === "foreground" ? ", in the foreground" : "";
  switch (state) {
    case "running":
      return `${pid}${mode}${stopped ? `, ${stopped} stopped` : ""}`;
    case "stopping":
      return `${pid}, is being stopped`;
    case "unresponsive":
      return `${pid} does not answer`;
    case "elsewhere":
      return `${pid} elsewhere`;
    case "damaged":
      return "the lock cannot be read";
    case "dead":
      return `${pid} has died`;
  }
}

function entryOf({ files, record, fate }: Listed): LsEntry {
  const [name = null, env = null] = record?.project.split("@", 2) ?? [];
  const common = {
    project: record?.project ?? null,
    name,
    env,
    ready: null,
    total: null,
    stopped: null,
    supervisor: record
      ? { pid: record.pid, mode: record.mode, version: record.kfwdVersion, startedAt: record.startedAt }
      : null,
    file: record?.config.path ?? null,
    lock: files.lock,
    trouble: null,
    hint: null,
  };
  switch (fate.kind) {
    case "running": {
      const { entries } = fate.report;
      const { ready, total } = readinessOf(entries);
      const state = fate.drainLeftMs === undefined ? "running" : "stopping";
      return { ...common, state, ready, total, stopped: entries.length - total };
    }
    case "trouble": {
      const { message, hint = null } = fate.error;
      const end = record && `kfwd down --force -p ${shellWord(record.project)}`;
      const isSilent = fate.state === "unresponsive" && end !== undefined;
      return { ...common, state: fate.state, trouble: message, hint: isSilent ? end : hint };
    }
    case "dead": {
      const trouble = `its supervisor (pid ${fate.state.record.pid}) ${deathText(fate.state.why)}`;
      return { ...common, state: "dead", trouble, hint: "`kfwd prune` removes what died" };
    }
  }
}

function byName(a: LsEntry, b: LsEntry): number {
  const [one, other] = [a, b].map(({ name, env, file, lock }) =>
    [name ?? "\uffff", env ?? "", file ?? lock].join("\0"),
  );
  return one === other ? 0 : (one ?? "") < (other ?? "") ? -1 : 1;
}
