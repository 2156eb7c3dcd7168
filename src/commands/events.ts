/** `kfwd events`: every change of a forward as a line of JSON, from the log, and then as it happens. */
import { KfwdError } from "../errors.ts";
import { supervisorDied, type LogLine } from "../runtime/index.ts";
import { followLog, forwardOf, namedForwards, openLog, type LogEntry, type OpenedLog } from "./logsource.ts";
import { parseMoment } from "./moment.ts";
import { Output } from "./output.ts";
import type { SharedFlags, World } from "./world.ts";

export interface EventsFlags extends SharedFlags {
  readonly since?: string;
}

/** Events of a forward's log that are a change of its state; the stages between them last for milliseconds. */
const STATES: ReadonlySet<string> = new Set(["ready", "waiting", "failed", "stopping", "stopped"]);

/** Events of the supervisor itself. */
const OWN: ReadonlySet<string> = new Set(["started", "ended", "crashed", "woke"]);

/** 0 the history was printed and nothing runs, 3 nothing runs and no history was asked for; 130 or 143 by a signal. */
export async function events(world: World, wanted: readonly string[], flags: EventsFlags): Promise<number> {
  const out = new Output(world, flags);
  const since = flags.since;
  const fromMs = since === undefined ? Infinity : parseMoment(since, "--since", world.clock.wall());
  const opened = await openLog(world, flags);
  try {
    const names = await namedForwards(world, flags, opened, wanted);
    const tell = (entries: readonly LogEntry[]): void => {
      for (const entry of entries) {
        const event = eventOf(entry);
        if (event && (names.length === 0 || names.includes(forwardOf(entry) ?? ""))) out.json(event);
      }
    };
    tell(opened.kept.filter((e) => e.kind === "line" && Date.parse(e.line.time) >= fromMs));
    if (runs(opened)) return await followLog(world, out, opened.reader, tell);
    if (since !== undefined) return 0;
    throw notRunning(opened);
  } finally {
    opened.reader[Symbol.dispose]();
  }
}

function runs({ state }: OpenedLog): boolean {
  return state.kind === "alive" || state.kind === "unresponsive";
}

function notRunning({ state, project }: OpenedLog): KfwdError {
  const error =
    state.kind === "dead"
      ? supervisorDied(state)
      : new KfwdError("NOT_RUNNING", `nothing is running for project ${project.shownAs}`);
  return new KfwdError(error.code, error.message, {
    detail: error.detail,
    hint: "kfwd events --since 1h",
  });
}

function eventOf(entry: LogEntry): object | undefined {
  if (entry.kind === "text") return undefined;
  const { line } = entry;
  const forward = forwardOf(entry);
  if (forward !== undefined && STATES.has(line.event)) return changeOf(forward, line);
  if (forward === undefined && OWN.has(line.event))
    return { schema: "kfwd.event/1", time: line.time, type: "supervisor", event: line.event, ...line.fields };
  return undefined;
}

function changeOf(forward: string, { time, event, fields }: LogLine): object {
  const { code = null, kind = null, reason: message = null, hint = null } = fields;
  const { target = null, pod = null, podPort = null, from = null, lost = null } = fields;
  const { afterMs = null, held = null } = fields;
  return {
    schema: "kfwd.event/1",
    time,
    type: "forward",
    forward,
    state: event,
    reason: message === null ? null : { code, kind, message, ...(hint === null ? {} : { hint }) },
    target,
    pod,
    podPort,
    ...(event === "ready" ? { from, afterMs, held } : {}),
    ...(event === "waiting" ? { lost } : {}),
  };
}
