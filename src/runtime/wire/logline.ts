/** One line of a supervisor's log, as {@link FileLog} writes it and `logs` and `events` read it. */
import * as z from "zod/mini";
import { parsedJson } from "../../plain.ts";
import { agree } from "./agree.ts";

/** From the least to the most important. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `fields` has what else stands in the line, such as `forward`. */
export interface LogLine {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: Readonly<Record<string, string | number | boolean | null>>;
}

const head = z.object({
  time: z.string().check(z.maxLength(40)),
  level: z.enum(LOG_LEVELS),
  event: z.string(),
});

const fields = agree<LogLine["fields"]>()(
  z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
);

/** Undefined for anything else: a crash leaves other text in the file. */
export function decodeLogLine(text: string): LogLine | undefined {
  const parsed = parsedJson(text);
  const known = head.safeParse(parsed);
  const all = fields.safeParse(parsed);
  if (!known.success || !all.success || Number.isNaN(Date.parse(known.data.time))) return undefined;
  const { time, level, event, ...others } = all.data;
  void [time, level, event];
  return { ...known.data, fields: others };
}
