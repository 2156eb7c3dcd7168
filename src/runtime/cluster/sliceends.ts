/** The pods behind a Service without a selector: whoever keeps its EndpointSlices says which they are. Pure. */
import type { Reason } from "../core/status.ts";
import type { Pod, Service, ServicePort } from "./objects.ts";
import type { EndpointSlice, SliceEndpoint } from "./slices.ts";

/** Where the slices lead: each pod once, by UID, and the port in it where the slices say one. */
export interface SliceEnds {
  readonly pods: readonly Pod[];
  readonly ports: ReadonlyMap<string, number>;
}

/** Whether only slices can tell which pods it has. */
export function needsSlices(service: Service | undefined): boolean {
  return (
    service !== undefined && service.type !== "ExternalName" && Object.keys(service.selector).length === 0
  );
}

/** Which pods of the namespace the slices of the service name, or have the addresses of. */
export function sliceEnds(
  service: Service,
  port: ServicePort | undefined,
  around: { readonly namespace: string; readonly pods: ReadonlyMap<string, Pod> },
  slices: Iterable<EndpointSlice>,
): SliceEnds | { readonly reason: Reason } {
  const own = [...slices].filter((slice) => slice.service === service.name);
  const all = own.flatMap(({ endpoints }) => endpoints);
  if (all.length === 0) return { reason: nowhere(service) };
  const pods = new Map<string, Pod>();
  const ports = new Map<string, number>();
  for (const { endpoints, ports: offered } of own) {
    const offer = port && offered.find((one) => one.protocol === port.protocol && one.name === port.name);
    if (port && !offer) continue;
    for (const endpoint of endpoints) {
      const pod = podOf(endpoint, around.pods);
      if (!pod || !(endpoint.ready || service.takesUnready)) continue;
      pods.set(pod.uid, pod);
      if (offer) ports.set(pod.uid, offer.port);
    }
  }
  if (pods.size > 0) return { pods: [...pods.values()], ports };
  const known = all.filter((endpoint) => podOf(endpoint, around.pods));
  return {
    reason: known.length === 0 ? elsewhere(service, all, around.namespace) : notNow(service, known, port),
  };
}

function podOf({ pod, addresses }: SliceEndpoint, pods: ReadonlyMap<string, Pod>): Pod | undefined {
  if (pod) {
    const named = pods.get(pod.name);
    return pod.uid === undefined || named?.uid === pod.uid ? named : undefined;
  }
  for (const each of pods.values()) if (each.ips.some((ip) => addresses.includes(ip))) return each;
  return undefined;
}

function nowhere({ name }: Service): Reason {
  return missing(
    "NoSelector",
    `service "${name}" has no selector, so it has no pods to forward to`,
    "name the pods behind it with `target: {selector: …}`",
  );
}

const ADDRESSES_SHOWN = 2;

function elsewhere({ name }: Service, ends: readonly SliceEndpoint[], namespace: string): Reason {
  const addresses = ends.flatMap((end) => end.pod?.name ?? end.addresses);
  const more = addresses.length > ADDRESSES_SHOWN ? ` and ${addresses.length - ADDRESSES_SHOWN} more` : "";
  const shown = `${addresses.slice(0, ADDRESSES_SHOWN).join(", ")}${more}`;
  return missing(
    "NoSelector",
    `service "${name}" has no selector and leads to ${shown || "nowhere"}, which is no pod in namespace "${namespace}"`,
    `\`target: host/${name}.${namespace}.svc\` goes there through the relay`,
  );
}

function notNow({ name }: Service, known: readonly SliceEndpoint[], port: ServicePort | undefined): Reason {
  if (known.some(({ ready }) => ready)) {
    const which = port?.name === undefined ? String(port?.port) : `"${port.name}"`;
    return missing("PortMissing", `no EndpointSlice of service "${name}" has its port ${which}`);
  }
  return missing("NoReadyPods", `0 of ${known.length} endpoints of service "${name}" are ready`);
}

function missing(code: string, message: string, hint?: string): Reason {
  return { code, kind: "missing", message, ...(hint === undefined ? {} : { hint }) };
}
