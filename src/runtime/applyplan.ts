/** What an `apply` is going to do, before anything is done. */
import type { ForwardSpec } from "../schema/spec.ts";
import { plan, type Change, type Running } from "./core/plan.ts";
import type { ApplyRequest, Cluster } from "./deps.ts";
import { pin, refuseProtected, type Pinned } from "./pin.ts";

/** An `apply` that may go on. */
export interface ApplyPlan {
  readonly changes: readonly Change[];
  /** The forwards it is about, and where they lead, by name. */
  readonly chosen: readonly ForwardSpec[];
  readonly pinned: ReadonlyMap<string, Pinned>;
  /** What stays as it runs though the file says something else. */
  readonly unheeded: readonly string[];
}

/** @throws KfwdError as {@link pin} and {@link refuseProtected}. */
export function planApply(
  request: ApplyRequest,
  running: ReadonlyMap<string, Running>,
  cluster: Cluster,
): ApplyPlan {
  const { forwards, names, recreate, orphans, occasion, allowContexts } = request;
  const chosen = forwards.filter(({ name }) => names?.includes(name) ?? true);
  const ofAll = new Set(forwards.map(wayOf)).size === 1;
  const pinned = new Map(
    chosen.map((spec) => [spec.name, pin(spec, cluster, ofAll ? "all" : "its own")] as const),
  );
  for (const { spec } of pinned.values()) refuseProtected(spec, allowContexts);
  const wanted = [...pinned.values()].map(({ spec }) => spec);
  const resting = occasion === "reread" ? restingIn(running, chosen) : [];
  const changes = plan(running, wanted, names, recreate)
    .filter(({ action }) => action !== "remove" || orphans !== "keep")
    .map((change): Change => {
      return resting.includes(change.name) ? { action: "keep", name: change.name } : change;
    });
  const plain = recreate === "none" ? plan(running, wanted, names) : [];
  const unheeded = plain.flatMap(({ action, name }) => (action === "replace" ? [name] : [])).concat(resting);
  return { changes, chosen, pinned, unheeded };
}

/** Those of the file that somebody has stopped, or that are over. */
function restingIn(running: ReadonlyMap<string, Running>, specs: readonly ForwardSpec[]): readonly string[] {
  return specs.flatMap(({ name }) => {
    const stage = running.get(name)?.stage;
    return stage === "stopped" || stage === "stopping" ? [name] : [];
  });
}

/** To read files again may shorten the time of a forward, and never prolongs it. */
export function withLeastTtls(running: ReadonlyMap<string, Running>, request: ApplyRequest): ApplyRequest {
  if (request.occasion !== "reread") return request;
  const forwards = request.forwards.map((spec) => {
    const ttlMs = Math.min(spec.ttlMs ?? Infinity, running.get(spec.name)?.spec.ttlMs ?? Infinity);
    return ttlMs === Infinity ? spec : { ...spec, ttlMs };
  });
  return { ...request, forwards };
}

/** A client that needs forwards for as long as it runs does not shorten them for others. */
export function withTtlsOf(running: ReadonlyMap<string, Running>, request: ApplyRequest): ApplyRequest {
  const forwards = request.forwards.map((spec) => withTtlOf(running.get(spec.name), spec));
  return { ...request, forwards };
}

function withTtlOf(running: Running | undefined, spec: ForwardSpec): ForwardSpec {
  if (running === undefined || running.stage === "stopped") return spec;
  const { ttlMs, ...others } = spec;
  const kept = running.spec.ttlMs;
  if (kept === ttlMs) return spec;
  return kept === undefined ? others : { ...others, ttlMs: kept };
}

/** Which way a forward goes to its cluster, as text to compare. */
function wayOf({ kubeconfig, context }: ForwardSpec): string {
  return JSON.stringify([kubeconfig, context]);
}
