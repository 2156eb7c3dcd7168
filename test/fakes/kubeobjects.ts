import type { ApiObject } from "./apiserver.ts";

/** What a test says of a pod; everything else is as of a pod that runs well. */
export interface PodWish {
  readonly uid?: string;
  readonly labels?: Record<string, string>;
  readonly phase?: string;
  readonly ready?: boolean;
  readonly readySince?: string;
  readonly createdAt?: string;
  readonly deleting?: boolean;
  readonly owner?: string;
  readonly restarts?: number;
  readonly waiting?: string;
  readonly lastExit?: { readonly exitCode: number; readonly reason: string };
  readonly ports?: readonly {
    readonly name?: string;
    readonly containerPort: number;
    readonly protocol?: string;
  }[];
  readonly sidecarPorts?: PodWish["ports"];
  readonly unschedulable?: string;
  /** The first is its main one. */
  readonly ips?: readonly string[];
}

/** A pod as the API shows it. */
export function podJson(name: string, wish: PodWish = {}): ApiObject {
  const { ready = true, phase = "Running" } = wish;
  const state = wish.waiting === undefined ? { running: {} } : { waiting: { reason: wish.waiting } };
  return {
    metadata: {
      name,
      uid: wish.uid ?? `uid-${name}`,
      labels: wish.labels ?? { app: "web" },
      creationTimestamp: wish.createdAt ?? "2026-11-01T00:00:00Z",
      ...(wish.deleting ? { deletionTimestamp: "2026-11-02T00:00:00Z" } : {}),
      ...(wish.owner === undefined ? {} : { ownerReferences: [{ uid: wish.owner, controller: true }] }),
    },
    spec: {
      containers: [{ name: "main", ports: wish.ports ?? [{ name: "http", containerPort: 8080 }] }],
      initContainers: wish.sidecarPorts
        ? [{ name: "proxy", restartPolicy: "Always", ports: wish.sidecarPorts }]
        : null,
    },
    status: {
      phase,
      ...(wish.ips === undefined ? {} : { podIP: wish.ips[0], podIPs: wish.ips.map((ip) => ({ ip })) }),
      conditions: [
        ...(wish.unschedulable === undefined
          ? []
          : [
              { type: "PodScheduled", status: "False", reason: "Unschedulable", message: wish.unschedulable },
            ]),
        {
          type: "Ready",
          status: ready ? "True" : "False",
          lastTransitionTime: wish.readySince ?? "2026-11-01T00:00:05Z",
        },
      ],
      containerStatuses: [
        {
          name: "main",
          restartCount: wish.restarts ?? 0,
          state,
          lastState: wish.lastExit ? { terminated: wish.lastExit } : {},
        },
      ],
    },
  };
}

/** A Service as the API shows it. */
export function serviceJson(name: string, spec: Record<string, unknown> = {}): ApiObject {
  return {
    metadata: { name },
    spec: {
      type: "ClusterIP",
      selector: { app: "web" },
      ports: [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }],
      ...spec,
    },
  };
}

/** An EndpointSlice of a Service: its endpoints as the API has them. */
export function sliceJson(
  name: string,
  service: string,
  endpoints: readonly Record<string, unknown>[],
  ports: readonly Record<string, unknown>[] = [{ name: "http", port: 8080, protocol: "TCP" }],
): ApiObject {
  const labels = { "kubernetes.io/service-name": service };
  return { metadata: { name, labels }, addressType: "IPv4", endpoints, ports };
}

/** A Deployment, StatefulSet or the like as the API shows it. */
export function workloadJson(name: string, { status, ...spec }: Record<string, unknown> = {}): ApiObject {
  return {
    metadata: { name, uid: `uid-${name}` },
    ...(status === undefined ? {} : { status }),
    spec: { replicas: 1, selector: { matchLabels: { app: "web" } }, ...spec },
  };
}
