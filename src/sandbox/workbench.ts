import { KfwdError } from "../errors.ts";
import type { Controllers } from "./controllers.ts";
import {
  labelsOf,
  podSpecOf,
  programOf,
  serviceOf,
  sliceOf,
  workloadOf,
  type PodManifest,
  type ServiceManifest,
  type SliceManifest,
  type WorkloadManifest,
} from "./manifests.ts";
import {
  newMetadata,
  type EndpointSlice,
  type KubeObject,
  type Labels,
  type Pod,
  type Service,
  type Workload,
  type WorkloadKind,
} from "./objects.ts";
import type { Pods } from "./pods.ts";
import { unboundStatus } from "./podstatus.ts";
import type { Store } from "./store.ts";

/** The verbs by which tests and the demo change what is in a sandbox cluster. Namespaces come into being when used. */
export class Workbench {
  readonly #store: Store;
  readonly #pods: Pods;
  readonly #controllers: Controllers;
  readonly #manifests = new Map<string, WorkloadManifest>();
  #rollouts = 0;

  constructor(store: Store, pods: Pods, controllers: Controllers) {
    this.#store = store;
    this.#pods = pods;
    this.#controllers = controllers;
  }

  createNamespace(name: string): void {
    if (this.#store.get("Namespace", undefined, name) !== undefined) return;
    const labels = { "kubernetes.io/metadata.name": name };
    const metadata = newMetadata(name, undefined, { labels });
    this.#store.put({ apiVersion: "v1", kind: "Namespace", metadata, status: { phase: "Active" } });
  }

  createService(namespace: string, manifest: ServiceManifest): Service {
    this.createNamespace(namespace);
    return this.#store.put(serviceOf(namespace, manifest));
  }

  /** Replaces everything but name and identity. */
  updateService(namespace: string, manifest: ServiceManifest): Service {
    const old = this.#need("Service", namespace, manifest.name);
    return this.#store.put({ ...serviceOf(namespace, manifest), metadata: old.metadata });
  }

  deleteService(namespace: string, name: string): void {
    this.#store.remove("Service", namespace, name);
  }

  /** What leads a Service without a selector to pods, or to any address. */
  createEndpointSlice(namespace: string, manifest: SliceManifest): EndpointSlice {
    return this.#store.put(sliceOf(namespace, manifest));
  }

  createDeployment(namespace: string, manifest: WorkloadManifest): Workload {
    return this.createWorkload("Deployment", namespace, manifest);
  }

  createWorkload(kind: WorkloadKind, namespace: string, manifest: WorkloadManifest): Workload {
    this.createNamespace(namespace);
    const workload = workloadOf(kind, namespace, manifest);
    this.#manifests.set(workload.metadata.uid, manifest);
    return this.#controllers.apply(workload, programOf(manifest));
  }

  /** A Deployment's pods go one by one, none before its successor is ready. */
  scale(namespace: string, name: string, replicas: number, kind: WorkloadKind = "Deployment"): void {
    const workload = this.#need(kind, namespace, name);
    this.#manifests.set(workload.metadata.uid, { ...this.#manifest(workload), replicas });
    const counts = kind === "Job" ? { parallelism: replicas } : { replicas };
    this.#store.put({ ...workload, spec: { ...workload.spec, ...counts } });
  }

  /** Gives the pods a new template, changed as told, and replaces them as their kind of workload does. */
  rollout(
    namespace: string,
    name: string,
    changes: Partial<Omit<WorkloadManifest, "name" | "labels" | "replicas">> = {},
    kind: WorkloadKind = "Deployment",
  ): void {
    const workload = this.#need(kind, namespace, name);
    const manifest = { ...this.#manifest(workload), ...changes };
    this.#manifests.set(workload.metadata.uid, manifest);
    const { spec } = workloadOf(kind, namespace, manifest, `rollout ${++this.#rollouts}`);
    this.#controllers.apply({ ...workload, spec }, programOf(manifest));
  }

  deleteWorkload(kind: WorkloadKind, namespace: string, name: string): void {
    this.#store.remove(kind, namespace, name);
  }

  /** A pod that nobody replaces. */
  createPod(namespace: string, manifest: PodManifest): Pod {
    this.createNamespace(namespace);
    const pod = { name: manifest.name, namespace, labels: labelsOf(manifest), spec: podSpecOf(manifest) };
    return this.#pods.create(pod, programOf(manifest));
  }

  /** A pod that no node takes: it is there, and nothing ever becomes of it. */
  createUnboundPod(namespace: string, manifest: PodManifest, annotations: Labels = {}): Pod {
    this.createNamespace(namespace);
    const { restartPolicy, terminationGracePeriodSeconds, containers } = podSpecOf(manifest);
    const spec = { restartPolicy, terminationGracePeriodSeconds, containers }; // no node
    const metadata = newMetadata(manifest.name, namespace, { labels: labelsOf(manifest), annotations });
    return this.#store.put({ apiVersion: "v1", kind: "Pod", metadata, spec, status: unboundStatus() });
  }

  /** Pods in the order of their names, those that carry all the labels. */
  list(namespace: string, labels: Labels = {}): readonly Pod[] {
    const wanted = Object.entries(labels);
    return this.#store
      .list("Pod", namespace)
      .filter(({ metadata }) => wanted.every(([key, value]) => metadata.labels?.[key] === value));
  }

  /** What a DELETE request does. */
  remove(object: KubeObject, how: { readonly graceMs?: number; readonly force?: boolean }): void {
    const { name, namespace } = object.metadata;
    if (object.kind === "Pod") this.#pods.delete(namespace ?? "", name, how);
    else this.#store.remove(object.kind, namespace, name);
  }

  #need<K extends WorkloadKind | "Service">(
    kind: K,
    namespace: string,
    name: string,
  ): K extends "Service" ? Service : Workload;
  #need(kind: WorkloadKind | "Service", namespace: string, name: string): Service | Workload {
    const object = this.#store.get(kind, namespace, name);
    if (object !== undefined) return object;
    throw new KfwdError("INTERNAL", `sandbox: no ${kind} "${name}" in namespace "${namespace}"`);
  }

  #manifest(workload: Workload): WorkloadManifest {
    return this.#manifests.get(workload.metadata.uid) ?? { name: workload.metadata.name };
  }
}
