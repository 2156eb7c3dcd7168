/** What clients and apps say of the same connections, and whether it can be true. */

/** One connection as its client saw it. Times are milliseconds of `performance.now()`. */
export interface ClientRecord {
  readonly id: string;
  readonly kind: string;
  /** The forward it came through, and the app behind that. */
  readonly forward: string;
  readonly app: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Payload given to the socket, of `up` bytes in all. */
  readonly sent: number;
  readonly up: number;
  readonly received: number;
  /** Every byte was the one that was due there. */
  readonly exact: boolean;
  /** Everything that was due has come. */
  readonly complete: boolean;
  /** `fin`: the server's orderly end; `mine`: the client left by itself; `stuck`: nothing came any more. */
  readonly end: "fin" | "reset" | "refused" | "mine" | "stuck";
}

/** A line of the ledger: what an app says of a connection. */
export interface AppRecord {
  readonly id: string;
  readonly pod: string;
  readonly what: "open" | "wrong" | "close";
  /** Payload that came as it should. */
  readonly heard: number;
  /** Of `close`: `end` when the client's end had come. */
  readonly how?: string;
}

/** A time in which something was wrong on purpose, until everything worked again. */
export interface Disturbance {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** The app whose processes were made to end, which end their connections as they like; undefined: none. */
  readonly app?: string | undefined;
}

/** Something that must not be, in words, and the connection. */
export interface Violation {
  readonly rule: "exact" | "truncated" | "causeless" | "refused" | "stuck" | "ledger" | "twice";
  readonly id: string;
  readonly words: string;
}

/** A process may end a little before the cluster says so, and its last bytes may be read a little later. */
const SLACK_MS = 1_000;

/** Holds the records of both ends against each other and against what was done to them. */
export function check(
  clients: readonly ClientRecord[],
  apps: readonly AppRecord[],
  disturbances: readonly Disturbance[],
): readonly Violation[] {
  const found: Violation[] = [];
  const lines = new Map<string, AppRecord[]>();
  for (const line of apps) lines.set(line.id, [...(lines.get(line.id) ?? []), line]);
  for (const client of clients) {
    const say = (rule: Violation["rule"], words: string): void => {
      const { id, kind, forward, startMs, endMs, received, up, sent } = client;
      const facts = `${kind} by ${forward}, ${Math.round(startMs)}..${Math.round(endMs)} ms, sent ${sent} of ${up}, received ${received}`;
      found.push({ rule, id, words: `${words} (${facts})` });
    };
    checkClient(client, disturbances, say);
    checkLedger(client, lines.get(client.id) ?? [], say);
  }
  return found;
}

type Say = (rule: Violation["rule"], words: string) => void;

function checkClient(client: ClientRecord, disturbances: readonly Disturbance[], say: Say): void {
  const { exact, complete, end, app } = client;
  const met = disturbances.filter((each) => overlaps(client, each));
  if (!exact) say("exact", "a byte came that was not due");
  if (end === "refused") say("refused", "nobody listened on the forward's port");
  if (end === "stuck") say("stuck", "it neither went on nor ended");
  if (end === "fin" && !complete && !met.some((each) => each.app === app)) {
    say("truncated", "an orderly end came before everything had");
  }
  if (end === "reset" && met.length === 0) say("causeless", "it was reset while nothing was wrong");
}

function checkLedger(client: ClientRecord, lines: readonly AppRecord[], say: Say): void {
  const opened = lines.filter(({ what }) => what === "open");
  if (opened.length > 1) say("twice", `its bytes came to ${opened.map(({ pod }) => pod).join(" and ")}`);
  const wrong = lines.find(({ what }) => what === "wrong");
  if (wrong) say("ledger", `the app got a wrong byte after ${wrong.heard}`);
  const most = Math.max(0, ...lines.map(({ heard }) => heard));
  if (most > client.sent) say("ledger", `the app heard ${most} bytes`);
  const closed = lines.find(({ what }) => what === "close");
  if (client.complete && closed && closed.heard < client.up)
    say("ledger", `the app heard ${closed.heard} bytes alone`);
}

function overlaps({ startMs, endMs }: ClientRecord, { fromMs, toMs }: Disturbance): boolean {
  return startMs <= toMs + SLACK_MS && endMs >= fromMs - SLACK_MS;
}

/** How connections ended, by kind: how many of each. */
export function tally(
  clients: readonly ClientRecord[],
): Readonly<Record<string, Readonly<Record<string, number>>>> {
  const kinds: Record<string, Record<string, number>> = {};
  for (const { kind, end, complete } of clients) {
    const how = end === "fin" || end === "mine" ? (complete || end === "mine" ? "whole" : "cut short") : end;
    const counts = (kinds[kind] ??= {});
    counts[how] = (counts[how] ?? 0) + 1;
  }
  return kinds;
}
