/** `kfwd status` for people: a table, and under it what keeps a forward from being ready. */
import { visible } from "../../printable.ts";
import type { ForwardStatus } from "../../runtime/index.ts";
import {
  durationText,
  gainText,
  localText,
  lostText,
  paintState,
  reasonLines,
  stateText,
  targetText,
} from "./forward.ts";
import type { Paint } from "./colour.ts";

const HEAD = ["NAME", "LOCAL", "TARGET", "STATUS", "UP", "CONNS"] as const;
const STATUS_COLUMN = 3;
const TARGET_COLUMN = 2;
const COLUMN_MIN_WIDTH = 12;
const GAP = "  ";

/** `width` is that of the terminal; undefined: nothing is cut. `nowMs` is wall-clock time. */
export function statusTable(
  forwards: readonly ForwardStatus[],
  look: { readonly width: number | undefined; readonly paint: Paint; readonly nowMs: number },
): string {
  const rows = forwards.map((forward) => cells(forward, look.nowMs));
  const widths = HEAD.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  if (look.width !== undefined) fit(widths, look.width);
  const line = (row: readonly string[], paintStatus: (text: string) => string): string =>
    row
      .map((cell, column) => {
        const text = pad(cell, widths[column] ?? 0);
        return column === STATUS_COLUMN ? paintStatus(text) : text;
      })
      .join(GAP)
      .trimEnd();
  const lines = [
    look.paint.dim(line(HEAD, (text) => text)),
    ...rows.map((row, i) => line(row, (text) => paint(forwards[i], text, look.paint))),
  ];
  return [...lines, ...forwards.flatMap((forward) => notes(forward, look.paint))].join("\n");
}

function paint(forward: ForwardStatus | undefined, text: string, colours: Paint): string {
  return forward ? paintState(forward, text, colours) : text;
}

function cells(forward: ForwardStatus, nowMs: number): readonly string[] {
  const { state, since, traffic, datagrams } = forward;
  const up = state === "ready" ? durationText(nowMs - Date.parse(since)) : "-";
  const held = traffic.held > 0 ? `${traffic.held} held` : "";
  const joined = datagrams?.flows ?? traffic.connections;
  const live = joined > 0 || held === "" ? String(joined) : "";
  const connections = [live, held].filter((text) => text !== "").join(", ");
  return [forward.name, localText(forward), targetText(forward), stateText(forward), up, connections];
}

/** Takes from the columns that can bear it until the row fits. */
function fit(widths: number[], width: number): void {
  const total = (): number => widths.reduce((sum, w) => sum + w, 0) + GAP.length * (widths.length - 1);
  for (const column of [TARGET_COLUMN, STATUS_COLUMN]) {
    const excess = total() - width;
    const now = widths[column] ?? 0;
    if (excess > 0) widths[column] = Math.max(Math.min(now, COLUMN_MIN_WIDTH), now - excess);
  }
}

function pad(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text.padEnd(width);
}

function notes(forward: ForwardStatus, colours: Paint): readonly string[] {
  const { state, reason, lastError, protocol } = forward;
  if (reason !== null) {
    const [first = "", ...others] = reasonLines(reason);
    return ["", `${forward.name}: ${first}`, ...others.map((line) => colours.dim(`  ${line}`))];
  }
  if (state !== "ready") return [];
  const what = protocol === "udp" ? "datagrams were lost" : "a connection failed";
  const words = [lostText(forward), gainText(forward)].filter((text) => text !== "");
  if (lastError !== null)
    words.unshift(`ready, but ${what} at ${lastError.at}: ${visible(lastError.message)}`);
  return words.length === 0 ? [] : ["", ...words.map((text) => `${forward.name}: ${text}`)];
}
