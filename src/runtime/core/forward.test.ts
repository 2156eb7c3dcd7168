import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DENIED_RETRY_MS } from "./backoff.ts";
import {
  DEFAULT_POLICY,
  begin,
  policyOf,
  step,
  wakeAt,
  type ForwardEvent,
  type ForwardState,
} from "./forward.ts";
import type { Endpoint, Reason } from "./status.ts";

const a: Endpoint = { context: "kt", namespace: "shop", pod: "api-a", podUid: "uid-a", port: 8080 };
const b: Endpoint = { ...a, pod: "api-b", podUid: "uid-b" };
const trouble: Reason = { code: "ConnectionLost", kind: "transient", message: "connection lost" };
const noPods: Reason = { code: "NoReadyPods", kind: "missing", message: "0 of 1 pods ready" };
const denied: Reason = { code: "Forbidden", kind: "denied", message: "may not" };
const busy: Reason = { code: "PORT_BUSY", kind: "local", message: "in use" };
const policy = { ...DEFAULT_POLICY, random: 0.5 };

const binding: ForwardState = { kind: "binding" };
const resolving: ForwardState = { kind: "resolving" };
const connecting: ForwardState = { kind: "connecting", endpoint: a, attempt: 0, reason: null };
const ready: ForwardState = { kind: "ready", endpoint: a, attempt: 0, readyAtMs: 0, failures: 0 };
const waitingForPods: ForwardState = { kind: "waiting", reason: noPods, attempt: 0, retry: null };
const backingOff: ForwardState = {
  kind: "waiting",
  reason: trouble,
  attempt: 3,
  retry: { endpoint: a, atMs: 500 },
};
const delayed: ForwardState = {
  kind: "waiting",
  reason: noPods,
  attempt: 1,
  retry: { endpoint: a, atMs: null },
};
const moved: Endpoint = { ...a, podIp: "10.0.0.2" };
const stopping: ForwardState = { kind: "stopping", deadlineMs: 5_000 };

describe("a forward's first step", () => {
  test("binds its port", () => {
    expect(begin()).toEqual({ state: binding, effects: [{ do: "bind" }] });
  });
});

describe("each state answers each event that moves it", () => {
  const connectTo = (endpoint: Endpoint) => [{ do: "connect", endpoint }];
  const rows: readonly [
    string,
    ForwardState,
    ForwardEvent,
    Partial<ForwardState> & { kind: string },
    unknown[],
  ][] = [
    ["bound", binding, { type: "bound" }, { kind: "resolving" }, [{ do: "follow" }]],
    ["port taken", binding, { type: "bindFailed", reason: busy }, { kind: "failed" }, []],
    ["pod found", resolving, { type: "found", endpoint: a }, { kind: "connecting" }, connectTo(a)],
    ["no pod", resolving, { type: "none", reason: noPods }, { kind: "waiting" }, [{ do: "disconnect" }]],
    ["opened", connecting, { type: "opened", endpoint: a }, { kind: "ready" }, []],
    ["found again while connecting", connecting, { type: "found", endpoint: a }, { kind: "connecting" }, []],
    [
      "another pod while connecting",
      connecting,
      { type: "found", endpoint: b },
      { kind: "connecting" },
      connectTo(b),
    ],
    ["found again while ready", ready, { type: "found", endpoint: a }, { kind: "ready" }, []],
    ["another pod while ready", ready, { type: "found", endpoint: b }, { kind: "connecting" }, connectTo(b)],
    [
      "pod gone while ready",
      ready,
      { type: "none", reason: noPods },
      { kind: "waiting" },
      [{ do: "disconnect" }],
    ],
    [
      "first loss",
      ready,
      { type: "lost", endpoint: a, reason: trouble },
      { kind: "connecting" },
      connectTo(a),
    ],
    ["pod back", waitingForPods, { type: "found", endpoint: a }, { kind: "connecting" }, connectTo(a)],
    [
      "other reason",
      waitingForPods,
      { type: "none", reason: denied },
      { kind: "waiting" },
      [{ do: "disconnect" }],
    ],
    ["same pod in backoff", backingOff, { type: "found", endpoint: a }, { kind: "waiting" }, []],
    [
      "new pod ends backoff",
      backingOff,
      { type: "found", endpoint: b },
      { kind: "connecting" },
      connectTo(b),
    ],
    ["woke", backingOff, { type: "woke" }, { kind: "connecting" }, connectTo(a)],
    ["woke without a retry", waitingForPods, { type: "woke" }, { kind: "waiting" }, []],
    [
      "woke while refused",
      { ...waitingForPods, reason: denied },
      { type: "woke" },
      { kind: "resolving" },
      [],
    ],
    [
      "moved while ready",
      ready,
      { type: "moved" },
      { kind: "resolving" },
      [{ do: "resetConnections" }, { do: "disconnect" }, { do: "follow" }],
    ],
    [
      "restarted while ready",
      ready,
      { type: "restart" },
      { kind: "resolving" },
      [{ do: "resetConnections" }, { do: "disconnect" }, { do: "follow" }],
    ],
    ["restarted before it has a port", binding, { type: "restart" }, { kind: "binding" }, []],
    ["restarted while stopping", stopping, { type: "restart" }, { kind: "stopping" }, []],
    ["moved before it has a port", binding, { type: "moved" }, { kind: "binding" }, []],
    ["moved while stopping", stopping, { type: "moved" }, { kind: "stopping" }, []],
    ["opened by another", backingOff, { type: "opened", endpoint: a }, { kind: "ready", attempt: 3 }, []],
    [
      "delayed",
      connecting,
      { type: "delayed", endpoint: a, reason: noPods },
      { kind: "waiting", attempt: 0 },
      [],
    ],
    [
      "delayed for another reason",
      delayed,
      { type: "delayed", endpoint: a, reason: trouble },
      { kind: "waiting", attempt: 1 },
      [],
    ],
    ["opened after a delay", delayed, { type: "opened", endpoint: a }, { kind: "ready", attempt: 1 }, []],
    [
      "lost in a delay",
      delayed,
      { type: "lost", endpoint: a, reason: trouble },
      { kind: "waiting", attempt: 2 },
      [],
    ],
    ["found again in a delay", delayed, { type: "found", endpoint: a }, { kind: "waiting" }, []],
    ["woke in a delay", delayed, { type: "woke" }, { kind: "connecting" }, connectTo(a)],
    ["tick in a delay", delayed, { type: "tick" }, { kind: "waiting" }, []],
    [
      "a late word of delay while ready",
      ready,
      { type: "delayed", endpoint: a, reason: noPods },
      { kind: "ready" },
      [],
    ],
    [
      "the pod at another address",
      ready,
      { type: "found", endpoint: moved },
      { kind: "connecting" },
      connectTo(moved),
    ],
    ["stop", ready, { type: "stop", drainMs: 5_000 }, { kind: "stopping" }, [{ do: "close" }]],
    [
      "drained",
      stopping,
      { type: "drained" },
      { kind: "stopped" },
      [{ do: "resetConnections" }, { do: "disconnect" }],
    ],
    ["found while stopping", stopping, { type: "found", endpoint: a }, { kind: "stopping" }, []],
    ["hurried stop", stopping, { type: "stop", drainMs: 9 }, { kind: "stopping", deadlineMs: 109 }, []],
    ["patient stop", stopping, { type: "stop", drainMs: 9_000 }, { kind: "stopping", deadlineMs: 5_000 }, []],
    [
      "forced stop",
      stopping,
      { type: "stop", drainMs: 0 },
      { kind: "stopped" },
      [{ do: "resetConnections" }, { do: "disconnect" }],
    ],
    [
      "stop without a drain",
      ready,
      { type: "stop", drainMs: 0 },
      { kind: "stopped" },
      [{ do: "close" }, { do: "resetConnections" }, { do: "disconnect" }],
    ],
  ];
  test.each(rows)("%s", (_name, state, event, wanted, effects) => {
    const after = step(state, event, 100, policy);
    expect(after.state).toMatchObject(wanted);
    expect(after.effects).toEqual(effects);
  });

  test("late events of an earlier tunnel change nothing", () => {
    for (const state of [connecting, ready, waitingForPods, stopping]) {
      expect(step(state, { type: "opened", endpoint: b }, 100, policy).state).toBe(state);
      expect(step(state, { type: "lost", endpoint: b, reason: trouble }, 100, policy).state).toBe(state);
    }
  });
});

describe("backoff", () => {
  test("a loss while connecting waits, longer each time, and comes back by its timer", () => {
    let state: ForwardState = connecting;
    const waits: number[] = [];
    let nowMs = 0;
    for (let i = 0; i < 10; i++) {
      state = step(state, { type: "lost", endpoint: a, reason: trouble }, nowMs, policy).state;
      const wake = wakeAt(state);
      waits.push((wake?.atMs ?? Number.NaN) - nowMs);
      expect(step(state, { type: "tick" }, (wake?.atMs ?? 0) - 1, policy).state).toBe(state);
      nowMs = wake?.atMs ?? 0;
      state = step(state, { type: "tick" }, nowMs, policy).state;
      expect(state.kind).toBe("connecting");
    }
    expect(waits).toEqual([100, 100, 100, 200, 400, 800, 1_600, 3_200, 6_400, 7_500]);
  });

  test("a forward that was well for ten seconds starts over", () => {
    const lossAfter = (ms: number) =>
      step({ ...ready, attempt: 4 }, { type: "lost", endpoint: a, reason: trouble }, ms, policy).state;
    expect(lossAfter(9_999)).toMatchObject({ kind: "waiting", attempt: 5 });
    expect(lossAfter(10_000)).toMatchObject({ kind: "connecting", attempt: 1 });
  });

  test("what is delayed waits for no timer", () => {
    expect(wakeAt(delayed)).toBeUndefined();
  });

  test("who refuses us is asked once a minute", () => {
    const { state } = step(ready, { type: "lost", endpoint: a, reason: denied }, 100, policy);
    expect(wakeAt(state)?.atMs).toBe(100 + DENIED_RETRY_MS);
  });
});

describe("probes", () => {
  const ill: Reason = { code: "ProbeFailed", kind: "transient", message: "the probe failed: answered 503" };
  const http = { ...policy, probe: { type: "http", failures: 3 } } as const;
  const probed = (trouble: Reason | null, endpoint = a): ForwardEvent => ({
    type: "probed",
    endpoint,
    trouble,
    nextMs: 700,
  });
  const proving = step(connecting, { type: "opened", endpoint: a }, 100, http).state;

  test("a tunnel that stands is not enough for a forward whose application is probed", () => {
    expect(proving).toEqual({
      kind: "proving",
      endpoint: a,
      attempt: 0,
      reason: null,
      failures: 0,
      nextMs: null,
    });
    expect(step(proving, probed(null), 100, http)).toEqual({
      state: { ...ready, readyAtMs: 100 },
      effects: [],
    });
  });

  test("the first failure is told at once; one that is ready may fail twice", () => {
    const failing = step(proving, probed(ill), 100, http).state;
    expect(failing).toMatchObject({ kind: "proving", reason: ill, failures: 1, nextMs: 700 });
    let state: ForwardState = step(failing, probed(null), 200, http).state;
    for (const failures of [1, 2]) {
      state = step(state, probed(ill), 300, http).state;
      expect(state).toMatchObject({ kind: "ready", readyAtMs: 200, failures });
    }
    expect(step(state, probed(null), 300, http).state).toMatchObject({ kind: "ready", failures: 0 });
    const third = step(state, probed(ill), 300, http);
    expect(third).toMatchObject({ state: { kind: "proving", reason: ill, failures: 3 }, effects: [] });
  });

  test("what is learned of another pod, or while there is no tunnel, changes nothing", () => {
    for (const state of [connecting, waitingForPods, backingOff, stopping])
      expect(step(state, probed(ill), 100, http).state).toBe(state);
    expect(step(ready, probed(ill, b), 100, http).state).toBe(ready);
  });

  test("a tunnel that is lost, and a pod that leaves, count as they do without a probe", () => {
    const lost = step(proving, { type: "lost", endpoint: a, reason: trouble }, 100, http);
    expect(lost).toMatchObject({ state: { kind: "connecting", attempt: 1 } });
    const moved = step(proving, { type: "found", endpoint: b }, 100, http);
    expect(moved).toMatchObject({ state: { kind: "connecting", endpoint: b } });
    expect(step(proving, { type: "found", endpoint: a }, 100, http).state).toBe(proving);
    expect(step(proving, { type: "none", reason: noPods }, 100, http).state).toMatchObject({
      kind: "waiting",
    });
  });

  test("without any probe a ready pod is enough, but a tunnel that was lost must stand again", () => {
    const none = { ...policy, probe: { type: "none", failures: 1 } } as const;
    const first = step(resolving, { type: "found", endpoint: a }, 100, none);
    expect(first).toEqual({
      state: { ...ready, readyAtMs: 100 },
      effects: [{ do: "connect", endpoint: a }],
    });
    const lost = step(first.state, { type: "lost", endpoint: a, reason: trouble }, 100, none).state;
    expect(lost).toMatchObject({ kind: "connecting" });
    expect(step(lost, { type: "opened", endpoint: a }, 100, none).state).toMatchObject({ kind: "ready" });
  });

  test("a file's `retry` and `probe` become policy", () => {
    const retry = { initialMs: 50, maxMs: 400, resetAfterMs: 1_000 };
    const { backoff } = policyOf({ retry });
    expect(backoff).toEqual({ firstMs: 50, factor: 2, capMs: 400, resetAfterMs: 1_000 });
    expect(policyOf({})).toEqual(DEFAULT_POLICY);
    const { state } = step(
      { ...connecting, attempt: 20 },
      { type: "lost", endpoint: a, reason: trouble },
      0,
      {
        ...policyOf({ retry }),
        random: 0.99,
      },
    );
    expect(wakeAt(state)?.atMs).toBe(396);
  });
});

describe("a port that cannot be had", () => {
  const failed: ForwardState = { kind: "failed", reason: busy, retryAtMs: 5_000 };

  test("is tried again every five seconds, and nothing flickers meanwhile", () => {
    expect(step(binding, { type: "bindFailed", reason: busy }, 0, policy)).toEqual({
      state: failed,
      effects: [],
    });
    expect(wakeAt(failed)?.atMs).toBe(5_000);
    expect(step(failed, { type: "tick" }, 4_999, policy).state).toBe(failed);
    const trying = step(failed, { type: "tick" }, 5_000, policy);
    expect(trying).toEqual({ state: { ...failed, retryAtMs: null }, effects: [{ do: "bind" }] });
    expect(step(trying.state, { type: "woke" }, 5_000, policy)).toEqual({ state: trying.state, effects: [] });
    expect(step(trying.state, { type: "bindFailed", reason: busy }, 5_001, policy).state).toEqual({
      ...failed,
      retryAtMs: 10_001,
    });
    expect(step(trying.state, { type: "bound" }, 5_001, policy)).toEqual({
      state: resolving,
      effects: [{ do: "follow" }],
    });
  });

  test("is tried at once when the machine wakes, and no more when the forward is stopped", () => {
    expect(step(failed, { type: "woke" }, 100, policy).effects).toEqual([{ do: "bind" }]);
    const { state, effects } = step(failed, { type: "stop", drainMs: 5_000 }, 100, policy);
    expect(state).toEqual({ kind: "stopped" });
    expect(effects.map((effect) => effect.do)).toEqual(["close", "resetConnections", "disconnect"]);
  });
});

test("whatever happens, in any order, a forward keeps its promises", () => {
  const endpoint = fc.constantFrom(a, b);
  const reason = fc.constantFrom(trouble, noPods, denied);
  const event: fc.Arbitrary<ForwardEvent> = fc.oneof(
    fc.constant({ type: "bound" } as const),
    fc.constant({ type: "bindFailed", reason: busy } as const),
    endpoint.map((e) => ({ type: "found", endpoint: e }) as const),
    reason.map((r) => ({ type: "none", reason: r }) as const),
    endpoint.map((e) => ({ type: "opened", endpoint: e }) as const),
    fc.tuple(endpoint, reason).map(([e, r]) => ({ type: "lost", endpoint: e, reason: r }) as const),
    fc
      .tuple(endpoint, fc.constantFrom(trouble, null))
      .map(([e, t]) => ({ type: "probed", endpoint: e, trouble: t, nextMs: 0 }) as const),
    fc.tuple(endpoint, reason).map(([e, r]) => ({ type: "delayed", endpoint: e, reason: r }) as const),
    fc.constant({ type: "woke" } as const),
    fc.constant({ type: "moved" } as const),
    fc.constant({ type: "restart" } as const),
    fc.constant({ type: "tick" } as const),
    fc.constant({ type: "stop", drainMs: 1_000 } as const),
    fc.constant({ type: "drained" } as const),
  );
  const run = fc.array(
    fc.tuple(event, fc.integer({ min: 0, max: 20_000 }), fc.double({ min: 0, max: 0.99 })),
    {
      maxLength: 60,
    },
  );
  const probes = fc.constantFrom("none", "tunnel", "tcp", "http");
  fc.assert(
    fc.property(run, probes, (events, type) => {
      const probe = { type, failures: 2 };
      let { state, effects } = begin();
      let binding = true;
      let closed = false;
      let nowMs = 0;
      const done: string[] = effects.map((effect) => effect.do);
      for (const [event, passedMs, random] of events) {
        if (event.type === "bound" || event.type === "bindFailed") {
          if (!binding) continue; // a shell says what has become of the last `bind`, once
          binding = false;
        }
        nowMs += passedMs;
        const before = state;
        ({ state, effects } = step(state, event, nowMs, { ...DEFAULT_POLICY, probe, random }));
        if (before.kind === "stopped") expect([state, effects]).toEqual([before, []]);
        if (before.kind === "stopping") expect(["stopping", "stopped"]).toContain(state.kind);
        for (const effect of effects) {
          done.push(effect.do);
          if (effect.do === "bind") {
            expect(binding).toBe(false);
            binding = true;
          }
          if (effect.do === "connect")
            expect(state).toMatchObject({
              kind: type === "none" && state.kind === "ready" ? "ready" : "connecting",
              endpoint: effect.endpoint,
            });
          if (effect.do === "connect" || effect.do === "follow") expect(closed).toBe(false);
          closed ||= effect.do === "close";
        }
        const wake = wakeAt(state);
        if (state.kind === "waiting" && state.retry && state.retry.atMs !== null) {
          expect((wake?.atMs ?? 0) - nowMs).toBeLessThanOrEqual(DENIED_RETRY_MS);
        }
        // no dead end: every state but the last ones has a timer, or something outside that will speak
        if (state.kind === "stopping") expect(wake).toBeDefined();
      }
      const times = (what: string): number => done.filter((one) => one === what).length;
      const moves = events.filter(([{ type }]) => type === "moved" || type === "restart").length;
      expect(times("close")).toBeLessThanOrEqual(1);
      expect(times("follow")).toBeLessThanOrEqual(1 + moves);
    }),
    { numRuns: 3_000 },
  );
});
