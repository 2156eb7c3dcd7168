import type { Proxy } from "../rig/proxy.ts";

/** How an app of test/puppets/app.mjs is deployed. */
export interface AppSpec {
  /** Default 1. */
  readonly replicas?: number;
  /** The container port that is called `http`. Default 8080; a rollout may move it. */
  readonly httpPort?: number;
  /** How long the app serves on after it was asked to end. Default: it ends at once, or nearly so. */
  readonly lingerMs?: number;
  /** Its container ends as soon as it starts, over and over; nothing waits for it to be ready. */
  readonly crashing?: boolean;
}

/** A Service; one without a selector or `externalName` selects the pods of the app of its own name. */
export interface ServiceSpec {
  /** Name of the app whose pods it selects; null: no selector. */
  readonly selects?: string | null;
  readonly ports?: readonly ServicePort[];
  readonly headless?: boolean;
  readonly externalName?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An EndpointSlice with one endpoint and one port. */
export interface SliceSpec {
  readonly port: { readonly name: string; readonly port: number };
  /** Absent: an address outside the cluster. */
  readonly pod?: string;
}

/** One that nobody has: TEST-NET-1. */
export const OUTSIDE_ADDRESS = "192.0.2.1";

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  readonly targetPort: number | string;
  readonly protocol?: "TCP" | "UDP";
}

/** A pod as the API server tells it. */
export interface PodFacts {
  readonly name: string;
  readonly uid: string;
  readonly ready: boolean;
  /** Somebody has asked it to end. */
  readonly deleting: boolean;
  /** Its address; empty until it has one. */
  readonly ip: string;
}

/** One thing that a watch has told of a pod. */
export interface PodMoment {
  /** When it was heard, on `performance.now()`. */
  readonly atMs: number;
  readonly name: string;
  /** There, Ready, and not asked to end. */
  readonly serving: boolean;
}

/** What a watch beside the one of kfwd has told, oldest first, since before it was handed out. */
export interface PodHistory extends AsyncDisposable {
  readonly moments: readonly PodMoment[];
}

/** A Role as the API has it. */
export interface RoleObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

/**
 * A cluster as far as the behaviour tests change it and look at it: the sandbox, or a real one. Calls resolve when the
 * change is asked for, unless they say more. Disposing leaves nothing of the tests behind.
 */
export interface World extends AsyncDisposable {
  /** Name of the context in every kubeconfig. */
  readonly context: string;
  /** What relay pods run, where it is not the default. */
  readonly relayImage?: string;
  /** Path of a kubeconfig. `admin` may do all; `nobody` is known and may do nothing. */
  kubeconfig(user: "admin" | "nobody"): string;
  /** How the API server calls `nobody`. */
  readonly nobody: string;
  /** Path of the kubeconfig of a user who may read what is in the namespace, and forward nothing. */
  viewer(namespace: string): Promise<string>;
  /** Path of the kubeconfig of a new user of the namespace who has these Roles there, and no other rights. */
  grant(namespace: string, user: string, roles: readonly RoleObject[]): Promise<string>;
  /** A way to the API server that can be cut, and the admin's kubeconfig for it. */
  behindProxy(): Promise<{ readonly kubeconfig: string; readonly proxy: Proxy }>;
  /** Makes a namespace; resolves with its name. */
  newNamespace(): Promise<string>;
  /** A Deployment and a Service of that name; its port 80 is `http`, each other port of the app has its own number. Resolves when ready. */
  deploy(namespace: string, name: string, app?: AppSpec): Promise<void>;
  /** A StatefulSet and a headless Service of that name. Resolves when ready. */
  statefulSet(namespace: string, name: string, app?: AppSpec): Promise<void>;
  /** A pod that nobody replaces. Resolves when ready. */
  createPod(namespace: string, name: string): Promise<void>;
  /** The pods of an app, in the order of their names. */
  podsOf(namespace: string, app: string): Promise<readonly PodFacts[]>;
  /** The names of all pods, of whoever made them. */
  podNames(namespace: string): Promise<readonly string[]>;
  /** `force`: without grace. */
  deletePod(namespace: string, pod: string, how?: { readonly force?: boolean }): Promise<void>;
  deleteAllPods(namespace: string): Promise<void>;
  scale(namespace: string, deployment: string, replicas: number): Promise<void>;
  /** Replaces every pod of a Deployment. Resolves when only new ones are left, and ready. */
  rollout(namespace: string, deployment: string, app: AppSpec): Promise<void>;
  createService(namespace: string, name: string, service: ServiceSpec): Promise<void>;
  /** Leads a Service without a selector to a pod, or to an address outside the cluster. */
  createSlice(namespace: string, service: string, slice: SliceSpec): Promise<void>;
  updateService(namespace: string, name: string, service: ServiceSpec): Promise<void>;
  deleteService(namespace: string, name: string): Promise<void>;
  /** Sets what the readiness probe of a pod says. Resolves when the pod's status says so too. */
  setReady(namespace: string, pod: string, ready: boolean): Promise<void>;
  /** Lets the app of a pod listen on one of its ports, or refuse there. */
  setListening(namespace: string, pod: string, port: number, listening: boolean): Promise<void>;
  /** The container ends, and the kubelet starts it again in the same pod. */
  restartContainer(namespace: string, pod: string): Promise<void>;
  watchPods(namespace: string): Promise<PodHistory>;
}

/** Ports of the app besides 8080, which is `http`. */
export const APP_PORTS = [
  7000, 7001, 7002, 7003, 7004, 7005, 7006, 7007, 7008, 7009, 7010, 7011, 7012, 7013,
] as const;

/** What the Service of an app offers. */
export const APP_SERVICE_PORTS: readonly ServicePort[] = [
  { name: "http", port: 80, targetPort: "http" },
  ...APP_PORTS.map((port) => ({ name: `p${port}`, port, targetPort: port })),
];
