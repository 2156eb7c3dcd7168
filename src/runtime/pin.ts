/** Where a forward leads at the time of an `apply`, and where it must not lead. */
import { KfwdError } from "../errors.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { shellWord } from "../shellword.ts";
import type { Deps, Place } from "./deps.ts";
import { protectedError, protectingGlob } from "./files/protect.ts";

/** A spec and where it leads, as the kubeconfig says at the time of `apply`. */
export interface Pinned {
  readonly spec: ForwardSpec;
  readonly place: Place;
}

/** `whose` way to the cluster it is: an error names the forward whose way is not that of all. */
export function pin(spec: ForwardSpec, cluster: Deps["cluster"], whose: "all" | "its own"): Pinned {
  const { name, source, kubeconfig, context, namespace } = spec;
  try {
    const place = cluster.pin({ kubeconfig, context, namespace });
    return { spec: { ...spec, context: place.context, namespace: place.namespace }, place };
  } catch (thrown) {
    const { code, message, hint, detail } = KfwdError.from(thrown);
    if (whose === "all") throw thrown;
    const about = `forward "${name}": ${message}`;
    throw new KfwdError(code, about, { hint, detail, place: source, cause: thrown });
  }
}

/**
 * The command has looked as well, at the current context of its own kubeconfig a moment ago; this is where the forward goes.
 * @throws KfwdError `PROTECTED_CONTEXT`.
 */
export function refuseProtected(
  { name, context, protect = [], source }: ForwardSpec,
  allowed: readonly string[] = [],
): void {
  const glob = protectingGlob(context, protect, allowed);
  if (context === undefined || glob === undefined) return;
  throw protectedError({ context, glob, forward: name }, `--allow-context ${shellWord(context)}`, source);
}
