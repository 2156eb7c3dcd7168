/** From a forward's state and counters to what `status` shows: pure, so that the truth can be tested. */
import type { ForwardSpec } from "../../schema/spec.ts";
import type { ForwardState } from "./forward.ts";
import type {
  DatagramTraffic,
  Endpoint,
  ForwardStatus,
  LocalAddress,
  Reason,
  RelayPod,
  Stage,
  Traffic,
} from "./status.ts";

/** What is true of a forward besides its state. Times are wall-clock milliseconds. */
export interface ForwardFacts {
  readonly context: string;
  readonly namespace: string;
  readonly local: readonly LocalAddress[];
  readonly sinceMs: number;
  /** Times it became ready. */
  readonly timesReady: number;
  readonly lastError: { readonly message: string; readonly atMs: number } | undefined;
  readonly traffic: Traffic;
  readonly relay: RelayPod | null;
  readonly datagrams: DatagramTraffic | null;
  /** When its `ttl` is over. */
  readonly endsAtMs?: number | undefined;
  /** Why it was stopped, when nobody asked for it. */
  readonly over?: Reason | undefined;
}

/** The reason of a forward that was stopped because its `ttl` was over. */
export function ttlOver({ name, ttlMs = 0 }: Pick<ForwardSpec, "name" | "ttlMs">): Reason {
  const message = `its ttl of ${lengthText(ttlMs)} is over`;
  return { code: "TtlOver", kind: "gone", message, hint: `kfwd up ${name}` };
}

/** `30m`, `1h30m`: as the file might say it. */
function lengthText(ms: number): string {
  let left = ms;
  const parts = LENGTHS.map(([unit, unitMs]) => {
    const count = Math.floor(left / unitMs);
    left -= count * unitMs;
    return count === 0 ? "" : `${count}${unit}`;
  });
  return parts.join("");
}

const LENGTHS = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
] as const;

/** `nowMs` is the clock the state counts in, `wallMs` the same moment on the wall. */
export function describeForward(
  spec: ForwardSpec,
  state: ForwardState,
  facts: ForwardFacts,
  nowMs: number,
  wallMs: number,
): ForwardStatus {
  const endpoint = spec.target.kind === "host" ? undefined : endpointOf(state);
  const retryAtMs = retryAtMsOf(state);
  return {
    name: spec.name,
    description: spec.description ?? null,
    state: stageOf(state),
    reason: reasonOf(state) ?? facts.over ?? slowness(state, facts, wallMs),
    protocol: spec.protocol,
    required: spec.required,
    local: facts.local,
    bind: spec.bind,
    localPort: facts.local[0]?.port ?? (spec.local === "auto" ? null : spec.local),
    target: spec.target,
    targetText: targetText(spec),
    context: facts.context,
    namespace: facts.namespace,
    pod: endpoint?.pod ?? null,
    podPort: endpoint?.port ?? null,
    since: iso(facts.sinceMs),
    ...(facts.endsAtMs !== undefined && { endsAt: iso(facts.endsAtMs) }),
    attempt: attemptOf(state),
    restarts: Math.max(0, facts.timesReady - 1),
    retryAt: retryAtMs === null ? null : iso(wallMs + retryAtMs - nowMs),
    lastError: facts.lastError ? { message: facts.lastError.message, at: iso(facts.lastError.atMs) } : null,
    traffic: facts.traffic,
    relay: facts.relay,
    datagrams: facts.datagrams,
  };
}

/** An application that fails its probe is waited for; one that has not been asked yet is being connected to. */
export function stageOf(state: ForwardState): Stage {
  if (state.kind !== "proving") return state.kind;
  return state.reason === null ? "connecting" : "waiting";
}

function attemptOf(state: ForwardState): number {
  if (state.kind === "proving") return state.failures;
  return "attempt" in state ? state.attempt : 0;
}

function retryAtMsOf(state: ForwardState): number | null {
  if (state.kind === "proving") return state.nextMs;
  if (state.kind === "failed") return state.retryAtMs;
  return state.kind === "waiting" ? (state.retry?.atMs ?? null) : null;
}

function endpointOf(state: ForwardState): Endpoint | undefined {
  if (state.kind === "connecting" || state.kind === "ready" || state.kind === "proving")
    return state.endpoint;
  return state.kind === "waiting" ? state.retry?.endpoint : undefined;
}

function reasonOf(state: ForwardState): Reason | null {
  return "reason" in state ? state.reason : null;
}

/** A stage that lasts longer than this is worth a word. */
const SLOW_MS = 1_000;

/** What a stage that usually takes milliseconds waits for. */
function slowness(state: ForwardState, facts: ForwardFacts, wallMs: number): Reason | null {
  if (wallMs - facts.sinceMs < SLOW_MS) return null;
  const slow = (what: string): Reason => ({
    code: "NoAnswerYet",
    kind: "transient",
    message: `no answer yet from ${what} of context "${facts.context}"`,
  });
  if (state.kind === "resolving") return slow("the credentials or the API server");
  if (state.kind === "proving") return slow("the application to its first probe");
  if (state.kind === "connecting" && facts.relay && facts.relay.state !== "running")
    return starting(facts.relay);
  return state.kind === "connecting" ? slow("the API server") : null;
}

function starting({ name, namespace, state, reason }: RelayPod): Reason {
  if (reason !== null) return reason;
  const pod = name === null ? "the relay pod" : `the relay pod "${name}"`;
  const message = `${pod} in namespace "${namespace}" is ${state === "starting" ? "starting" : "being created"}`;
  return { code: "RelayStarting", kind: "transient", message };
}

/** The target as people write it: `svc/api:http`, `pod/web-0:8080`, `pods app=web:8080`. */
export function targetText(spec: Pick<ForwardSpec, "target" | "remotePort">): string {
  const { target, remotePort } = spec;
  const name = target.kind === "selector" ? `pods ${target.selector}` : `${target.kind}/${target.name}`;
  return remotePort === undefined ? name : `${name}:${remotePort.port}`;
}

function iso(wallMs: number): string {
  // oxlint-disable-next-line no-restricted-globals -- formats a time, does not read one
  return new Date(wallMs).toISOString();
}
