/** Kubernetes objects as the sandbox keeps and shows them: plain JSON, replaced on every change and never altered. */
import { randomUUID } from "node:crypto";

export type Labels = Readonly<Record<string, string>>;

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller: true;
  readonly blockOwnerDeletion: true;
}

/** Identity and bookkeeping of every object. */
export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly generateName?: string;
  readonly uid: string;
  /** Set by the store. */
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Labels;
  readonly annotations?: Labels;
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface Namespace {
  readonly apiVersion: "v1";
  readonly kind: "Namespace";
  readonly metadata: Metadata;
  readonly status: { readonly phase: "Active" };
}

export interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol: "TCP" | "UDP";
}

export interface PodSpec {
  readonly nodeName?: string;
  readonly restartPolicy: "Always" | "Never";
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly {
    readonly name: string;
    readonly image: string;
    readonly ports?: readonly ContainerPort[];
  }[];
}

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly lastProbeTime: null;
  readonly lastTransitionTime: string;
  readonly reason?: string;
  readonly message?: string;
}

export type ContainerState =
  | { readonly running: { readonly startedAt: string } }
  | { readonly waiting: { readonly reason: string; readonly message?: string } }
  | { readonly terminated: { readonly exitCode: number; readonly reason: string } };

export interface PodStatus {
  readonly phase: "Pending" | "Running" | "Succeeded" | "Failed";
  readonly conditions: readonly Condition[];
  readonly hostIP?: string;
  readonly podIP?: string;
  readonly startTime?: string;
  readonly containerStatuses: readonly {
    readonly name: string;
    readonly image: string;
    readonly imageID: string;
    readonly ready: boolean;
    readonly started: boolean;
    readonly restartCount: number;
    readonly state: ContainerState;
    readonly lastState: object;
  }[];
}

export interface Pod {
  readonly apiVersion: "v1";
  readonly kind: "Pod";
  readonly metadata: Metadata;
  readonly spec: PodSpec;
  readonly status: PodStatus;
}

export interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly protocol: "TCP" | "UDP";
  readonly targetPort: number | string;
}

export interface Service {
  readonly apiVersion: "v1";
  readonly kind: "Service";
  readonly metadata: Metadata;
  readonly spec: {
    readonly type: "ClusterIP" | "ExternalName";
    readonly selector?: Labels;
    readonly ports?: readonly ServicePort[];
    /** `None`: headless. */
    readonly clusterIP?: string;
    readonly externalName?: string;
  };
  readonly status: { readonly loadBalancer: object };
}

/** Kinds of {@link Workload}. */
export const WORKLOAD_KINDS = ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"] as const;
export type WorkloadKind = (typeof WORKLOAD_KINDS)[number];

export interface PodTemplate {
  readonly metadata: { readonly labels: Labels; readonly annotations?: Labels };
  readonly spec: PodSpec;
}

/** Whatever keeps pods. `replicas` is a Deployment's, ReplicaSet's or StatefulSet's, `parallelism` a Job's. */
export interface Workload {
  readonly apiVersion: "apps/v1" | "batch/v1";
  readonly kind: WorkloadKind;
  readonly metadata: Metadata;
  readonly spec: {
    readonly replicas?: number;
    readonly parallelism?: number;
    readonly serviceName?: string;
    readonly selector: { readonly matchLabels: Labels };
    readonly template: PodTemplate;
  };
  readonly status: Readonly<Record<string, number>>;
}

/** Of a Service without a selector: somebody else keeps these. The sandbox makes none by itself. */
export interface EndpointSlice {
  readonly apiVersion: "discovery.k8s.io/v1";
  readonly kind: "EndpointSlice";
  readonly metadata: Metadata;
  readonly addressType: "IPv4";
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: "TCP" }[];
  readonly endpoints: readonly {
    readonly addresses: readonly string[];
    readonly targetRef?: { readonly kind: "Pod"; readonly name: string; readonly namespace: string };
  }[];
}

/** Everything the sandbox keeps. */
export type KubeObject = Namespace | Pod | Service | Workload | EndpointSlice;

/** The objects of one kind. */
export type ObjectOf<K extends KubeObject["kind"]> = K extends WorkloadKind
  ? Workload
  : Extract<KubeObject, { kind: K }>;

/** How many pods it wants. The sandbox has one node, so a DaemonSet wants one. */
export function wantedPods({ kind, spec }: Workload): number {
  switch (kind) {
    case "DaemonSet":
      return 1;
    case "Job":
      return spec.parallelism ?? 1;
    case "Deployment":
    case "ReplicaSet":
    case "StatefulSet":
      return spec.replicas ?? 1;
  }
}

/** Metadata of an object that is about to be stored. */
export function newMetadata(
  name: string,
  namespace: string | undefined,
  more: Partial<Pick<Metadata, "labels" | "annotations" | "generateName" | "ownerReferences">> = {},
): Metadata {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    uid: randomUUID(),
    resourceVersion: "",
    creationTimestamp: timestamp(),
    ...more,
  };
}

/** The reference that makes `owner` the controller of what carries it. */
export function controllerReference({ apiVersion, kind, metadata }: Workload): OwnerReference {
  const { name, uid } = metadata;
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** UID of the controller, if there is one. */
export function controllerOf({ metadata }: KubeObject): string | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller)?.uid;
}

/** Serves: Ready, and nobody has asked it to end. */
export function isReady({ metadata, status }: Pod): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  return status.conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

/** A time, by default now, as Kubernetes writes it: whole seconds, UTC. */
export function timestamp(at = new Date()): string {
  return at.toISOString().replace(/\.\d+Z$/, "Z");
}

const NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789";

/** Random letters of the set Kubernetes ends generated names with. */
export function nameSuffix(length: number): string {
  const letter = (): string => NAME_LETTERS.charAt(Math.floor(Math.random() * NAME_LETTERS.length));
  return Array.from({ length }, letter).join("");
}
