import { expect, test } from "vitest";
import type { ForwardStatus } from "../../runtime/index.ts";
import { paintFor } from "./colour.ts";
import { columns } from "./columns.ts";
import { inOrder, statusTable } from "./statustable.ts";

const look = { width: undefined, paint: paintFor(0), nowMs: Date.parse("2026-11-21T12:00:00.000Z") };

function forward(name: string, state: ForwardStatus["state"]): ForwardStatus {
  const none = { bytesIn: 0, bytesOut: 0, connections: 0, held: 0 };
  return {
    name,
    description: null,
    state,
    reason: null,
    protocol: "tcp",
    required: true,
    local: [],
    bind: ["localhost"],
    localPort: 8080,
    target: { kind: "svc", name: "api" },
    targetText: "svc/api",
    context: "kt",
    namespace: "shop",
    pod: null,
    podPort: null,
    since: "2026-11-21T10:00:00.000Z",
    attempt: 0,
    restarts: 0,
    retryAt: null,
    lastError: null,
    traffic: { ...none, waited: 0, served: 0, refused: 0, lateEnds: 0 },
    relay: null,
    datagrams: null,
  };
}

test("what runs, what is stopped, and what was never started stand in the order of the file; what left it comes last", () => {
  const idle = { name: "b", local: "localhost:81", target: "svc/b" };
  const file = { notStarted: [idle], undeclared: ["old"], order: ["c", "b", "a"] };
  const running = [forward("old", "ready"), forward("a", "stopped"), forward("c", "ready")];
  expect(statusTable(running, look, file).split("\n")).toEqual([
    "NAME  LOCAL           TARGET   STATUS                  UP  CONNS",
    "c     localhost:8080  svc/api  ready                   2h  0",
    "b     localhost:81    svc/b    not started             -   -",
    "a     localhost:8080  svc/api  stopped                 -   0",
    "old   localhost:8080  svc/api  ready, not in the file  2h  0",
  ]);
});

test("without a file that can be read the order is that of the supervisor", () => {
  const items = [{ name: "b" }, { name: "a" }];
  expect(inOrder(items, [])).toEqual(items);
});

test("columns line up, and nothing stands after the last", () => {
  const [row, marked] = [
    { cells: ["a", "bb", "ccc"], paint: (text: string) => text },
    { cells: ["aa", "b", "c"], paint: (text: string, column: number) => (column === 1 ? `<${text}>` : text) },
  ];
  expect(columns([row, marked])).toBe("a   bb  ccc\naa  <b >  c");
  expect(columns([])).toBe("");
});
