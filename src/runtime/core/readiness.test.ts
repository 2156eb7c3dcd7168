import { expect, test } from "vitest";
import { readinessOf } from "./readiness.ts";
import type { FailureKind, ForwardStatus, Stage } from "./status.ts";

function forward(state: Stage, kind?: FailureKind, required = true): ForwardStatus {
  const reason = kind === undefined ? null : { code: "X", kind, message: "x" };
  return { name: "f", state, reason, required } as ForwardStatus;
}

test.each<[string, ForwardStatus[], string, number]>([
  ["nothing", [], "ready 0/0", 0],
  ["all ready", [forward("ready"), forward("ready")], "ready 2/2", 0],
  ["one on its way", [forward("ready"), forward("connecting")], "pending 1/2", 1],
  ["one waits for pods", [forward("ready"), forward("waiting", "missing")], "pending 1/2", 1],
  ["the API server is out of reach", [forward("waiting", "unreachable")], "pending 0/1", 4],
  ["the cluster refuses us", [forward("ready"), forward("waiting", "denied")], "stuck 1/2", 4],
  ["a port is taken", [forward("ready"), forward("failed", "local")], "stuck 1/2", 5],
  [
    "a port is taken and another refused",
    [forward("waiting", "denied"), forward("failed", "local")],
    "stuck 0/2",
    5,
  ],
  [
    "refused, but another may still come",
    [forward("waiting", "denied"), forward("resolving")],
    "pending 0/2",
    4,
  ],
  ["this version cannot do it", [forward("ready"), forward("failed", "unsupported")], "stuck 1/2", 1],
  ["one that was stopped is no trouble", [forward("ready"), forward("stopped")], "ready 1/1", 0],
  ["nor is it waited for", [forward("stopped"), forward("connecting")], "pending 0/1", 1],
  [
    "what is not required does not count",
    [forward("ready"), forward("failed", "local", false)],
    "ready 1/2",
    0,
  ],
])("%s: %s", (_name, forwards, wanted, exit) => {
  const readiness = readinessOf(forwards);
  expect(`${readiness.verdict} ${readiness.ready}/${readiness.total}`).toBe(wanted);
  expect(readiness.exit).toBe(exit);
});
