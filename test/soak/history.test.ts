import { expect, test } from "vitest";
import { check, tally, type AppRecord, type ClientRecord, type Disturbance } from "./history.ts";

const fine: ClientRecord = {
  id: "c1",
  kind: "ask",
  forward: "web-talk",
  app: "web",
  startMs: 10_000,
  endMs: 11_000,
  sent: 100,
  up: 100,
  received: 164,
  exact: true,
  complete: true,
  end: "fin",
};
const heard: readonly AppRecord[] = [
  { id: "c1", pod: "web-1", what: "open", heard: 0 },
  { id: "c1", pod: "web-1", what: "close", heard: 100, how: "end" },
];
const network: Disturbance = { name: "reset", fromMs: 10_500, toMs: 10_600 };
const pods: Disturbance = { name: "pod delete", fromMs: 10_500, toMs: 10_600, app: "web" };

function rules(
  client: Partial<ClientRecord>,
  disturbances: readonly Disturbance[] = [],
  apps: readonly AppRecord[] = heard,
): readonly string[] {
  return check([{ ...fine, ...client }], apps, disturbances).map(({ rule }) => rule);
}

test("what went well is no violation, and a line of the ledger may be missing", () => {
  expect(rules({})).toEqual([]);
  expect(rules({}, [], [])).toEqual([]);
});

test("a wrong byte is one, whatever was done", () => {
  expect(rules({ exact: false }, [network, pods])).toEqual(["exact"]);
});

test("an orderly end before all has come is one, unless processes of that app were made to end", () => {
  const cut = { complete: false, received: 50 };
  expect(rules(cut)).toEqual(["truncated"]);
  expect(rules(cut, [network])).toEqual(["truncated"]);
  expect(rules(cut, [{ ...pods, app: "db" }])).toEqual(["truncated"]);
  expect(rules(cut, [pods])).toEqual([]);
  expect(rules(cut, [{ ...pods, fromMs: 13_000, toMs: 14_000 }])).toEqual(["truncated"]);
});

test("a reset is one unless something was wrong meanwhile", () => {
  expect(rules({ end: "reset", complete: false })).toEqual(["causeless"]);
  expect(rules({ end: "reset", complete: false }, [network])).toEqual([]);
  expect(rules({ end: "reset" }, [pods])).toEqual([]);
  expect(rules({ end: "reset" }, [{ ...network, fromMs: 1_000, toMs: 2_000 }])).toEqual(["causeless"]);
});

test("who is refused, or gets stuck, is one always", () => {
  expect(rules({ end: "refused", complete: false }, [network])).toEqual(["refused"]);
  expect(rules({ end: "stuck", complete: false }, [network])).toEqual(["stuck"]);
});

test("the app must have heard what was sent, once, and no more", () => {
  const [open, close] = heard as [AppRecord, AppRecord];
  expect(rules({}, [], [open, { ...open, pod: "web-2" }, close])).toEqual(["twice"]);
  expect(rules({}, [], [open, { ...open, what: "wrong", heard: 7 }])).toEqual(["ledger"]);
  expect(rules({ sent: 50 }, [], heard)).toEqual(["ledger"]);
  expect(rules({}, [], [open, { ...close, heard: 99 }])).toEqual(["ledger"]);
  expect(rules({ complete: false, end: "reset" }, [network], [open, { ...close, heard: 99 }])).toEqual([]);
});

test("ends are counted by kind", () => {
  const records: ClientRecord[] = [
    fine,
    { ...fine, end: "reset" },
    { ...fine, complete: false },
    { ...fine, kind: "rude", complete: false, end: "mine" },
  ];
  expect(tally(records)).toEqual({ ask: { whole: 1, reset: 1, "cut short": 1 }, rude: { whole: 1 } });
});
