/** `kfwd status` for people: a table, and under it what keeps a forward from being ready. */
import { visible } from "../../printable.ts";
import type { ForwardStatus, Owner } from "../../runtime/index.ts";
import {
  bytesText,
  durationText,
  gainText,
  localText,
  lostText,
  paintState,
  podText,
  reasonLines,
  stateText,
  targetText,
} from "./forward.ts";
import type { Paint } from "./colour.ts";

const HEAD = ["NAME", "LOCAL", "TARGET", "STATUS", "UP", "CONNS"] as const;
const WIDE_HEAD = [
  "POD",
  "CONTEXT",
  "NAMESPACE",
  "IN",
  "OUT",
  "SERVED",
  "WAITED",
  "REFUSED",
  "RESTARTS",
  "NEXT TRY",
] as const;
const RELAY_HEAD = ["RELAY", "DATAGRAMS"] as const;
const OWNERS_HEAD = ["NEEDED BY"] as const;
const LAST_HEAD = ["LAST ERROR"] as const;
const STATUS_COLUMN = 3;
const TARGET_COLUMN = 2;
const COLUMN_MIN_WIDTH = 12;
const GAP = "  ";

/** How the table is to look. */
export interface TableLook {
  /** Of the terminal; undefined: nothing is cut. */
  readonly width: number | undefined;
  readonly paint: Paint;
  /** Wall-clock time. */
  readonly nowMs: number;
  /** With all that is known. */
  readonly wide?: boolean;
  /** Programs that need forwards for as long as they run. */
  readonly owners?: readonly Owner[];
}

/** A forward that the file declares and that has not been started. */
export interface NotStarted {
  readonly name: string;
  readonly local: string;
  readonly target: string;
}

/** What the file says now beside what runs. */
export interface Declared {
  readonly notStarted: readonly NotStarted[];
  /** Forwards that the file has not any more. */
  readonly undeclared: readonly string[];
  /** All that the file declares, in its order. */
  readonly order: readonly string[];
}

const NOT_COMPARED: Declared = { notStarted: [], undeclared: [], order: [] };

interface Row {
  readonly name: string;
  readonly cells: readonly string[];
  readonly paintStatus: (text: string) => string;
}

export function statusTable(
  forwards: readonly ForwardStatus[],
  look: TableLook,
  { notStarted, undeclared, order }: Declared = NOT_COMPARED,
): string {
  const hasRelay = forwards.some(({ relay }) => relay !== null);
  const { owners = [] } = look;
  const ownersHead = owners.length > 0 ? OWNERS_HEAD : [];
  const wideHead = [...WIDE_HEAD, ...(hasRelay ? RELAY_HEAD : []), ...ownersHead, ...LAST_HEAD];
  const head = look.wide ? [...HEAD, ...wideHead] : HEAD;
  const running = forwards.map((forward): Row => {
    const state = undeclared.includes(forward.name) ? ", not in the file" : "";
    const short = cells(forward, look.nowMs, `${stageText(forward, look.nowMs)}${state}`);
    return {
      name: forward.name,
      cells: [...short, ...(look.wide ? wideCells(forward, look.nowMs, hasRelay, owners) : [])],
      paintStatus: (text) => paintState(forward, text, look.paint),
    };
  });
  const idle = notStarted.map(({ name, local, target }): Row => {
    const texts = [name, local, visible(target), "not started", "-", "-"];
    return { name, cells: texts, paintStatus: look.paint.dim };
  });
  const rows = inOrder([...running, ...idle], order);
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row.cells[column]?.length ?? 0)),
  );
  if (look.width !== undefined && !look.wide) fit(widths, look.width);
  const line = ({ cells: texts, paintStatus }: Omit<Row, "name">): string =>
    texts
      .map((cell, column) => {
        const text = pad(cell, widths[column] ?? 0);
        return column === STATUS_COLUMN ? paintStatus(text) : text;
      })
      .join(GAP)
      .trimEnd();
  const lines = [look.paint.dim(line({ cells: head, paintStatus: (text) => text })), ...rows.map(line)];
  return [...lines, ...forwards.flatMap((forward) => notes(forward, look.paint, look.nowMs))].join("\n");
}

/** In the order of the file; what is not in it comes last, as it was. */
export function inOrder<T extends { readonly name: string }>(
  items: readonly T[],
  order: readonly string[],
): readonly T[] {
  const ranks = new Map(order.map((name, index) => [name, index]));
  const rank = ({ name }: T): number => ranks.get(name) ?? order.length;
  return items.toSorted((a, b) => rank(a) - rank(b));
}

function cells(forward: ForwardStatus, nowMs: number, words: string): readonly string[] {
  const { state, since, traffic, datagrams } = forward;
  const up = state === "ready" ? durationText(nowMs - Date.parse(since)) : "-";
  const held = traffic.held > 0 ? `${traffic.held} held` : "";
  const joined = datagrams?.flows ?? traffic.connections;
  const live = joined > 0 || held === "" ? String(joined) : "";
  const connections = [live, held].filter((text) => text !== "").join(", ");
  return [forward.name, localText(forward), targetText(forward), words, up, connections];
}

function stageText(forward: ForwardStatus, nowMs: number): string {
  const { endsAt } = forward;
  if (endsAt === undefined) return stateText(forward);
  return `${stateText(forward)}, ${durationText(Date.parse(endsAt) - nowMs)} left`;
}

function wideCells(
  forward: ForwardStatus,
  nowMs: number,
  hasRelay: boolean,
  owners: readonly Owner[],
): readonly string[] {
  const { context, namespace, traffic, restarts, retryAt, attempt, lastError } = forward;
  const next = retryAt === null ? "-" : durationText(Date.parse(retryAt) - nowMs);
  return [
    podText(forward) || "-",
    visible(context ?? "-"),
    visible(namespace ?? "-"),
    bytesText(traffic.bytesIn),
    bytesText(traffic.bytesOut),
    String(traffic.served),
    String(traffic.waited),
    String(traffic.refused),
    String(restarts),
    attempt > 0 && retryAt !== null ? `${next} (attempt ${attempt + 1})` : next,
    ...(hasRelay ? relayCells(forward) : []),
    ...(owners.length > 0 ? [ownersText(forward.name, owners)] : []),
    lastError === null ? "-" : visible(`${lastError.message} (${lastError.at})`),
  ];
}

function ownersText(name: string, owners: readonly Owner[]): string {
  const own = owners.filter(({ names }) => names.includes(name));
  return own.length === 0 ? "-" : own.map(({ pid }) => `pid ${pid ?? "unknown"}`).join(", ");
}

function relayCells({ relay, datagrams }: ForwardStatus): readonly string[] {
  const pod = relay === null ? "-" : visible(`${relay.name ?? "-"} (${relay.state})`);
  if (datagrams === null) return [pod, "-"];
  const lost = Object.values(datagrams.dropped).reduce((sum, count) => sum + count, 0);
  const crowded = datagrams.crowdedOut > 0 ? `, ${datagrams.crowdedOut} crowded out` : "";
  return [pod, `${datagrams.in} in, ${datagrams.out} out, ${lost} lost${crowded}`];
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

/** A try that comes within seconds is no news; after a refusal it is a minute away, and `kfwd up` makes it at once. */
const NEXT_TOLD_MS = 10_000;

function nextText({ retryAt }: ForwardStatus, nowMs: number): string {
  const ms = retryAt === null ? 0 : Date.parse(retryAt) - nowMs;
  return ms < NEXT_TOLD_MS ? "" : ` (next try in ${durationText(ms)})`;
}

function notes(forward: ForwardStatus, colours: Paint, nowMs: number): readonly string[] {
  const { state, reason, lastError, protocol } = forward;
  if (reason !== null) {
    const [first = "", ...others] = reasonLines(reason);
    return [
      "",
      `${forward.name}: ${first}${nextText(forward, nowMs)}`,
      ...others.map((line) => colours.dim(`  ${line}`)),
    ];
  }
  if (state !== "ready") return [];
  const what = protocol === "udp" ? "datagrams were lost" : "a connection failed";
  const words = [lostText(forward), gainText(forward)].filter((text) => text !== "");
  if (lastError !== null)
    words.unshift(`ready, but ${what} at ${lastError.at}: ${visible(lastError.message)}`);
  return words.length === 0 ? [] : ["", ...words.map((text) => `${forward.name}: ${text}`)];
}
