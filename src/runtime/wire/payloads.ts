/**
 * What control messages carry, as schemas of the types of deps.ts and status.ts.
 *
 * Two rules for peers of another version. What a supervisor tells is read generously: unknown fields are dropped,
 * unknown words become the nearest known one. What a supervisor is asked to do is read strictly, because a wish it
 * only half understands must not be half fulfilled.
 */
import * as z from "zod/mini";
import type { ErrorRecord } from "../../errors.ts";
import type {
  ForwardSpec,
  ProbeSpec,
  RelaySpec,
  RemotePort,
  RetrySpec,
  SourcePosition,
  Target,
} from "../../schema/spec.ts";
import type {
  DatagramTraffic,
  FailureKind,
  ForwardStatus,
  LocalAddress,
  Note,
  Owner,
  Reason,
  RelayPod,
  Stage,
  StatusReport,
  SupervisorEvent,
  Traffic,
} from "../core/status.ts";
import type {
  ApplyRequest,
  ApplyResult,
  ChangeAction,
  HaltRequest,
  NamesRequest,
  NamesResult,
  ReleaseRequest,
  StopRequest,
  StopResult,
} from "../deps.ts";
import { agree } from "./agree.ts";

/** What an unknown word of a later version is read as. */
const otherwise = z.catch;

/** What a field is read as that an earlier version does not send. */
const sinceLater = z._default;

const count = z.number().check(z.gte(0));
const port = z.int().check(z.gte(0), z.lte(65_535));

export const errorRecord = agree<ErrorRecord>()(
  z.object({
    code: z.string(),
    message: z.string(),
    hint: z.exactOptional(z.string()),
    file: z.exactOptional(z.string()),
    line: z.exactOptional(z.number()),
    column: z.exactOptional(z.number()),
  }),
);

// --- what a supervisor is asked ---------------------------------------------------------------------------------

const target = agree<Target>()(
  z.union([
    z.strictObject({
      kind: z.enum(["svc", "deploy", "sts", "ds", "rs", "job", "pod"]),
      name: z.string(),
      container: z.exactOptional(z.string()),
    }),
    z.strictObject({
      kind: z.literal("selector"),
      selector: z.string(),
      container: z.exactOptional(z.string()),
    }),
    z.strictObject({ kind: z.literal("host"), name: z.string() }),
  ]),
);

const remotePort = agree<RemotePort>()(
  z.strictObject({ via: z.enum(["service", "pod"]), port: z.union([z.number(), z.string()]) }),
);

const sourcePosition = agree<SourcePosition>()(
  z.strictObject({ file: z.string(), line: z.number(), column: z.number() }),
);

const words = z.record(z.string(), z.string());

const probe = agree<ProbeSpec>()(
  z.strictObject({
    type: z.enum(["none", "tunnel", "tcp", "http"]),
    path: z.string(),
    status: z.tuple([z.number(), z.number()]),
    intervalMs: count,
    timeoutMs: count,
    failures: count,
  }),
);

const retry = agree<RetrySpec>()(z.strictObject({ initialMs: count, maxMs: count, resetAfterMs: count }));

const relay = agree<RelaySpec>()(
  z.strictObject({
    image: z.exactOptional(z.string()),
    imagePullSecrets: z.exactOptional(z.array(z.string())),
    namespace: z.exactOptional(z.string()),
    serviceAccount: z.exactOptional(z.string()),
    resources: z.exactOptional(
      z.strictObject({ requests: z.exactOptional(words), limits: z.exactOptional(words) }),
    ),
    nodeSelector: z.exactOptional(words),
    tolerations: z.exactOptional(z.array(z.record(z.string(), z.union([z.string(), z.number()])))),
    labels: z.exactOptional(words),
    annotations: z.exactOptional(words),
    ttlMs: z.exactOptional(count),
    idleMs: z.exactOptional(count),
    share: z.exactOptional(z.literal("entry")),
    patch: z.exactOptional(z.record(z.string(), z.json())),
  }),
);

const forwardSpec = agree<ForwardSpec>()(
  z.strictObject({
    name: z.string(),
    description: z.exactOptional(z.string()),
    target,
    remotePort: z.exactOptional(remotePort),
    protocol: z.enum(["tcp", "udp"]),
    local: z.union([port, z.literal("auto")]),
    bind: z.array(z.string()),
    context: z.exactOptional(z.string()),
    namespace: z.exactOptional(z.string()),
    kubeconfig: z.exactOptional(z.string()),
    required: z.boolean(),
    localRange: z.exactOptional(z.strictObject({ first: port, last: port })),
    via: z.exactOptional(z.literal("relay")),
    whenUnavailable: z.exactOptional(z.literal("refuse")),
    holdMs: z.exactOptional(count),
    ttlMs: z.exactOptional(count),
    retry: z.exactOptional(retry),
    probe: z.exactOptional(probe),
    pick: z.exactOptional(z.enum(["newest", "random"])),
    followContext: z.exactOptional(z.literal(true)),
    protect: z.exactOptional(z.array(z.string())),
    url: z.exactOptional(z.string()),
    env: z.exactOptional(words),
    hosts: z.exactOptional(z.array(z.string())),
    labels: z.exactOptional(words),
    relay: z.exactOptional(relay),
    source: sourcePosition,
  }),
);

const config = agree<StatusReport["config"]>()(
  z.object({
    path: z.nullable(z.string()),
    sha256: z.string(),
    others: z.exactOptional(z.array(z.object({ path: z.string(), sha256: z.string() }))),
  }),
);

export const applyRequest = agree<ApplyRequest>()(
  z.object({
    project: z.string(),
    config,
    forwards: z.array(forwardSpec),
    names: z.nullable(z.array(z.string())),
    allowContexts: z.exactOptional(z.array(z.string())),
    recreate: z.exactOptional(z.enum(["all", "none"])),
    orphans: z.exactOptional(z.literal("keep")),
    occasion: z.exactOptional(z.literal("reread")),
    owner: z.exactOptional(z.enum(["project", "client"])),
    ownerPid: z.exactOptional(z.int()),
    again: z.exactOptional(z.object({ args: z.array(z.string()), cwd: z.string() })),
  }),
);

export const releaseRequest = agree<ReleaseRequest>()(
  z.object({ names: z.nullable(z.array(z.string())), to: z.exactOptional(z.literal("project")) }),
);

/** Nobody waits longer for the end of a connection. */
const DRAIN_MAX_MS = 7 * 86_400_000;

const drainMs = z.pipe(
  count,
  z.transform((ms: number) => Math.min(ms, DRAIN_MAX_MS)),
);

/** Frozen: peers of every version send this shape. */
export const stopRequest = agree<StopRequest>()(
  z.object({ names: z.nullable(z.array(z.string())), drainMs }),
);

const names = z.nullable(z.array(z.string()));

export const haltRequest = agree<HaltRequest>()(z.object({ names, drainMs }));

export const namesRequest = agree<NamesRequest>()(z.object({ names }));

// --- what a supervisor tells ------------------------------------------------------------------------------------

const action = agree<ChangeAction>()(
  otherwise(z.enum(["start", "replace", "update", "keep", "remove"]), "update"),
);

export const applyResult = agree<ApplyResult>()(
  z.object({ changes: z.array(z.object({ name: z.string(), action })) }),
);

export const namesResult = agree<NamesResult>()(z.object({ names: z.array(z.string()) }));

/** Frozen, as {@link stopRequest}. */
export const stopResult = agree<StopResult>()(z.object({ stopped: z.array(z.string()) }));

const failureKind = agree<FailureKind>()(
  otherwise(
    z.enum(["transient", "unreachable", "gone", "missing", "denied", "local", "protocol", "unsupported"]),
    "transient",
  ),
);

const reason = agree<Reason>()(
  z.object({
    code: z.string(),
    kind: failureKind,
    message: z.string(),
    hint: z.exactOptional(z.string()),
  }),
);

const note = agree<Note>()(
  z.object({ code: z.string(), message: z.string(), hint: z.exactOptional(z.string()) }),
);

const stage = agree<Stage>()(
  otherwise(
    z.enum(["binding", "resolving", "connecting", "ready", "waiting", "failed", "stopping", "stopped"]),
    "waiting",
  ),
);

const traffic = agree<Traffic>()(
  z.object({
    bytesIn: count,
    bytesOut: count,
    connections: count,
    held: count,
    waited: sinceLater(count, 0),
    served: count,
    refused: count,
    lateEnds: sinceLater(count, 0),
  }),
);

const relayPod = agree<RelayPod>()(
  z.object({
    name: z.nullable(z.string()),
    namespace: z.string(),
    uid: z.nullable(z.string()),
    state: otherwise(z.enum(["creating", "starting", "running", "waiting", "gone"]), "waiting"),
    reason: z.nullable(reason),
  }),
);

const dropped = sinceLater(count, 0);

const datagrams = agree<DatagramTraffic>()(
  z.object({
    flows: count,
    crowdedOut: sinceLater(count, 0),
    in: count,
    out: count,
    dropped: z.object({
      notReady: dropped,
      full: dropped,
      refused: dropped,
      tooLarge: dropped,
      unresolved: dropped,
      received: dropped,
      sent: dropped,
    }),
  }),
);

const localAddress = agree<LocalAddress>()(z.object({ address: z.string(), port }));

const forwardStatus = agree<ForwardStatus>()(
  z.object({
    name: z.string(),
    description: z.nullable(z.string()),
    state: stage,
    reason: z.nullable(reason),
    protocol: otherwise(z.enum(["tcp", "udp"]), "tcp"),
    required: z.boolean(),
    local: z.array(localAddress),
    bind: z.array(z.string()),
    localPort: z.nullable(port),
    target: otherwise(target, { kind: "selector", selector: "" }), // `targetText` says it in words
    targetText: z.string(),
    context: z.nullable(z.string()),
    namespace: z.nullable(z.string()),
    pod: z.nullable(z.string()),
    podPort: z.nullable(z.number()),
    since: z.string(),
    endsAt: z.exactOptional(z.string()),
    attempt: count,
    restarts: count,
    retryAt: z.nullable(z.string()),
    lastError: z.nullable(z.object({ message: z.string(), at: z.string() })),
    traffic,
    relay: sinceLater(z.nullable(relayPod), null),
    datagrams: sinceLater(z.nullable(datagrams), null),
  }),
);

const owners = z.array(agree<Owner>()(z.object({ pid: z.nullable(z.int()), names: z.array(z.string()) })));

/** Frozen: `status` of every version reads it, and a later supervisor only adds fields. */
export const statusReport = agree<StatusReport>()(
  z.object({
    schema: otherwise(z.literal("kfwd.status/1"), "kfwd.status/1"),
    project: z.string(),
    supervisor: z.object({
      pid: z.int(),
      mode: z.enum(["foreground", "detached"]),
      version: z.string(),
      startedAt: z.string(),
      log: z.string(),
    }),
    config,
    entries: z.array(forwardStatus),
    notes: z.exactOptional(z.array(note)),
    owners: z.exactOptional(owners),
    kept: z.exactOptional(z.array(z.string())),
  }),
);

export const supervisorEvent = agree<SupervisorEvent>()(
  z.union([
    z.object({ type: z.literal("forward"), status: forwardStatus }),
    z.object({ type: z.literal("halted"), name: z.string() }),
    z.object({ type: z.literal("removed"), name: z.string() }),
    z.object({ type: z.literal("owners"), owners }),
    z.object({ type: z.literal("ended"), why: z.string() }),
  ]),
);
