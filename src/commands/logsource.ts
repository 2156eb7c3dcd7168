/** The log of a project for `logs` and `events`: what is kept of it, and what comes. */
import { KfwdError } from "../errors.ts";
import {
  decodeLogLine,
  LOG_LEVELS,
  type LockState,
  type LogLevel,
  type LogLine,
  type LogReader,
  type Project,
} from "../runtime/index.ts";
import type { Output } from "./output.ts";
import { chooseNames, chosenProject, loadRequest } from "./plan.ts";
import { INTERRUPTED, type Interrupt, type SharedFlags, type World } from "./world.ts";

/** How often a log that is followed is looked at. */
const LOOK_MS = 200;

/** A line that the log's own writer wrote, or other text: the last words of a crash. */
export type LogEntry =
  | { readonly kind: "line"; readonly line: LogLine }
  | { readonly kind: "text"; readonly text: string };

/** A log that stands open. */
export interface OpenedLog {
  readonly project: Project;
  readonly state: LockState;
  readonly reader: LogReader;
  /** All that is kept, oldest first. */
  readonly kept: readonly LogEntry[];
}

/** Whoever asked disposes the reader. @throws KfwdError `NOT_RUNNING` when there is no log. */
export async function openLog(world: World, flags: SharedFlags): Promise<OpenedLog> {
  const { runtime } = world;
  const choice = chosenProject(world, flags);
  const project = runtime.find(choice);
  if (project === undefined)
    throw new KfwdError(
      "NOT_RUNNING",
      choice.name === undefined ? "nothing is running" : `no project "${choice.name}" is known`,
    );
  const state = await runtime.look(project, new AbortController().signal);
  const reader = runtime.openLog(project, state);
  const kept = reader.read().map(entryOf);
  if (reader.found) return { project, state, reader, kept };
  reader[Symbol.dispose]();
  throw new KfwdError("NOT_RUNNING", `project ${project.shownAs} has no log: it has not run yet`);
}

/** The forwards that were named, none if all are meant. @throws KfwdError `UNKNOWN_FORWARD`. */
export async function namedForwards(
  world: World,
  flags: SharedFlags,
  { state, kept }: OpenedLog,
  wanted: readonly string[],
): Promise<readonly string[]> {
  if (wanted.length === 0) return [];
  const running = "record" in state ? state.record.forwards.map(({ name }) => name) : [];
  const logged = kept.flatMap((entry) => forwardOf(entry) ?? []);
  return chooseNames(wanted, [...new Set([...running, ...logged, ...(await declared(world, flags))])]);
}

/** The forward that an entry is about, if it is about one. */
export function forwardOf(entry: LogEntry): string | undefined {
  const forward = entry.kind === "line" ? entry.line.fields["forward"] : undefined;
  return typeof forward === "string" ? forward : undefined;
}

/** Hands on what comes until a signal, or until nobody reads it any more. Resolves with the exit status. */
export async function followLog(
  { clock, onInterrupt }: World,
  out: Output,
  reader: LogReader,
  take: (entries: readonly LogEntry[]) => void,
): Promise<number> {
  const stop = new AbortController();
  const came: Interrupt[] = [];
  const listening = onInterrupt((signal) => {
    came.push(signal);
    stop.abort();
  });
  try {
    while (!out.closed && !stop.signal.aborted) {
      await clock.sleep(LOOK_MS, stop.signal).catch(() => {}); // a signal: what has been written is still told
      take(reader.read().map(entryOf));
    }
  } finally {
    listening[Symbol.dispose]();
  }
  const [signal] = came;
  return signal === undefined ? 0 : INTERRUPTED[signal];
}

/** A line as it stands in the log. */
export function entryOf(text: string): LogEntry {
  const line = decodeLogLine(text);
  return line === undefined ? { kind: "text", text } : { kind: "line", line };
}

/** Whether it is at least of this level; text that bears none always is. */
export function isLoud(entry: LogEntry, level: LogLevel): boolean {
  return entry.kind === "text" || LOG_LEVELS.indexOf(entry.line.level) >= LOG_LEVELS.indexOf(level);
}

/** What the file declares, as far as it can be read: a forward that has not been started has no line yet. */
async function declared(world: World, flags: SharedFlags): Promise<readonly string[]> {
  try {
    const { parsed } = await world.runtime.load(loadRequest(world, flags));
    return parsed.kind === "valid" ? parsed.project.forwards.map(({ name }) => name) : [];
  } catch {
    return [];
  }
}
