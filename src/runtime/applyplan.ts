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
  const { forwards, names, recreate, allowContexts } = request;
  const chosen = forwards.filter(({ name }) => names?.includes(name) ?? true);
  const ofAll = new Set(forwards.map(wayOf)).size === 1;
  const pinned = new Map(
    chosen.map((spec) => [spec.name, pin(spec, cluster, ofAll ? "all" : "its own")] as const),
  );
  for (const { spec } of pinned.values()) refuseProtected(spec, allowContexts);
  const wanted = [...pinned.values()].map(({ spec }) => spec);
  const changes = plan(running, wanted, names, recreate);
  const plain = recreate === "none" ? plan(running, wanted, names) : [];
  const unheeded = plain.flatMap(({ action, name }) => (action === "replace" ? [name] : []));
  return { changes, chosen, pinned, unheeded };
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
