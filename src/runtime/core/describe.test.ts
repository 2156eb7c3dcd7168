import { describe, expect, test } from "vitest";
import type { ForwardSpec } from "../../schema/spec.ts";
import { describeForward, type ForwardFacts } from "./describe.ts";
import type { ForwardState } from "./forward.ts";
import type { Endpoint, Reason, RelayPod } from "./status.ts";

const spec: ForwardSpec = {
  name: "api",
  target: { kind: "svc", name: "api" },
  remotePort: { via: "service", port: "http" },
  local: 8080,
  bind: ["localhost"],
  protocol: "tcp",
  required: true,
  source: { file: "forwards.yaml", line: 3, column: 3 },
};
const endpoint: Endpoint = { context: "kt", namespace: "shop", pod: "api-1", podUid: "u", port: 80 };
const lost: Reason = { code: "ConnectionLost", kind: "transient", message: "no sign of life" };

function relay(change: Partial<RelayPod>): RelayPod {
  return { name: "kfwd-relay-x", namespace: "shop", uid: "u", state: "running", reason: null, ...change };
}

function reasonAfter(state: ForwardState, ms: number, more: Partial<ForwardFacts> = {}): string | undefined {
  const facts: ForwardFacts = {
    context: "kt",
    namespace: "shop",
    local: [],
    sinceMs: 50_000,
    timesReady: 0,
    lastError: undefined,
    traffic: {
      bytesIn: 0,
      bytesOut: 0,
      connections: 0,
      held: 0,
      waited: 0,
      served: 0,
      refused: 0,
      lateEnds: 0,
    },
    relay: null,
    datagrams: null,
    ...more,
  };
  return describeForward(spec, state, facts, 1_000, 50_000 + ms).reason?.message;
}

describe("the reason", () => {
  const connecting: ForwardState = { kind: "connecting", endpoint, attempt: 0, reason: null };

  test.each<[string, ForwardState, string]>([
    [
      "resolving",
      { kind: "resolving" },
      'no answer yet from the credentials or the API server of context "kt"',
    ],
    ["connecting", connecting, 'no answer yet from the API server of context "kt"'],
  ])("of %s is there when that takes longer than a second", (_name, state, words) => {
    expect(reasonAfter(state, 999)).toBe(undefined);
    expect(reasonAfter(state, 1_000)).toBe(words);
  });

  test("of connecting again is what went wrong before", () => {
    expect(reasonAfter({ ...connecting, attempt: 1, reason: lost }, 0)).toBe("no sign of life");
  });

  test.each<[string, RelayPod, string | undefined]>([
    [
      "is being created",
      relay({ name: null, state: "creating" }),
      'the relay pod in namespace "shop" is being created',
    ],
    ["starts", relay({ state: "starting" }), 'the relay pod "kfwd-relay-x" in namespace "shop" is starting'],
    ["cannot start", relay({ state: "waiting", reason: lost }), "no sign of life"],
    ["runs", relay({}), 'no answer yet from the API server of context "kt"'],
  ])("of connecting is the relay pod while it %s", (_name, pod, words) => {
    expect(reasonAfter(connecting, 1_000, { relay: pod })).toBe(words);
  });

  test("is not there when all is well", () => {
    expect(reasonAfter({ kind: "ready", endpoint, attempt: 0, readyAtMs: 0, failures: 0 }, 60_000)).toBe(
      undefined,
    );
  });
});

test("a host outside the cluster is no pod", () => {
  const facts: ForwardFacts = {
    context: "kt",
    namespace: "shop",
    local: [],
    sinceMs: 0,
    timesReady: 1,
    lastError: undefined,
    traffic: {
      bytesIn: 0,
      bytesOut: 0,
      connections: 0,
      held: 0,
      waited: 0,
      served: 0,
      refused: 0,
      lateEnds: 0,
    },
    relay: null,
    datagrams: null,
  };
  const host: ForwardSpec = { ...spec, target: { kind: "host", name: "db.example" } };
  const status = describeForward(
    host,
    { kind: "ready", endpoint, attempt: 0, readyAtMs: 0, failures: 0 },
    facts,
    0,
    0,
  );
  expect(status).toMatchObject({ pod: null, podPort: null, targetText: "host/db.example:http" });
});
