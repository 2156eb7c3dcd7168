/** From what the user wrote to the pod and port it means now. Pure: objects in, a resolution out. */
import type { Endpoint, Reason } from "../core/status.ts";
import type { Cluster, Place, Resolution } from "../deps.ts";
import { shellWord } from "../../shellword.ts";
import { suggestFrom } from "../../suggest.ts";
import type { Pod, Service, Workload } from "./objects.ts";
import { eligible, hintFor, noReadyPods } from "./podchoice.ts";
import { matches, parseSelector, requireLabels, requireSelector, type Requirement } from "./selector.ts";
import { servicePort } from "./serviceport.ts";
import { needsSlices, sliceEnds } from "./sliceends.ts";
import type { EndpointSlice } from "./slices.ts";

/** What {@link Cluster.follow} is asked for. */
export type FollowRequest = Parameters<Cluster["follow"]>[0];

/** The objects of one namespace by name, as far as the target needs them. */
export interface Snapshot {
  readonly pods: ReadonlyMap<string, Pod>;
  readonly services: ReadonlyMap<string, Service>;
  /** Of the target's kind. */
  readonly workloads: ReadonlyMap<string, Workload>;
  /** Of the target's kind: `names` when nothing is known of others. */
  readonly scope?: "all" | "names";
  /** Only for a Service that needs them. */
  readonly slices?: ReadonlyMap<string, EndpointSlice>;
}

/** What decides between pods that are equally good. */
export interface Leaning {
  /** Uniform in [0, 1), where the request leaves it to chance. */
  readonly random: number;
  /** Since when, by UID, of pods that could not be reached. */
  readonly shunned: Pick<ReadonlyMap<string, number>, "get">;
}

const NO_LEANING: Leaning = { random: 0, shunned: new Map<string, number>() };

/** `inUse` is the endpoint of before: its pod is kept as long as it serves. */
export function resolve(
  request: FollowRequest,
  snapshot: Snapshot,
  inUse: Pick<Endpoint, "podUid"> | undefined,
  leaning = NO_LEANING,
): Resolution {
  const wanted = wantedOf(request, snapshot);
  if ("reason" in wanted) return { kind: "none", reason: wanted.reason };
  const { place, target, pick } = request;
  const kubectl = kubectlAt(place);
  const { takesUnready = false, ports } = wanted;
  const [first, ...others] = wanted.pods;
  if (first === undefined) return none(wanted.noPods);
  const ready = eligible(wanted.pods, { inUse: inUse?.podUid, pick, takesUnready, ...leaning });
  if (ready.length === 0 && target.kind === "pod") return none(podNotReady(first, kubectl));
  if (ready.length === 0) return none(noReadyPods([first, ...others], kubectl));
  for (const pod of ready) {
    // A name is looked up in each pod: during a rollout it may stand for another number in the next one.
    const port =
      ports?.get(pod.uid) ?? portOf(pod, wanted.port, request.protocol ?? "tcp", containerOf(target));
    if (port === undefined) continue;
    return { kind: "found", endpoint: endpointOf(place, pod, port) };
  }
  return none(podPortMissing(ready, wanted.port, containerOf(target)));
}

function endpointOf({ context, namespace }: Place, pod: Pod, port: number): Endpoint {
  const endpoint = { context, namespace, pod: pod.name, podUid: pod.uid, port };
  const [podIp] = pod.ips;
  return podIp === undefined ? endpoint : { ...endpoint, podIp };
}

/** What the target selects, and the port to reach in it. */
interface Wanted {
  readonly pods: readonly Pod[];
  /** Undefined: the only port that the pod declares. */
  readonly port: number | string | undefined;
  /** The port of single pods, by UID, which goes before `port`. */
  readonly ports?: ReadonlyMap<string, number>;
  /** Pods that are not ready will do where none is. */
  readonly takesUnready?: boolean;
  /** What to say if there are no pods. */
  readonly noPods: Reason;
}

function wantedOf(request: FollowRequest, snapshot: Snapshot): Wanted | { readonly reason: Reason } {
  const { target, remotePort } = request;
  switch (target.kind) {
    case "svc":
      return wantedOfService(request, target.name, snapshot);
    case "pod":
      return wantedOfPod(request, target.name, snapshot);
    case "selector": {
      const requirements = parseSelector(target.selector);
      if (requirements === undefined) return { reason: badSelector(target.selector) };
      const noPods = missing(
        "NoPods",
        `no pods match the selector "${target.selector}" ${at(request.place)}`,
        `${kubectlAt(request.place)} get pods --show-labels`,
      );
      return { pods: select(snapshot, requirements), port: remotePort?.port, noPods };
    }
    case "host":
      return {
        reason: missing("HostTarget", `"${target.name}" is not in the cluster: only a relay reaches it`),
      };
    case "deploy":
    case "sts":
    case "ds":
    case "rs":
    case "job":
      return wantedOfWorkload(request, target.kind, target.name, snapshot);
  }
}

function wantedOfService(
  { place, remotePort, protocol }: FollowRequest,
  name: string,
  snapshot: Snapshot,
): Wanted | { readonly reason: Reason } {
  const service = snapshot.services.get(name);
  if (service === undefined) {
    const hint = othersThere(name, snapshot.services, "services", snapshot.scope);
    return { reason: missing("ServiceMissing", `service "${name}" not found ${at(place)}`, hint) };
  }
  if (service.type === "ExternalName") {
    const message = `service "${name}" is only a name for "${service.externalName ?? ""}", outside the cluster`;
    const hint = `\`target: host/${service.externalName ?? "NAME"}\` goes there through the relay`;
    return { reason: missing("ExternalName", message, hint) };
  }
  const mapped = servicePort(service, remotePort, protocol ?? "tcp");
  const { takesUnready } = service;
  if (needsSlices(service)) {
    const of = "of" in mapped ? mapped.of : undefined;
    const around = { namespace: place.namespace, pods: snapshot.pods };
    const ends = sliceEnds(service, of, around, snapshot.slices?.values() ?? []);
    if ("reason" in ends) return ends;
    if ("reason" in mapped) return mapped;
    const noPods = missing("NoPods", `service "${name}" has no pods`);
    return { ...ends, port: mapped.port, takesUnready, noPods };
  }
  if ("reason" in mapped) return mapped;
  const labels = Object.entries(service.selector).map(([key, value]) => `${key}=${value}`);
  const hint = `${kubectlAt(place)} get pods -l ${labels.join(",")}`;
  return {
    pods: select(snapshot, requireLabels(service.selector)),
    port: mapped.port,
    takesUnready,
    noPods: missing(
      "NoPods",
      `service "${name}" has no pods: none has the labels ${labels.join(", ")}`,
      hint,
    ),
  };
}

function wantedOfPod(
  { place, remotePort }: FollowRequest,
  name: string,
  snapshot: Snapshot,
): Wanted | { readonly reason: Reason } {
  const pod = snapshot.pods.get(name);
  const hint = othersThere(name, snapshot.pods, "pods", snapshot.scope);
  const noPods = missing("PodMissing", `pod "${name}" not found ${at(place)}`, hint);
  return pod === undefined ? { reason: noPods } : { pods: [pod], port: remotePort?.port, noPods };
}

const WORKLOAD_WORDS = {
  deploy: { word: "deployment", code: "DeploymentMissing" },
  sts: { word: "statefulset", code: "StatefulSetMissing" },
  ds: { word: "daemonset", code: "DaemonSetMissing" },
  rs: { word: "replicaset", code: "ReplicaSetMissing" },
  job: { word: "job", code: "JobMissing" },
} as const;

function wantedOfWorkload(
  { place, remotePort }: FollowRequest,
  kind: keyof typeof WORKLOAD_WORDS,
  name: string,
  snapshot: Snapshot,
): Wanted | { readonly reason: Reason } {
  const { word, code } = WORKLOAD_WORDS[kind];
  const workload = snapshot.workloads.get(name);
  if (workload === undefined) {
    const hint = othersThere(name, snapshot.workloads, `${word}s`, snapshot.scope);
    return { reason: missing(code, `${word} "${name}" not found ${at(place)}`, hint) };
  }
  const requirements = requireSelector(workload.selector);
  const pods = requirements === undefined ? [] : select(snapshot, requirements);
  const scaled = workload.replicas === 0;
  const why = workload.trouble === undefined ? " yet" : `: ${workload.trouble}`;
  const message = scaled ? `${word} "${name}" is scaled to 0` : `${word} "${name}" has no pods${why}`;
  const hint = scaled
    ? `${kubectlAt(place)} scale ${kind}/${name} --replicas=1`
    : `${kubectlAt(place)} describe ${kind}/${name}`;
  return {
    // A Deployment's pods belong to its ReplicaSets; the others own theirs, so a stranger with their labels is told apart.
    pods: kind === "deploy" ? pods : pods.filter((pod) => pod.owner === workload.uid),
    port: remotePort?.port,
    noPods: missing("NoPods", message, hint),
  };
}

function othersThere(
  name: string,
  objects: ReadonlyMap<string, unknown>,
  what: string,
  scope: Snapshot["scope"],
): string {
  if (scope === "names") return `check the name: you may not list and watch the ${what} there`;
  const hint = suggestFrom(name, [...objects.keys()], `${what} there`);
  return hint ?? `there are no ${what} in that namespace: is it the right one?`;
}

function select(snapshot: Snapshot, requirements: readonly Requirement[]): readonly Pod[] {
  return [...snapshot.pods.values()].filter((pod) => matches(requirements, pod.labels));
}

function containerOf(target: FollowRequest["target"]): string | undefined {
  return target.kind === "host" ? undefined : target.container;
}

function portOf(
  pod: Pod,
  wanted: number | string | undefined,
  protocol: "tcp" | "udp",
  container: string | undefined,
): number | undefined {
  if (typeof wanted === "number") return wanted;
  const declared = pod.ports.filter(
    (p) =>
      p.protocol === protocol.toUpperCase() &&
      (wanted === undefined || p.name === wanted) &&
      (container === undefined || p.container === container),
  );
  const [only, another] = declared;
  return wanted !== undefined || another === undefined ? only?.port : undefined;
}

function podNotReady(pod: Pod, kubectl: string): Reason {
  const verb = pod.stage === "finished" ? "has finished" : "is not ready";
  const trouble = pod.trouble === "not ready" ? "" : `: ${pod.trouble}`;
  return missing("PodNotReady", `pod "${pod.name}" ${verb}${trouble}`, hintFor(pod, kubectl));
}

function podPortMissing(
  [pod]: readonly Pod[],
  wanted: number | string | undefined,
  container: string | undefined,
): Reason {
  const ports = (pod?.ports ?? []).map((p) => {
    const protocol = p.protocol === "TCP" ? "" : `/${p.protocol.toLowerCase()}`;
    const whose = container === undefined ? "" : ` of "${p.container}"`;
    return `${p.name === undefined ? "" : `${p.name} `}${p.port}${protocol}${whose}`;
  });
  const has = ports.length === 0 ? "it declares none" : `ports: ${ports.join(", ")}`;
  const what = wanted === undefined ? "does not declare exactly one port" : `has no port "${wanted}"`;
  const inside = container === undefined ? "" : ` in container "${container}"`;
  return missing(
    "PortMissing",
    `pod "${pod?.name ?? ""}" ${what}${inside}; ${has}`,
    container === undefined ? BY_NUMBER : containerHint(pod, wanted),
  );
}

const BY_NUMBER = "say the port of the pod by its number";

/** The containers that have such a port; where none has, a number will do, which goes with no container. */
function containerHint(pod: Pod | undefined, wanted: number | string | undefined): string {
  const owners = (pod?.ports ?? []).filter((p) => p.name === wanted).map((p) => `"${p.container}"`);
  if (owners.length === 0) return `${BY_NUMBER}, without \`target.container\``;
  return `set \`target.container\` to ${owners.join(" or ")}`;
}

function badSelector(selector: string): Reason {
  return { code: "SelectorInvalid", kind: "unsupported", message: `cannot read the selector "${selector}"` };
}

function none(reason: Reason): Resolution {
  return { kind: "none", reason };
}

function missing(code: string, message: string, hint?: string): Reason {
  return { code, kind: "missing", message, ...(hint === undefined ? {} : { hint }) };
}

function at({ namespace, context }: Place): string {
  return `in namespace "${namespace}" (context "${context}")`;
}

/** The start of a kubectl command that looks where the forward looks. */
function kubectlAt({ context, namespace }: Place): string {
  return `kubectl --context ${shellWord(context)} -n ${shellWord(namespace)}`;
}
