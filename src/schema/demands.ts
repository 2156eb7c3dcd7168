/** What files want that only trusted files may have. */
import { isLoopback } from "./address.ts";
import type { TrustDemand } from "./details.ts";
import { isObeyed } from "./obeyed.ts";
import { UNPRIVILEGED_FIRST } from "./port.ts";
import { quoted } from "../printable.ts";
import type { PlacedSpec } from "./rawentry.ts";
import { isRelayed } from "../relayed.ts";
import { positionOf } from "./source.ts";
import type { RelaySpec } from "./spec.ts";

/** The demands of all forwards that are on; what several have from one place is told once. */
export function demandsOf(placed: readonly PlacedSpec[]): readonly TrustDemand[] {
  const demands = new Map<string, TrustDemand>();
  for (const one of placed) {
    if (one.off !== undefined) continue;
    for (const demand of demandsOfOne(one)) {
      const { kind, message, source } = demand;
      demands.set(`${kind} ${source.file} ${source.line} ${source.column} ${message}`, demand);
    }
  }
  return [...demands.values()];
}

function demandsOfOne({ spec, bindWords, localAt, at }: PlacedSpec): readonly TrustDemand[] {
  const about = `forward ${quoted(spec.name)}`;
  const demands: TrustDemand[] = [];
  const open = bindWords.filter((address) => !isLoopback(address));
  if (open.length > 0) {
    const message = `${about} listens on ${open.slice(0, 3).join(", ")}, where others can connect`;
    demands.push({ kind: "public-bind", message, source: positionOf(at("bind")) });
  }
  const lowest = spec.local === "auto" ? spec.localRange?.first : spec.local;
  if (lowest !== undefined && lowest < UNPRIVILEGED_FIRST) {
    const port = spec.local === "auto" ? `a port from ${lowest}` : `port ${lowest}`;
    const message = `${about} listens on ${port}, below ${UNPRIVILEGED_FIRST} as services of the system do`;
    demands.push({ kind: "privileged-port", message, source: positionOf(localAt) });
  }
  if (isRelayed(spec)) demands.push(...demandsOfRelay(spec.relay, at));
  if (spec.target.kind === "host") {
    const message = `${about} reaches ${quoted(spec.target.name)} from inside your cluster`;
    demands.push({ kind: "host-target", message, source: positionOf(at("target")) });
  }
  const obeyed = Object.keys(spec.env ?? {}).filter(isObeyed);
  if (obeyed.length > 0) {
    const message = `${about} sets ${obeyed.slice(0, 3).join(", ")}, which other programs obey`;
    demands.push({ kind: "obeyed-variable", message, source: positionOf(at("env")) });
  }
  return demands;
}

/** By labels and annotations other parts of a cluster take a pod for theirs, and a service account may open doors to it. */
function demandsOfRelay(relay: RelaySpec | undefined, at: PlacedSpec["at"]): readonly TrustDemand[] {
  const { image, patch, labels, annotations, serviceAccount } = relay ?? {};
  const demands: TrustDemand[] = [];
  const add = (kind: TrustDemand["kind"], field: string, message: string): void => {
    demands.push({ kind, message, source: positionOf(at(`relay.${field}`)) });
  };
  if (image !== undefined)
    add("relay-image", "image", `the relay runs the image ${quoted(image)} in your cluster`);
  if (patch !== undefined)
    add("relay-patch", "patch", "the relay's pod has a patch, which may take away what keeps it harmless");
  if (labels !== undefined)
    add("relay-pod", "labels", "the relay's pod has labels, by which Services and others take it for theirs");
  if (annotations !== undefined)
    add(
      "relay-pod",
      "annotations",
      "the relay's pod has annotations, which may change what it is allowed to do",
    );
  if (serviceAccount !== undefined)
    add("relay-pod", "serviceAccount", `the relay runs as service account ${quoted(serviceAccount)}`);
  return demands;
}
