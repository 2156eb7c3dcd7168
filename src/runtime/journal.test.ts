import { beforeEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../test/fakes/clock.ts";
import type { ForwardStatus, Stage } from "./core/status.ts";
import type { LogFields } from "./deps.ts";
import { Journal } from "./journal.ts";

let clock: FakeClock;
let lines: [string, LogFields | undefined][];
let details: string[];
let journal: Journal;
beforeEach(() => {
  clock = new FakeClock();
  lines = [];
  details = [];
  const line = (event: string, fields?: LogFields): void => void lines.push([event, fields]);
  journal = new Journal(
    { clock, log: { debug: (event) => void details.push(event), info: line, warn: line, error: line } },
    "db",
  );
});

function status(state: Stage, pod: string | null, message?: string, attempt = 0): ForwardStatus {
  const reason = message === undefined ? null : { code: "X", kind: "missing", message };
  return { name: "db", state, pod, podPort: 5432, targetText: "svc/db", reason, attempt } as ForwardStatus;
}

describe("the log of one forward", () => {
  test("tells a loss once, and how long it took and how many waited when it is over", async () => {
    journal.changed(status("ready", "db-0"), 0);
    await clock.advance(10_000);
    journal.changed(status("waiting", null, "no pods"), 0);
    await clock.advance(1_800);
    journal.changed(status("waiting", null, "0 of 1 ready"), 1);
    journal.changed(status("connecting", "db-1"), 1);
    journal.changed(status("ready", "db-1"), 1);
    const told = lines.map(([event, fields]) => [
      event,
      fields?.["lost"] ?? fields?.["from"] ?? null,
      fields?.["held"],
    ]);
    expect(told).toEqual([
      ["ready", null, 0],
      ["waiting", "db-0", undefined],
      ["waiting", null, undefined],
      ["ready", "db-0", 1],
    ]);
    expect(lines.at(-1)?.[1]).toMatchObject({ afterMs: 1_800 });
  });

  test("a connection that was replaced is a detail, with its beginning and its end", () => {
    for (const state of ["ready", "connecting", "ready"] as const) journal.changed(status(state, "db-0"), 0);
    expect([lines.map(([event]) => event), details]).toEqual([["ready"], ["connecting", "ready"]]);
  });

  test("a night of failing tries is one line", () => {
    for (let attempt = 1; attempt < 1_000; attempt++) {
      journal.changed(status("connecting", "db-0", "cannot reach", attempt), 0);
      journal.changed(status("waiting", "db-0", "cannot reach", attempt), 0);
    }
    expect(lines.length).toBe(1);
  });

  test("why a forward was stopped is told where there is a reason", () => {
    journal.changed(status("stopped", null, "its ttl of 30m is over"), 0);
    journal.changed(status("ready", "db-0"), 0);
    journal.changed(status("stopped", null), 0);
    expect(lines.map(([event, fields]) => [event, fields?.["code"], fields?.["reason"]])).toEqual([
      ["stopped", "X", "its ttl of 30m is over"],
      ["ready", undefined, undefined],
      ["stopped", undefined, undefined],
    ]);
  });

  test("clients for whom there is no room are a line each ten seconds, and the last one is kept", async () => {
    const reason = (message: string) => ({ code: "X", kind: "local", message }) as const;
    for (let client = 1; client <= 50; client++) journal.turnedAway(reason(`no room for ${client}`), client);
    expect(lines.length).toBe(1);
    expect(journal.lastError?.message).toBe("no room for 50");
    await clock.advance(10_000);
    journal.turnedAway(reason("no room"), 51);
    expect(lines.length).toBe(2);
  });
});
