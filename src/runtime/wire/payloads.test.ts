import { describe, expect, test } from "vitest";
import type { ForwardSpec } from "../../schema/spec.ts";
import type { ForwardStatus, StatusReport } from "../core/status.ts";
import {
  applyRequest,
  applyResult,
  releaseRequest,
  statusReport,
  stopRequest,
  supervisorEvent,
} from "./payloads.ts";

const spec: ForwardSpec = {
  name: "api",
  target: { kind: "svc", name: "api" },
  remotePort: { via: "service", port: "http" },
  protocol: "tcp",
  local: "auto",
  bind: ["localhost"],
  required: true,
  ttlMs: 60_000,
  source: { file: "forwards.yaml", line: 3, column: 5 },
};

const entry: ForwardStatus = {
  name: "api",
  description: null,
  state: "waiting",
  reason: { code: "NoReadyPods", kind: "missing", message: "no ready pod", hint: "wait" },
  protocol: "tcp",
  required: true,
  local: [{ address: "127.0.0.1", port: 8080 }],
  bind: ["localhost"],
  localPort: 8080,
  target: { kind: "svc", name: "api" },
  targetText: "svc/api:http",
  context: "dev",
  namespace: "shop",
  pod: null,
  podPort: null,
  since: "2026-11-21T10:00:00.000Z",
  endsAt: "2026-11-21T10:30:00.000Z",
  attempt: 2,
  restarts: 0,
  retryAt: null,
  lastError: null,
  traffic: {
    bytesIn: 1,
    bytesOut: 2,
    connections: 0,
    held: 1,
    waited: 0,
    served: 3,
    refused: 0,
    lateEnds: 1,
  },
  relay: { name: "kfwd-relay-x", namespace: "shop", uid: "u", state: "running", reason: null },
  datagrams: {
    crowdedOut: 0,
    flows: 2,
    in: 3,
    out: 4,
    dropped: { notReady: 1, full: 2, refused: 3, tooLarge: 4, unresolved: 5, received: 6, sent: 7 },
  },
};

const report: StatusReport = {
  schema: "kfwd.status/1",
  project: "shop",
  supervisor: { pid: 7, mode: "detached", version: "1.0.0", startedAt: "x", log: "/l" },
  config: { path: "/p", sha256: "aa" },
  entries: [entry],
  notes: [{ code: "KubeconfigStale", message: "it cannot be read", hint: "mend it" }],
  owners: [
    { pid: 8, names: ["api"] },
    { pid: null, names: [] },
  ],
};

function overJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe("what a supervisor tells", () => {
  test("is read as it was sent", () => {
    expect(statusReport.parse(overJson(report))).toEqual(report);
    for (const event of [
      { type: "forward", status: entry },
      { type: "owners", owners: report.owners },
    ])
      expect(supervisorEvent.parse(overJson(event))).toEqual(event);
  });

  test("is read of a version that knew no relays", () => {
    const { traffic } = entry;
    const old = {
      ...entry,
      relay: undefined,
      datagrams: undefined,
      traffic: { ...traffic, lateEnds: undefined },
    };
    const earlier = { ...report, entries: [old] };
    expect(statusReport.parse(overJson(earlier)).entries).toEqual([
      { ...entry, relay: null, datagrams: null, traffic: { ...traffic, lateEnds: 0 } },
    ]);
  });

  test("is read without what a later version adds", () => {
    const later = {
      ...report,
      mood: "good",
      schema: "kfwd.status/2",
      entries: [
        {
          ...entry,
          state: "draining",
          protocol: "sctp",
          reason: { ...entry.reason, kind: "weather" },
          target: { kind: "host", host: "db.internal" },
          more: [],
        },
      ],
    };
    expect(statusReport.parse(overJson(later))).toEqual({
      ...report,
      entries: [
        {
          ...entry,
          state: "waiting",
          reason: { ...entry.reason, kind: "transient" },
          target: { kind: "selector", selector: "" },
        },
      ],
    });
  });

  test("events of an unknown type are told apart from known ones", () => {
    expect(supervisorEvent.safeParse({ type: "sneezed" }).success).toBe(false);
  });

  test("an unknown change counts as an update", () => {
    expect(applyResult.parse({ changes: [{ name: "a", action: "polish" }] })).toEqual({
      changes: [{ name: "a", action: "update" }],
    });
  });
});

describe("what a supervisor is asked", () => {
  const request = {
    project: "shop",
    config: report.config,
    forwards: [spec],
    names: null,
    allowContexts: ["x"],
  };

  test("is read as it was sent", () => {
    expect(applyRequest.parse(overJson(request))).toEqual(request);
    const claim = { ...request, owner: "client", ownerPid: 7, orphans: "keep", occasion: "reread" } as const;
    expect(applyRequest.parse(overJson(claim))).toEqual(claim);
    expect(releaseRequest.parse({ names: ["api"] })).toEqual({ names: ["api"] });
  });

  test.each([
    { name: "a field it does not know", forward: { ...spec, carriedBy: "pigeon" } },
    { name: "a target it does not know", forward: { ...spec, target: { kind: "host", host: "db" } } },
    { name: "a field too few", forward: { ...spec, bind: undefined } },
  ])("a forward with $name is refused, not half understood", ({ forward }) => {
    expect(applyRequest.safeParse(overJson({ ...request, forwards: [forward] })).success).toBe(false);
  });

  test("a drain of more than a week is one of a week", () => {
    expect(stopRequest.parse({ names: null, drainMs: 1e12 }).drainMs).toBe(7 * 86_400_000);
  });

  test("stop keeps its shape, whatever else a later version sends", () => {
    expect(stopRequest.parse({ names: ["a"], drainMs: 10, gently: true })).toEqual({
      names: ["a"],
      drainMs: 10,
    });
  });
});
