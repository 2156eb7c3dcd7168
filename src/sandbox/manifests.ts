/** What tests and the demo write to make objects, and the objects that come of it. */
import type { Apps, UdpApps } from "./apps.ts";
import {
  newMetadata,
  type ContainerPort,
  type EndpointSlice,
  type Labels,
  type PodSpec,
  type Service,
  type ServicePort,
  type Workload,
  type WorkloadKind,
} from "./objects.ts";
import type { Program } from "./pods.ts";

/** What runs in a pod, and how it is declared. */
export interface PodManifest extends Partial<Program> {
  readonly name: string;
  /** Default `{ app: name }`. */
  readonly labels?: Labels;
  /** Programs by port. */
  readonly app?: Apps;
  /** Programs for datagrams by port. */
  readonly udp?: UdpApps;
  /** Declared container ports; default: those of `app` and `udp`, without names. */
  readonly ports?: readonly {
    readonly name?: string;
    readonly port: number;
    readonly protocol?: "TCP" | "UDP";
  }[];
  readonly image?: string;
  /** What the pod says of itself. Default 30. */
  readonly terminationGracePeriodSeconds?: number;
}

/** A Deployment or whatever else keeps pods. */
export interface WorkloadManifest extends PodManifest {
  /** Default 1. */
  readonly replicas?: number;
}

/** A Service; its ports lead to pods with the selector's labels. */
export interface ServiceManifest {
  readonly name: string;
  /** Default `{ app: name }`; null: no selector. */
  readonly selector?: Labels | null;
  /** A port without targetPort leads to the pod port of the same number. */
  readonly ports?: readonly {
    readonly name?: string;
    readonly port: number;
    readonly protocol?: "TCP" | "UDP";
    readonly targetPort?: number | string;
  }[];
  /** `None`: headless. */
  readonly clusterIP?: "None";
  /** Makes it an ExternalName service. */
  readonly externalName?: string;
  readonly annotations?: Labels;
}

/** Where a Service without a selector leads. */
export interface SliceManifest {
  readonly service: string;
  readonly port: { readonly name: string; readonly port: number };
  /** A pod is named by its keeper, or is not. */
  readonly endpoints: readonly { readonly address: string; readonly pod?: string }[];
}

/** What runs in the pods of a manifest. */
export function programOf({ apps, app, udp, startMs, readyMs, stopMs }: PodManifest): Program {
  return { apps: apps ?? app ?? {}, udp, startMs, readyMs, stopMs };
}

/** The labels of its pods. */
export function labelsOf({ labels, name }: PodManifest): Labels {
  return labels ?? { app: name };
}

/** A workload as the API shows it. `changed` makes the template of a rollout another one, though nothing in it is. */
export function workloadOf(
  kind: WorkloadKind,
  namespace: string,
  manifest: WorkloadManifest,
  changed?: string,
): Workload {
  const { name, replicas = 1 } = manifest;
  const labels = labelsOf(manifest);
  const annotations =
    changed === undefined ? {} : { annotations: { "kubectl.kubernetes.io/restartedAt": changed } };
  const counts = kind === "DaemonSet" ? {} : kind === "Job" ? { parallelism: replicas } : { replicas };
  return {
    apiVersion: kind === "Job" ? "batch/v1" : "apps/v1",
    kind,
    metadata: newMetadata(name, namespace, { labels }),
    spec: {
      ...counts,
      ...(kind === "StatefulSet" ? { serviceName: name } : {}),
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, ...annotations },
        spec: { ...podSpecOf(manifest), ...(kind === "Job" ? { restartPolicy: "Never" as const } : {}) },
      },
    },
    status: {},
  };
}

/** The spec of its pods: one container, on the sandbox's only node. */
export function podSpecOf({
  name,
  app,
  apps,
  udp,
  ports,
  image,
  terminationGracePeriodSeconds,
}: PodManifest): PodSpec {
  const ofTcp = Object.keys(apps ?? app ?? {}).map((port) => ({ port: Number(port) }));
  const ofUdp = Object.keys(udp ?? {}).map((port) => ({ port: Number(port), protocol: "UDP" as const }));
  const declared = ports ?? [...ofTcp, ...ofUdp];
  return {
    nodeName: "sandbox-node",
    restartPolicy: "Always",
    terminationGracePeriodSeconds: terminationGracePeriodSeconds ?? 30,
    containers: [{ name, image: image ?? `sandbox/${name}:1`, ports: declared.map(containerPort) }],
  };
}

function containerPort({
  name,
  port,
  protocol = "TCP",
}: NonNullable<PodManifest["ports"]>[number]): ContainerPort {
  return { ...(name === undefined ? {} : { name }), containerPort: port, protocol };
}

/** A Service as the API shows it. */
export function serviceOf(namespace: string, manifest: ServiceManifest): Service {
  const { name, selector, ports = [], clusterIP, externalName, annotations } = manifest;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: newMetadata(name, namespace, annotations ? { annotations } : {}),
    spec: {
      type: externalName === undefined ? "ClusterIP" : "ExternalName",
      ...(selector === null || externalName !== undefined ? {} : { selector: selector ?? { app: name } }),
      ...(ports.length === 0 ? {} : { ports: ports.map(servicePort) }),
      ...(externalName === undefined ? { clusterIP: clusterIP ?? "10.96.0.10" } : { externalName }),
    },
    status: { loadBalancer: {} },
  };
}

function servicePort(port: NonNullable<ServiceManifest["ports"]>[number]): ServicePort {
  return { protocol: "TCP", targetPort: port.port, ...port };
}

/** The EndpointSlice of a Service as the API shows it. */
export function sliceOf(namespace: string, { service, port, endpoints }: SliceManifest): EndpointSlice {
  const labels = { "kubernetes.io/service-name": service };
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: newMetadata(`${service}-manual`, namespace, { labels }),
    addressType: "IPv4",
    ports: [{ ...port, protocol: "TCP" }],
    endpoints: endpoints.map(({ address, pod }) => ({
      addresses: [address],
      ...(pod === undefined ? {} : { targetRef: { kind: "Pod", name: pod, namespace } }),
    })),
  };
}
