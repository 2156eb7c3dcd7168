/**
 * Kubernetes objects, cut down to what resolving needs: thousands of pods are held in memory. Text in them comes from
 * the cluster as it is; whoever shows it makes it fit for a terminal.
 */
import * as z from "zod/mini";
import { Condition, ContainerStatus, troubleOf } from "./podtrouble.ts";

export type Labels = Readonly<Record<string, string>>;

/**
 * - `ready`: serves: running, Ready, and nobody has asked it to end
 * - `unready`: may become ready
 * - `terminating`: has been asked to end
 * - `finished`: will never run again
 */
export type PodStage = "ready" | "unready" | "terminating" | "finished";

export interface Pod {
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
  /** UID of the object that made it, if one controls it. */
  readonly owner: string | undefined;
  readonly stage: PodStage;
  /** Why it does not serve, in the words of the kubelet; empty when ready. */
  readonly trouble: string;
  /** RFC 3339 in UTC, which sorts as text; empty when it is not known. */
  readonly readySince: string;
  readonly createdAt: string;
  /** Of all its containers together. */
  readonly restarts: number;
  readonly ports: readonly ContainerPort[];
  /** Its addresses in the cluster, the main one first; empty until it has one. */
  readonly ips: readonly string[];
}

export interface ContainerPort {
  readonly name: string | undefined;
  readonly port: number;
  readonly protocol: string;
  readonly container: string;
}

export interface Service {
  readonly name: string;
  readonly type: string;
  readonly externalName: string | undefined;
  /** Empty when the Service has none: someone else keeps its endpoints. */
  readonly selector: Labels;
  readonly ports: readonly ServicePort[];
  /** `publishNotReadyAddresses`: pods that are not ready count, too. */
  readonly takesUnready: boolean;
}

export interface ServicePort {
  readonly name: string | undefined;
  readonly port: number;
  readonly protocol: string;
  /** A port of the pod, or the name of one; the same number as `port` when the Service leaves it open. */
  readonly targetPort: number | string;
}

/** A Deployment, StatefulSet, DaemonSet, ReplicaSet or Job. */
export interface Workload {
  readonly name: string;
  readonly uid: string;
  readonly selector: LabelSelector;
  /** How many pods it wants, where its spec says so. */
  readonly replicas: number | undefined;
  /** Why it has no more pods, in the words of its controller, where that says so. */
  readonly trouble: string | undefined;
}

/** The selector of a workload: all of it must hold. */
export interface LabelSelector {
  readonly matchLabels: Labels;
  readonly matchExpressions: readonly {
    readonly key: string;
    /** `In`, `NotIn`, `Exists` or `DoesNotExist`; an object with another one matches nothing. */
    readonly operator: string;
    readonly values: readonly string[];
  }[];
}

/** A kind of object: where the API has it and how it is read. */
export interface Kind<T> {
  /** The plural, as in URLs and RBAC. */
  readonly resource: string;
  /** Segments of the URL in front of `namespaces`. */
  readonly group: readonly string[];
  /** Undefined when the object is broken. */
  read(json: unknown): T | undefined;
}

/** What every object has; lists and watches go by it. */
export interface ObjectMeta {
  readonly name: string;
  readonly resourceVersion: string;
}

/** Undefined when it is no object of the API. */
export function readMeta(json: unknown): ObjectMeta | undefined {
  const parsed = z.object({ metadata: Meta }).safeParse(json);
  return parsed.success ? parsed.data.metadata : undefined;
}

const Meta = z.object({ name: z._default(z.string(), ""), resourceVersion: z.string() });

/** Go leaves out what is empty, or writes null. */
const labels = z.nullish(z.record(z.string(), z.string()));
const maybe = z.nullish(z.string());

const ContainerPortShape = z.object({
  name: maybe,
  containerPort: z.number(),
  protocol: maybe,
});

const Container = z.object({
  name: maybe,
  restartPolicy: maybe,
  ports: z.nullish(z.array(ContainerPortShape)),
});

const PodShape = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    labels,
    creationTimestamp: maybe,
    deletionTimestamp: maybe,
    ownerReferences: z.nullish(z.array(z.object({ uid: z.string(), controller: z.nullish(z.boolean()) }))),
  }),
  spec: z.object({
    containers: z.nullish(z.array(Container)),
    initContainers: z.nullish(z.array(Container)),
  }),
  status: z.nullish(
    z.object({
      phase: maybe,
      reason: maybe,
      podIP: maybe,
      podIPs: z.nullish(z.array(z.object({ ip: z.string() }))),
      conditions: z.nullish(z.array(Condition)),
      containerStatuses: z.nullish(z.array(ContainerStatus)),
      initContainerStatuses: z.nullish(z.array(ContainerStatus)),
    }),
  ),
});

export const PODS: Kind<Pod> = {
  resource: "pods",
  group: ["api", "v1"],
  read(json) {
    const parsed = PodShape.safeParse(json);
    return parsed.success ? podOf(parsed.data) : undefined;
  },
};

function podOf({ metadata, spec, status }: z.infer<typeof PodShape>): Pod {
  const phase = status?.phase ?? "Unknown";
  const conditions = status?.conditions ?? [];
  const ready = conditions.find((c) => c.type === "Ready");
  const containers = status?.containerStatuses ?? [];
  const initContainers = status?.initContainerStatuses ?? [];
  const stage = stageOf(metadata.deletionTimestamp ?? "", phase, ready?.status ?? "");
  return {
    name: metadata.name,
    uid: metadata.uid,
    labels: metadata.labels ?? {},
    owner: metadata.ownerReferences?.find((o) => o.controller)?.uid,
    stage,
    trouble: wordsOf(stage, () =>
      troubleOf({ phase, reason: status?.reason ?? undefined, conditions, containers, initContainers }),
    ),
    readySince: ready?.lastTransitionTime ?? "",
    createdAt: metadata.creationTimestamp ?? "",
    restarts: [...containers, ...initContainers].reduce((sum, c) => sum + c.restartCount, 0),
    ports: containerPorts(spec),
    ips: status?.podIP ? addressesOf(status.podIP, status.podIPs ?? []) : NONE,
  };
}

/** Most of thousands of pods that wait for a node have none: they share this one. */
const NONE: readonly string[] = [];

function addressesOf(main: string, all: readonly { readonly ip: string }[]): readonly string[] {
  return [...new Set([main, ...all.map(({ ip }) => ip)])];
}

function stageOf(deletedAt: string, phase: string, ready: string): PodStage {
  if (deletedAt !== "") return "terminating";
  if (phase === "Succeeded" || phase === "Failed") return "finished";
  return phase === "Running" && ready === "True" ? "ready" : "unready";
}

function wordsOf(stage: PodStage, trouble: () => string): string {
  if (stage === "ready") return "";
  return stage === "terminating" ? "Terminating" : trouble();
}

/** Ports of everything that runs beside the application too: an init container that restarts always is a sidecar. */
function containerPorts(spec: z.infer<typeof PodShape>["spec"]): readonly ContainerPort[] {
  const sidecars = (spec.initContainers ?? []).filter((c) => c.restartPolicy === "Always");
  return [...(spec.containers ?? []), ...sidecars].flatMap((container) =>
    (container.ports ?? []).map(({ name, containerPort, protocol }) => ({
      name: name || undefined,
      port: containerPort,
      protocol: protocol ?? "TCP",
      container: container.name ?? "",
    })),
  );
}

const ServiceShape = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    type: maybe,
    externalName: maybe,
    selector: labels,
    publishNotReadyAddresses: z.nullish(z.boolean()),
    ports: z.nullish(
      z.array(
        z.object({
          name: maybe,
          port: z.number(),
          protocol: maybe,
          targetPort: z.nullish(z.union([z.number(), z.string()])),
        }),
      ),
    ),
  }),
});

export const SERVICES: Kind<Service> = {
  resource: "services",
  group: ["api", "v1"],
  read(json) {
    const parsed = ServiceShape.safeParse(json);
    if (!parsed.success) return undefined;
    const { metadata, spec } = parsed.data;
    return {
      name: metadata.name,
      type: spec.type ?? "ClusterIP",
      externalName: spec.externalName || undefined,
      selector: spec.selector ?? {},
      takesUnready: spec.publishNotReadyAddresses === true,
      ports: (spec.ports ?? []).map(({ name, port, protocol, targetPort }) => ({
        name: name || undefined,
        port,
        protocol: protocol ?? "TCP",
        targetPort: targetPort || port,
      })),
    };
  },
};

const SelectorShape = z.nullish(
  z.object({
    matchLabels: labels,
    matchExpressions: z.nullish(
      z.array(z.object({ key: z.string(), operator: z.string(), values: z.nullish(z.array(z.string())) })),
    ),
  }),
);

const WorkloadShape = z.object({
  metadata: z.object({ name: z.string(), uid: z.string() }),
  spec: z.object({ replicas: z.nullish(z.number()), selector: SelectorShape }),
  status: z.nullish(z.object({ conditions: z.nullish(z.array(Condition)) })),
});

/** Of a Deployment or ReplicaSet whose pods are refused, and of a Job that makes no more. */
const TROUBLES: readonly string[] = ["ReplicaFailure", "Failed", "Suspended", "Complete"];

function readWorkload(json: unknown): Workload | undefined {
  const parsed = WorkloadShape.safeParse(json);
  if (!parsed.success) return undefined;
  const { metadata, spec, status } = parsed.data;
  const trouble = status?.conditions?.find((c) => c.status === "True" && TROUBLES.includes(c.type));
  return {
    name: metadata.name,
    uid: metadata.uid,
    trouble: trouble && (trouble.message || trouble.reason || trouble.type),
    replicas: spec.replicas ?? undefined,
    selector: {
      matchLabels: spec.selector?.matchLabels ?? {},
      matchExpressions: (spec.selector?.matchExpressions ?? []).map((e) => ({
        ...e,
        values: e.values ?? [],
      })),
    },
  };
}

const APPS = ["apis", "apps", "v1"];

/** The kinds of workloads, by the short names that targets use. */
export const WORKLOADS = {
  deploy: { resource: "deployments", group: APPS, read: readWorkload },
  sts: { resource: "statefulsets", group: APPS, read: readWorkload },
  ds: { resource: "daemonsets", group: APPS, read: readWorkload },
  rs: { resource: "replicasets", group: APPS, read: readWorkload },
  job: { resource: "jobs", group: ["apis", "batch", "v1"], read: readWorkload },
} as const satisfies Record<string, Kind<Workload>>;
export type WorkloadKind = keyof typeof WORKLOADS;
