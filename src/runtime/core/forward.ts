/**
 * The life of one forward, decided here and acted out in runtime/forward.ts.
 *
 * ```
 *   binding ──bound──▶ resolving ──found──▶ connecting ──opened──▶ ready
 *      │                   │                 ▲  │                    │
 *      │ bindFailed        │ none    found / │  │ lost / none        │ lost / none
 *      ▼                   ▼         timer   │  ▼                    ▼
 *    failed ──bound──▶  waiting(reason) ─────┴─ waiting ◀────────────┘
 *
 *   with a probe of the application:  connecting ──opened──▶ proving ──probed well──▶ ready
 *                                                               ▲                       │ probed ill, too often
 *                                                               └───────────────────────┘
 *
 *   failed ──stop──▶ stopped;  any other but stopped ──stop──▶ stopping ──drained / deadline──▶ stopped
 * ```
 *
 * The local port is bound from `bound` to `stop`. A forward never gives up by itself: only what a person must mend
 * (a taken port) is `failed`, and the port is tried again every few seconds. Behind a relay `connecting` takes until its
 * pod runs; `delayed` tells why it does not.
 */
import type { ForwardSpec, ProbeSpec } from "../../schema/spec.ts";
import { DEFAULT_BACKOFF, DENIED_RETRY_MS, backoffMs, type BackoffPolicy } from "./backoff.ts";
import type { Endpoint, Reason } from "./status.ts";

/** Where a forward stands, with just what exists there. `attempt` counts failures since it was last well. */
export type ForwardState =
  | { readonly kind: "binding" | "resolving" | "stopped" }
  | {
      readonly kind: "connecting";
      readonly endpoint: Endpoint;
      readonly attempt: number;
      /** What the attempt is to make good; null on the first one to an endpoint. */
      readonly reason: Reason | null;
    }
  | {
      readonly kind: "ready";
      readonly endpoint: Endpoint;
      readonly attempt: number;
      readonly readyAtMs: number;
      /** Probes of the application that have failed in a row. */
      readonly failures: number;
    }
  | {
      /** The tunnel stands, but the application has not passed its probe yet (`reason` null), or fails it now. */
      readonly kind: "proving";
      readonly endpoint: Endpoint;
      readonly attempt: number;
      readonly reason: Reason | null;
      readonly failures: number;
      /** When it is probed next; null while it is, or before the first time. */
      readonly nextMs: number | null;
    }
  | {
      readonly kind: "waiting";
      readonly reason: Reason;
      readonly attempt: number;
      /**
       * What to try again at `atMs`, or with null what will open once the relay's pod is mended. No `retry`: only the
       * cluster can tell what comes next.
       */
      readonly retry: { readonly endpoint: Endpoint; readonly atMs: number | null } | null;
    }
  | { readonly kind: "stopping"; readonly deadlineMs: number }
  | {
      readonly kind: "failed";
      readonly reason: Reason;
      /** When the local port is tried again; null while it is, or when no try would change anything. */
      readonly retryAtMs: number | null;
    };

/** What happened. Events of a tunnel name its endpoint, so that late ones of an earlier tunnel are recognised. */
export type ForwardEvent =
  | { readonly type: "bound" }
  | { readonly type: "bindFailed"; readonly reason: Reason }
  | { readonly type: "found"; readonly endpoint: Endpoint }
  | { readonly type: "none"; readonly reason: Reason }
  | { readonly type: "opened"; readonly endpoint: Endpoint }
  | { readonly type: "lost"; readonly endpoint: Endpoint; readonly reason: Reason }
  /** The application was probed, and will be again at `nextMs`. */
  | {
      readonly type: "probed";
      readonly endpoint: Endpoint;
      readonly trouble: Reason | null;
      readonly nextMs: number;
    }
  /** The way there does not come about for now; whoever makes it goes on by itself, and `opened` may follow. */
  | { readonly type: "delayed"; readonly endpoint: Endpoint; readonly reason: Reason }
  /**
   * The machine slept, or a person has mended something: whatever waits is worth a try now, and a refusal from before
   * says nothing any more. Whoever sends it sees to it that the cluster tells anew what it refuses.
   */
  | { readonly type: "woke" }
  /** It leads to another cluster from now on: nothing of the one before counts, and the port stays bound. */
  | { readonly type: "moved" }
  /** Somebody wants it begun anew: as `moved`, but a port that could not be had is tried again, too. */
  | { readonly type: "restart" }
  /** The time of {@link wakeAt} has come. */
  | { readonly type: "tick" }
  | { readonly type: "stop"; readonly drainMs: number }
  | { readonly type: "drained" };

/** What to do. `connect` replaces a tunnel to another endpoint and retries one to the same. */
export type ForwardEffect =
  | { readonly do: "bind" | "follow" | "disconnect" | "close" | "resetConnections" }
  | { readonly do: "connect"; readonly endpoint: Endpoint };

export interface Step {
  readonly state: ForwardState;
  readonly effects: readonly ForwardEffect[];
}

/** Numbers the decisions depend on; `random` is uniform in [0, 1) and drawn anew for each step. */
export interface Policy {
  readonly backoff: BackoffPolicy;
  readonly probe: Pick<ProbeSpec, "type" | "failures">;
  readonly random: number;
}

/** The first step of a forward's life. */
export function begin(): Step {
  return { state: { kind: "binding" }, effects: [{ do: "bind" }] };
}

/** Decides, never acts: `nowMs` comes in, effects go out, the shell feeds each effect's outcome back as an event. */
export function step(state: ForwardState, event: ForwardEvent, nowMs: number, policy: Policy): Step {
  if (state.kind === "stopped") return stay(state);
  if (state.kind === "failed") return stepFailed(state, event, nowMs);
  if (state.kind === "stopping") return stepStopping(state, event, nowMs);
  switch (event.type) {
    case "stop":
      if (event.drainMs <= 0) return { state: { kind: "stopped" }, effects: [{ do: "close" }, ...END] };
      return { state: { kind: "stopping", deadlineMs: nowMs + event.drainMs }, effects: [{ do: "close" }] };
    case "bindFailed":
      return unbound(event.reason, nowMs);
    case "bound":
      if (state.kind !== "binding") return stay(state);
      return { state: { kind: "resolving" }, effects: [{ do: "follow" }] };
    case "none":
      return {
        state: { kind: "waiting", reason: event.reason, attempt: attemptOf(state), retry: null },
        effects: [{ do: "disconnect" }],
      };
    case "found":
      return found(state, event.endpoint, nowMs, policy);
    case "opened":
      return opened(state, event.endpoint, nowMs, policy);
    case "probed":
      return probed(state, event, nowMs, policy);
    case "lost":
      return lost(state, event.endpoint, event.reason, nowMs, policy);
    case "delayed":
      return delayed(state, event.endpoint, event.reason);
    case "woke":
      if (state.kind !== "waiting") return stay(state);
      if (state.retry) return connect(state.retry.endpoint, state.attempt, state.reason);
      return state.reason.kind === "denied" ? { state: { kind: "resolving" }, effects: [] } : stay(state);
    case "moved":
    case "restart":
      if (state.kind === "binding") return stay(state); // who has no port yet follows later
      return { state: { kind: "resolving" }, effects: [...END, { do: "follow" }] };
    case "tick":
      if (state.kind !== "waiting" || !state.retry) return stay(state);
      if (state.retry.atMs === null || nowMs < state.retry.atMs) return stay(state);
      return connect(state.retry.endpoint, state.attempt, state.reason);
    case "drained":
      return stay(state);
  }
}

/** When the machine wants a `tick`, and why; the shell owns the one timer. */
export function wakeAt(state: ForwardState): { readonly atMs: number; readonly why: string } | undefined {
  if (state.kind === "waiting" && state.retry && state.retry.atMs !== null)
    return { atMs: state.retry.atMs, why: `retry: ${state.reason.code}` };
  if (state.kind === "stopping") return { atMs: state.deadlineMs, why: "end of the drain" };
  if (state.kind === "failed" && state.retryAtMs !== null)
    return { atMs: state.retryAtMs, why: `retry: ${state.reason.code}` };
  return undefined;
}

/**
 * Two endpoints are one when the pod's UID and the port are: a StatefulSet's new pod bears the old name. Where the
 * address counts it has to be the same, too.
 */
function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.podUid === b.podUid && a.port === b.port && a.podIp === b.podIp;
}

function found(state: ForwardState, endpoint: Endpoint, nowMs: number, policy: Policy): Step {
  switch (state.kind) {
    case "connecting":
    case "proving":
    case "ready":
      return sameEndpoint(state.endpoint, endpoint) ? stay(state) : approach(endpoint, nowMs, policy);
    case "waiting":
      // The same endpoint failed a moment ago: its backoff stands. Anything else is news and ends the wait.
      return state.retry && sameEndpoint(state.retry.endpoint, endpoint)
        ? stay(state)
        : approach(endpoint, nowMs, policy);
    case "resolving":
      return approach(endpoint, nowMs, policy);
    case "binding":
    case "stopping":
    case "stopped":
    case "failed":
      return stay(state);
  }
}

/** Also ends a wait: forwards to one pod share its connections, and another one's retry may have come first. */
function opened(state: ForwardState, endpoint: Endpoint, nowMs: number, { probe }: Policy): Step {
  const wanted =
    state.kind === "connecting" ? state.endpoint : state.kind === "waiting" ? state.retry?.endpoint : null;
  if (!wanted || !sameEndpoint(wanted, endpoint)) return stay(state);
  const attempt = attemptOf(state);
  if (probe.type === "none" || probe.type === "tunnel")
    return { state: { kind: "ready", endpoint, attempt, readyAtMs: nowMs, failures: 0 }, effects: [] };
  const proving = { kind: "proving", endpoint, attempt, reason: null, failures: 0, nextMs: null } as const;
  return { state: proving, effects: [] };
}

/** Once ready, a probe may fail now and then; before, the first failure is worth its words. */
function probed(
  state: ForwardState,
  { endpoint, trouble, nextMs }: Extract<ForwardEvent, { type: "probed" }>,
  nowMs: number,
  { probe }: Policy,
): Step {
  if (state.kind !== "ready" && state.kind !== "proving") return stay(state);
  if (!sameEndpoint(state.endpoint, endpoint)) return stay(state);
  const { attempt } = state;
  if (trouble === null) {
    if (state.kind === "ready" && state.failures === 0) return stay(state);
    const readyAtMs = state.kind === "ready" ? state.readyAtMs : nowMs;
    return { state: { kind: "ready", endpoint, attempt, readyAtMs, failures: 0 }, effects: [] };
  }
  const failures = state.failures + 1;
  if (state.kind === "ready" && failures < probe.failures)
    return { state: { ...state, failures }, effects: [] };
  return { state: { kind: "proving", endpoint, attempt, reason: trouble, failures, nextMs }, effects: [] };
}

function delayed(state: ForwardState, endpoint: Endpoint, reason: Reason): Step {
  const wanted = underWay(state);
  if (!wanted || !sameEndpoint(wanted, endpoint)) return stay(state);
  const attempt = attemptOf(state);
  return { state: { kind: "waiting", reason, attempt, retry: { endpoint, atMs: null } }, effects: [] };
}

/** What is being connected to, be it delayed. */
function underWay(state: ForwardState): Endpoint | undefined {
  if (state.kind === "connecting") return state.endpoint;
  return state.kind === "waiting" && state.retry?.atMs === null ? state.retry.endpoint : undefined;
}

function lost(state: ForwardState, endpoint: Endpoint, reason: Reason, nowMs: number, policy: Policy): Step {
  const had = state.kind === "ready" || state.kind === "proving" ? state.endpoint : underWay(state);
  if (!had || !sameEndpoint(had, endpoint)) return stay(state);
  const wasWell = state.kind === "ready" && nowMs - state.readyAtMs >= policy.backoff.resetAfterMs;
  const attempt = wasWell ? 1 : attemptOf(state) + 1;
  const waitMs =
    reason.kind === "denied" ? DENIED_RETRY_MS : backoffMs(attempt, policy.random, policy.backoff);
  // The first retry after trouble is immediate, but `lost` while connecting must not spin without a pause.
  const isUnderWay = underWay(state) !== undefined;
  if (waitMs === 0 && !isUnderWay) return connect(endpoint, attempt, reason);
  const atMs = nowMs + Math.max(waitMs, isUnderWay ? policy.backoff.firstMs : 0);
  return { state: { kind: "waiting", reason, attempt, retry: { endpoint, atMs } }, effects: [] };
}

/** A port that another program holds, or an address that comes with a VPN, may be had later. */
const BIND_AGAIN_MS = 5_000;

function unbound(reason: Reason, nowMs: number): Step {
  return { state: { kind: "failed", reason, retryAtMs: nowMs + BIND_AGAIN_MS }, effects: [] };
}

/** It stays failed while it tries again, so that nothing flickers. */
function stepFailed(state: ForwardState & { kind: "failed" }, event: ForwardEvent, nowMs: number): Step {
  const { reason, retryAtMs } = state;
  switch (event.type) {
    case "stop":
      return { state: { kind: "stopped" }, effects: [{ do: "close" }, ...END] };
    case "bound":
      return { state: { kind: "resolving" }, effects: [{ do: "follow" }] };
    case "bindFailed":
      return unbound(event.reason, nowMs);
    case "tick":
    case "restart":
    case "woke": {
      if (retryAtMs === null || (event.type === "tick" && nowMs < retryAtMs)) return stay(state);
      return { state: { kind: "failed", reason, retryAtMs: null }, effects: [{ do: "bind" }] };
    }
    case "found":
    case "none":
    case "opened":
    case "probed":
    case "lost":
    case "delayed":
    case "moved":
    case "drained":
      return stay(state);
  }
}

function stepStopping(state: ForwardState & { kind: "stopping" }, event: ForwardEvent, nowMs: number): Step {
  const overdue = event.type === "tick" && nowMs >= state.deadlineMs;
  const hurried = event.type === "stop" && event.drainMs <= 0;
  if (event.type === "drained" || overdue || hurried) return { state: { kind: "stopped" }, effects: END };
  if (event.type !== "stop") return stay(state);
  const deadlineMs = Math.min(state.deadlineMs, nowMs + event.drainMs); // a second stop can only hurry
  return { state: { kind: "stopping", deadlineMs }, effects: [] };
}

const END: readonly ForwardEffect[] = [{ do: "resetConnections" }, { do: "disconnect" }];

function connect(endpoint: Endpoint, attempt: number, reason: Reason | null): Step {
  return { state: { kind: "connecting", endpoint, attempt, reason }, effects: [{ do: "connect", endpoint }] };
}

/** The first try of an endpoint that is news. Without any probe a ready pod is all that it takes. */
function approach(endpoint: Endpoint, nowMs: number, { probe }: Policy): Step {
  const step = connect(endpoint, 0, null);
  if (probe.type !== "none") return step;
  return { ...step, state: { kind: "ready", endpoint, attempt: 0, readyAtMs: nowMs, failures: 0 } };
}

function attemptOf(state: ForwardState): number {
  return "attempt" in state ? state.attempt : 0;
}

function stay(state: ForwardState): Step {
  return { state, effects: [] };
}

export const DEFAULT_POLICY: Omit<Policy, "random"> = {
  backoff: DEFAULT_BACKOFF,
  probe: { type: "tunnel", failures: 1 },
};

/** What a spec says of trying again and of probing. */
export function policyOf({ retry, probe }: Pick<ForwardSpec, "retry" | "probe">): Omit<Policy, "random"> {
  const backoff = retry && {
    firstMs: retry.initialMs,
    factor: DEFAULT_BACKOFF.factor,
    capMs: retry.maxMs,
    resetAfterMs: retry.resetAfterMs,
  };
  return { backoff: backoff ?? DEFAULT_BACKOFF, probe: probe ?? DEFAULT_POLICY.probe };
}
