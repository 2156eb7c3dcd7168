import { describe, expect, test } from "vitest";
import type { LogLine } from "../../runtime/index.ts";
import { paintFor } from "./colour.ts";
import { logText, type LogLook } from "./logtext.ts";

const look: LogLook = { paint: paintFor(0), prefix: true, time: "utc", width: 5 };
const time = "2026-11-21T10:02:11.000Z";

function said(event: string, fields: LogLine["fields"] = {}, change: Partial<LogLook> = {}): string {
  const line: LogLine = { time, level: "info", event, fields };
  return logText({ kind: "line", line }, { ...look, ...change });
}

const db = { forward: "db", target: "svc/db", pod: "db-0", podPort: 5432 };

describe("a log line for people", () => {
  test.each([
    ["ready", { ...db, from: null, afterMs: null, held: 0 }, "ready on db-0:5432"],
    ["ready", { ...db, pod: null, podPort: null, from: null, afterMs: null, held: 0 }, "ready"],
    [
      "ready",
      { ...db, pod: null, podPort: null, from: null, afterMs: 700, held: 0 },
      "ready again after 0.7s",
    ],
    [
      "ready",
      { ...db, from: "db-0", afterMs: 1_800, held: 1 },
      "ready again on db-0:5432 after 1.8s; held 1 connection",
    ],
    [
      "ready",
      { ...db, from: "db-1", afterMs: 200, held: 7 },
      "ready again on db-0:5432 after 0.2s; held 7 connections",
    ],
    ["waiting", { ...db, pod: null, lost: "db-0", reason: "0 of 1 ready" }, "lost pod db-0: 0 of 1 ready"],
    ["waiting", { ...db, lost: "db-0", reason: "no network" }, "lost the way to pod db-0: no network"],
    ["waiting", { ...db, lost: null, reason: "0 of 1 pods ready" }, "waiting: 0 of 1 pods ready"],
    ["failed", { ...db, reason: "port taken" }, "failed: port taken"],
    ["stopped", db, "stopped"],
    ["connecting", db, "connecting to pod db-0"],
    [
      "connection failed",
      { ...db, code: "x", reason: "no pod was ready" },
      "a connection failed: no pod was ready",
    ],
    ["log.suppressed", { ...db, lines: 12 }, "12 lines of this second were left out"],
    ["effect failed", { forward: "db", doing: "bind", error: "a b" }, 'effect failed doing=bind error="a b"'],
  ])("%s %j", (event, fields, words) => expect(said(event, fields)).toBe(`db    | ${time} ${words}`));

  test.each([
    ["started", { pid: 7, version: "1.0.0" }, "supervisor started (pid 7, version 1.0.0)"],
    ["ended", {}, "supervisor ended"],
    ["log.dropped", { lines: 7 }, "7 lines were lost: the log could not be written"],
    ["crashed", { error: "TypeError: x" }, "supervisor crashed: TypeError: x"],
    ["woke", { sleptMs: 8 * 3_600_000 }, "the machine slept for 8h"],
    [
      "kubeconfig stale",
      { context: "kt", reason: 'kubeconfig "k" does not exist' },
      'kubeconfig "k" does not exist; what it said before holds (context "kt")',
    ],
    ["kubeconfig good", { context: "kt" }, 'the kubeconfig can be read again (context "kt")'],
    [
      "relay.created",
      { namespace: "shop", pod: "kfwd-relay-1", uid: "u" },
      "relay pod kfwd-relay-1 made in namespace shop",
    ],
    ["relay.refused", { namespace: "shop", reason: "quota" }, "no relay pod in namespace shop: quota"],
    ["relay.waits", { pod: "kfwd-relay-1", reason: "it cannot pull x" }, "it cannot pull x"],
    ["relay.gone", { pod: "kfwd-relay-1", reason: "it is being deleted" }, "it is being deleted"],
    [
      "relay.removed",
      { namespace: "shop", pod: "kfwd-relay-1" },
      "relay pod kfwd-relay-1 removed from namespace shop",
    ],
    ["watch failed", { context: "kt", retryMs: 100, hint: null }, "watch failed context=kt retryMs=100"],
  ])("%s of the supervisor", (event, fields, words) =>
    expect(said(event, fields)).toBe(`kfwd  | ${time} ${words}`),
  );

  test("has the time of day here, and no name in front, if it is to", () => {
    const at = new Date(time);
    const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map((n) => String(n).padStart(2, "0"));
    expect(said("stopped", db, { time: "local", prefix: false })).toBe(`${clock.join(":")} stopped`);
  });

  test("sends no commands to a terminal, whoever wrote it", () => {
    expect(said("waiting", { ...db, reason: "\u001b[2Jgone" })).not.toContain("\u001b");
    expect(logText({ kind: "text", text: "\u001b[2JTypeError" }, look)).toBe("kfwd  | \\u001b[2JTypeError");
  });
});
