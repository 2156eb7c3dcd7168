/** What a forward's target means now and on every change, as events of its machine. */
import type { ForwardSpec } from "../../schema/spec.ts";
import { entryOf } from "../core/entryname.ts";
import type { ForwardEvent } from "../core/forward.ts";
import type { Endpoint } from "../core/status.ts";
import type { Cluster, Place, Resolution } from "../deps.ts";
import { hostEndpoint } from "./hosttarget.ts";
import type { Route } from "./route.ts";

/** Undefined where nothing can ever change: a host outside the cluster is told at once. */
export function followTarget(
  cluster: Cluster,
  { name, target, remotePort, protocol, pick }: ForwardSpec,
  place: Place,
  { needsIp }: Pick<Route, "needsIp">,
  dispatch: (event: ForwardEvent) => void,
): Disposable | undefined {
  const tell = (told: Resolution): void => {
    if (told.kind === "none") dispatch({ type: "none", reason: told.reason });
    else dispatch({ type: "found", endpoint: needsIp ? told.endpoint : withoutAddress(told.endpoint) });
  };
  if (target.kind !== "host") {
    const entry = entryOf(name) === name ? undefined : entryOf(name);
    return cluster.follow({ place, target, remotePort, pick, protocol, entry }, tell);
  }
  tell(hostEndpoint(place, target.name, remotePort));
  return undefined;
}

/** Where the address does not count, a change of it is none. */
function withoutAddress({ context, namespace, pod, podUid, port }: Endpoint): Endpoint {
  return { context, namespace, pod, podUid, port };
}
