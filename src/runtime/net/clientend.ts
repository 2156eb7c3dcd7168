/**
 * What a client's FIN means. On the wire a closed socket and a half-closed one look the same, but the first wants
 * nothing any more and the second waits for its answer. Where client and listener share a machine, Linux tells them
 * apart: in /proc/net/tcp a socket that no process holds any more has inode 0.
 */
import { readFile } from "node:fs/promises";
import { isIPv4 } from "node:net";
import type { Clock } from "../deps.ts";
import { procAddress } from "./procaddress.ts";

/** `gone`: nobody will read. `reading`: half-closed, an answer may be due. `unknown`: it cannot be told here. */
export type ClientEnd = "gone" | "reading" | "unknown";

/** One end of a TCP connection. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** Answers which end a client has made of its connection. */
export type ClientEnds = (client: SocketAddress, here: SocketAddress) => Promise<ClientEnd>;

/** Questions of this long, in milliseconds, are answered from one look at the table. */
const GATHER_MS = 5;

/**
 * The table grows with the sockets of the machine, and Linux takes some 0.03 ms for each KiB: so at most a twentieth of
 * the time goes into reading it. By its length, because a busy event loop makes every look seem long.
 */
const REST_MS_PER_KIB = 0.5;

/** The real table, or `unknown` for everything where there is none. */
export function clientEnds(clock: Clock, platform: NodeJS.Platform = process.platform): ClientEnds {
  if (platform !== "linux") return () => Promise.resolve("unknown");
  return tableReader(clock, (family) =>
    readFile(family === 4 ? "/proc/net/tcp" : "/proc/net/tcp6", "latin1"),
  );
}

interface Question {
  readonly family: 4 | 6;
  /** As the client's line has them: its address and ours. */
  readonly ends: string;
  readonly answer: (end: ClientEnd) => void;
}

/** Gathers questions, so that a thousand ending connections cost one look; exported for its test. */
export function tableReader(clock: Clock, read: (family: 4 | 6) => Promise<string>): ClientEnds {
  let questions: Question[] = [];
  let restUntilMs = Number.NEGATIVE_INFINITY;
  let isDue = false; // or under way

  const look = async (): Promise<void> => {
    const asked = questions;
    questions = [];
    let readBytes = 0;
    for (const family of [4, 6] as const) {
      const ofFamily = asked.filter((question) => question.family === family);
      if (ofFamily.length === 0) continue;
      const table = await read(family).catch(() => "");
      readBytes += table.length;
      answerFrom(table, ofFamily);
    }
    restUntilMs = clock.now() + (readBytes / 1024) * REST_MS_PER_KIB;
    isDue = false;
    if (questions.length > 0) schedule();
  };
  const schedule = (): void => {
    isDue = true;
    clock.timer(Math.max(GATHER_MS, restUntilMs - clock.now()), () => void look());
  };

  return (client, here) => {
    const [from, to] = [tableAddress(client), tableAddress(here)];
    if (from === undefined || to === undefined) return Promise.resolve("unknown");
    return new Promise((answer) => {
      questions.push({ family: from.family, ends: `${from.text} ${to.text}`, answer });
      if (!isDue) schedule();
    });
  };
}

/** One pass over the table, however many ask: it may have megabytes. */
function answerFrom(table: string, questions: readonly Question[]): void {
  const open = new Map<string, Question[]>();
  for (const question of questions) {
    const same = open.get(question.ends);
    if (same) same.push(question);
    else open.set(question.ends, [question]);
  }
  const width = questions[0]?.ends.length ?? 0;
  for (let start = table.indexOf("\n") + 1; start > 0 && open.size > 0;) {
    const colon = table.indexOf(": ", start);
    if (colon < 0) break;
    const ends = table.slice(colon + 2, colon + 2 + width);
    const asked = open.get(ends);
    const next = table.indexOf("\n", colon) + 1;
    if (asked) {
      const end = endOf(table.slice(colon + 2 + width, next > 0 ? next : undefined));
      for (const { answer } of asked) answer(end);
      open.delete(ends);
    }
    start = next;
  }
  for (const { answer } of [...open.values()].flat()) answer("unknown");
}

/** What a client's line has after the addresses: state, queues, timer, retransmits, uid, timeout, inode. */
function endOf(rest: string): ClientEnd {
  return rest.trim().split(/\s+/)[6] === "0" ? "gone" : "reading";
}

function tableAddress(socket: SocketAddress): { readonly family: 4 | 6; readonly text: string } | undefined {
  const text = procAddress(socket);
  return text === undefined ? undefined : { family: isIPv4(socket.address) ? 4 : 6, text };
}
