/** The way of one accepted connection: held until a pod is ready, carried, and carried again if the pod took nothing. */
import { KfwdError } from "../../errors.ts";
import type { Endpoint, Reason } from "../core/status.ts";
import type { CarryEnd, Clock, Connection } from "../deps.ts";
import type { Gate, Refusal } from "./gate.ts";
import type { Way } from "./route.ts";

/** How long a connection may wait for a ready pod, in all its attempts together, unless the file says otherwise. */
export const HOLD_MS = 10_000;

/** Making the way to a ready pod takes some round trips; a client that is not to wait for a pod waits for those. */
const WAY_MS = 1_000;

/** How many connections of one forward may wait at once; each has at most 64 KiB of its bytes read. */
export const HOLD_MAX = 1_024;

/**
 * A pod that shuts down refuses connections some milliseconds before the watch tells us to avoid it. So a refused
 * connection waits this long for another endpoint before its client learns of the refusal, or before the same one is
 * tried again while there is {@link Patience}.
 */
export const REFUSED_GRACE_MS = 250;

/**
 * How it went: `carried` to its end in order, `broken` after it had been carried, `refused` without an answer.
 * `lateEnd`: see {@link CarryEnd}.
 */
export type Outcome =
  | { readonly kind: "carried"; readonly lateEnd?: true }
  | { readonly kind: "broken" | "refused"; readonly reason: Reason };

/** What a connection meets on its way. */
export interface Surroundings {
  readonly clock: Clock;
  readonly gate: Gate<Way>;
  /** 0: while nothing is ready, clients are refused at once. */
  readonly holdMs: number;
  /** Whether the way to a ready pod is being made, which is worth {@link WAY_MS} even where nobody is to be held. */
  readonly isNear?: () => boolean;
  /** Told when a stream finds the pod gone, before the connection goes back to the gate. */
  readonly onGone: (endpoint: Endpoint, reason: Reason) => void;
}

/** Never rejects: whatever goes wrong ends this connection alone and is told in the outcome. */
export async function serve(connection: Connection, around: Surroundings): Promise<Outcome> {
  const { clock, gate, holdMs } = around;
  const startMs = clock.now();
  const deadlineMs = startMs + holdMs;
  let podSaid: Reason | undefined;
  for (;;) {
    const passMs = around.isNear?.() ? Math.max(deadlineMs, startMs + WAY_MS) : deadlineMs;
    const pass = await gate.pass(passMs, connection.closed);
    if (pass.kind === "refused") {
      // A client that leaves while it waits got what it wanted.
      if (pass.why === "left") return { kind: "carried" };
      return refuse(
        connection,
        (pass.why === "late" ? podSaid : undefined) ?? refusalReason(pass.why, holdMs),
      );
    }
    const trouble = await attempt(connection, pass.way, around);
    const { patience } = pass.way;
    if (connection.traffic.bytesIn > 0) patience.untilMs = Number.POSITIVE_INFINITY;
    if (trouble.kind === "final") return trouble.outcome;
    if (trouble.kind === "refused" && trouble.reason.kind !== "gone") podSaid = trouble.reason;
    const changed = await gate.changes(pass.way, REFUSED_GRACE_MS, connection.closed);
    const untilMs = trouble.kind === "refused" ? Math.min(deadlineMs, patience.untilMs) : deadlineMs;
    if (changed || (!connection.closed.aborted && clock.now() < untilMs)) continue;
    if (trouble.kind === "refused" && !connection.closed.aborted) patience.untilMs = 0;
    return refuse(connection, trouble.reason);
  }
}

/**
 * What one attempt came to. `refused`: the pod did not take it, another one may. `noUpgrade`: it did not get as far as
 * the pod.
 */
type Trouble =
  | { readonly kind: "final"; readonly outcome: Outcome }
  | { readonly kind: "refused" | "noUpgrade"; readonly reason: Reason };

async function attempt(connection: Connection, way: Way, around: Surroundings): Promise<Trouble> {
  let carried: CarryEnd;
  try {
    carried = await connection.carry((handler) => way.open(handler, connection.closed), way.ends);
  } catch (thrown) {
    if (connection.closed.aborted) return { kind: "final", outcome: { kind: "carried" } };
    return { kind: "noUpgrade", reason: reasonOf(thrown) };
  }
  if (carried.end.kind === "done") {
    return { kind: "final", outcome: { kind: "carried", ...(carried.lateEnd && { lateEnd: true }) } };
  }
  const { reason } = carried.end;
  if (reason.kind === "gone") around.onGone(way.endpoint, reason);
  if (carried.replayable) return { kind: "refused", reason };
  connection.reset();
  return { kind: "final", outcome: { kind: "broken", reason } };
}

function refuse(connection: Connection, reason: Reason): Outcome {
  connection.reset();
  return { kind: "refused", reason };
}

function refusalReason(why: Exclude<Refusal, "left">, holdMs: number): Reason {
  switch (why) {
    case "late":
      if (holdMs === 0) return { code: "Unavailable", kind: "transient", message: "no pod was ready" };
      return {
        code: "HeldTooLong",
        kind: "transient",
        message: `no pod was ready within ${holdMs / 1000} s`,
      };
    case "full":
      return {
        code: "TooManyHeld",
        kind: "transient",
        message: `no pod is ready and ${HOLD_MAX} connections are waiting already`,
      };
    case "closed":
      return { code: "Stopped", kind: "gone", message: "the forward was stopped" };
  }
}

function reasonOf(thrown: unknown): Reason {
  const error = KfwdError.from(thrown);
  return { code: error.reasonCode, kind: "transient", message: error.message };
}
