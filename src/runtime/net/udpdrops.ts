/** What the system dropped because nobody took it from a socket in time: Linux counts it in /proc/net/udp. */
import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import type { LocalAddress } from "../core/status.ts";
import type { Clock } from "../deps.ts";
import { procAddress } from "./procaddress.ts";

/** How long after a datagram the counter is read: whoever drops also receives. */
const LOOK_AFTER_MS = 1_000;

/** Column of the counter. */
const DROPS = 12;

/** The counters of a few sockets together. Disposing ends the looking. */
export interface SystemDrops extends Disposable {
  /** As of the last look; 0 where the system does not tell. */
  readonly count: number;
  /** Something has come, so there may be more to count soon. */
  expect(): void;
}

/** Of all sockets that are bound to these addresses. */
export function systemDrops(
  local: readonly LocalAddress[],
  clock: Clock,
  read: (path: string) => Promise<string> = (path) => readFile(path, "latin1"),
): SystemDrops {
  let count = 0;
  let due: Disposable | undefined;
  let stage: "looking" | "over" = "looking";
  const tables = [...new Set(local.map(({ address }) => tableOf(address)))];
  const look = async (): Promise<void> => {
    const texts = await Promise.all(tables.map((path) => read(path).catch(() => "")));
    count = Math.max(count, dropsIn(texts.join("\n"), local));
    due = undefined;
  };
  return {
    get count() {
      return count;
    },
    expect: () => {
      if (stage === "looking") due ??= clock.timer(LOOK_AFTER_MS, () => void look());
    },
    [Symbol.dispose]: () => {
      stage = "over";
      due?.[Symbol.dispose]();
    },
  };
}

/** The sum of what a table of /proc/net says of these addresses; exported for its test. */
export function dropsIn(table: string, local: readonly LocalAddress[]): number {
  const wanted = new Set(local.map(procAddress));
  return table.split("\n").reduce((sum, line) => {
    const columns = line.trim().split(/\s+/);
    const drops = Number(columns[DROPS]);
    return wanted.has(columns[1] ?? "") && Number.isFinite(drops) ? sum + drops : sum;
  }, 0);
}

function tableOf(address: string): string {
  return isIPv6(address) ? "/proc/net/udp6" : "/proc/net/udp";
}
