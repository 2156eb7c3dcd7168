/** What files want that only trusted files may have. */
import { isLoopback } from "./address.ts";
import type { TrustDemand } from "./details.ts";
import { isObeyed } from "./obeyed.ts";
import { UNPRIVILEGED_FIRST } from "./port.ts";
import { quoted } from "../printable.ts";
import type { PlacedSpec } from "./rawentry.ts";
import { isRelayed } from "../relayed.ts";
import { positionOf } from "./source.ts";
import { spanOfValue, type TreeMap } from "./tree.ts";

/** The demands of all forwards that are on; what several have from one place is told once. */
export function demandsOf(
  placed: readonly PlacedSpec[],
  defaults: TreeMap | undefined,
): readonly TrustDemand[] {
  const demands = new Map<string, TrustDemand>();
  for (const one of placed) {
    if (one.off !== undefined) continue;
    for (const demand of demandsOfOne(one, defaults)) {
      const { kind, message, source } = demand;
      demands.set(`${kind} ${source.file} ${source.line} ${source.column} ${message}`, demand);
    }
  }
  return [...demands.values()];
}

function demandsOfOne(
  { spec, entry, bindWords, localAt, at }: PlacedSpec,
  defaults: TreeMap | undefined,
): readonly TrustDemand[] {
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
  const { image, patch } = (isRelayed(spec) ? spec.relay : undefined) ?? {};
  const relayPlace = (field: "image" | "patch") => {
    const isOwn = entry.fields.values.relay?.[field] !== undefined;
    const shared = isOwn ? undefined : defaults?.entries.get("relay");
    return positionOf(shared === undefined ? at("relay") : spanOfValue(shared));
  };
  if (image !== undefined) {
    const message = `the relay runs the image ${quoted(image)} in your cluster`;
    demands.push({ kind: "relay-image", message, source: relayPlace("image") });
  }
  if (patch !== undefined) {
    const message = "the relay's pod has a patch, which may take away what keeps it harmless";
    demands.push({ kind: "relay-patch", message, source: relayPlace("patch") });
  }
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
