/** `kfwd logs`: what has happened to the forwards, in lines for people, also after their supervisor has died. */
import { KfwdError } from "../errors.ts";
import type { LogLevel } from "../runtime/index.ts";
import { followLog, forwardOf, isLoud, namedForwards, openLog, type LogEntry } from "./logsource.ts";
import { parseMoment } from "./moment.ts";
import { Output } from "./output.ts";
import { logText, type LogLook } from "./render/logtext.ts";
import type { SharedFlags, World } from "./world.ts";

export interface LogsFlags extends SharedFlags {
  readonly follow?: boolean;
  readonly tail?: string;
  readonly since?: string;
  readonly until?: string;
  readonly timestamps?: boolean;
  /** False with `--no-log-prefix`. */
  readonly logPrefix: boolean;
  readonly level: LogLevel;
}

/** 0 printed, 3 there is no log; 130 or 143 when a signal ends `-f`. */
export async function logs(world: World, wanted: readonly string[], flags: LogsFlags): Promise<number> {
  const out = new Output(world, flags);
  const nowMs = world.clock.wall();
  const tail = tailOf(flags.tail);
  const fromMs = flags.since === undefined ? -Infinity : parseMoment(flags.since, "--since", nowMs);
  const toMs = flags.until === undefined ? Infinity : parseMoment(flags.until, "--until", nowMs);
  const opened = await openLog(world, flags);
  try {
    const names = await namedForwards(world, flags, opened, wanted);
    const isWanted = (entry: LogEntry): boolean =>
      (names.length === 0 || names.includes(forwardOf(entry) ?? "")) &&
      isLoud(entry, flags.level) &&
      isWithin(entry, fromMs, toMs);
    const chosen = opened.kept.filter(isWanted);
    const shown = tail === undefined ? chosen : chosen.slice(Math.max(0, chosen.length - tail));
    const look: LogLook = {
      paint: out.dataPaint,
      prefix: flags.logPrefix,
      time: flags.timestamps ? "utc" : "local",
      width: Math.max(4, ...opened.kept.map((entry) => forwardOf(entry)?.length ?? 0)),
    };
    const print = (entries: readonly LogEntry[]): void => {
      for (const entry of entries)
        if (flags.json) out.json(jsonOf(entry));
        else out.data(logText(entry, look));
    };
    print(shown);
    if (!flags.follow) return 0;
    return await followLog(world, out, opened.reader, (entries) => print(entries.filter(isWanted)));
  } finally {
    opened.reader[Symbol.dispose]();
  }
}

/** Undefined: all. @throws KfwdError `USAGE`. */
function tailOf(text: string | undefined): number | undefined {
  if (text === undefined || text === "all") return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new KfwdError("USAGE", `option "-n, --tail" cannot be "${text}": it must be a number or "all"`, {
    hint: "kfwd help logs",
  });
}

/** The last words of a crash bear no time; they belong to what stands before them, and are never left out. */
function isWithin(entry: LogEntry, fromMs: number, toMs: number): boolean {
  if (entry.kind === "text") return true;
  const atMs = Date.parse(entry.line.time);
  return atMs >= fromMs && atMs <= toMs;
}

function jsonOf(entry: LogEntry): object {
  if (entry.kind === "text") return { schema: "kfwd.log/1", event: "text", text: entry.text };
  const { time, level, event, fields } = entry.line;
  return { schema: "kfwd.log/1", time, level, event, ...fields };
}
