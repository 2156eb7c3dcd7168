import { createHash } from "node:crypto";
import {
  controllerOf,
  controllerReference,
  isReady,
  nameSuffix,
  newMetadata,
  wantedPods,
  WORKLOAD_KINDS,
  type Labels,
  type Pod,
  type Workload,
} from "./objects.ts";
import type { Pods, Program } from "./pods.ts";
import { stepRollout } from "./rollout.ts";
import type { Change, Store } from "./store.ts";

/** Which template a pod is of, by the label of its kind of workload. */
const HASH_LABEL = {
  Deployment: "pod-template-hash",
  ReplicaSet: "pod-template-hash",
  StatefulSet: "controller-revision-hash",
  DaemonSet: "controller-revision-hash",
  Job: "batch.kubernetes.io/controller-uid",
} as const;

/** Keeps the pods that workloads want, as the cluster's controllers do: on every change, at the end of the turn. */
export class Controllers implements Disposable {
  readonly #store: Store;
  readonly #pods: Pods;
  readonly #subscription: Disposable;
  /** What runs in the pods of a workload, by its UID. */
  readonly #programs = new Map<string, Program>();
  /** UIDs of workloads to look at. */
  readonly #dirty = new Set<string>();

  constructor(store: Store, pods: Pods) {
    this.#store = store;
    this.#pods = pods;
    this.#subscription = store.subscribe((change) => this.#notice(change));
  }

  /** Stores a workload, new or changed, whose pods run `program` from now on. */
  apply(workload: Workload, program: Program): Workload {
    this.#programs.set(workload.metadata.uid, program);
    return this.#store.put(workload);
  }

  /** What the pods of a workload run. */
  programOf({ metadata }: Workload): Program {
    return this.#programs.get(metadata.uid) ?? { apps: {} };
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#dirty.clear();
  }

  #notice({ object, type }: Change): void {
    const concerned = [controllerOf(object), isWorkload(object) ? object.metadata.uid : undefined];
    for (const uid of concerned) if (uid !== undefined) this.#mark(uid);
    if (type === "DELETED" && isWorkload(object)) this.#collect(object);
  }

  #mark(uid: string): void {
    if (this.#dirty.size === 0) queueMicrotask(() => this.#settle());
    this.#dirty.add(uid);
  }

  #settle(): void {
    for (const uid of this.#dirty) {
      // a workload that is marked again while it is looked at comes around again
      this.#dirty.delete(uid);
      const workload = this.#workload(uid);
      if (workload !== undefined) this.#reconcile(workload);
    }
  }

  /** What a deleted workload owned goes with it. */
  #collect({ metadata }: Workload): void {
    this.#programs.delete(metadata.uid);
    for (const pod of this.#owned(metadata.uid)) this.#delete(pod);
    for (const set of this.#sets(metadata.uid))
      this.#store.remove(set.kind, metadata.namespace, set.metadata.name);
  }

  #reconcile(workload: Workload): void {
    switch (workload.kind) {
      case "Deployment":
        this.#rollDeployment(workload);
        break;
      case "StatefulSet":
        this.#keepNamed(workload);
        break;
      case "ReplicaSet":
      case "Job":
        this.#keepCount(workload, this.#active(workload));
        break;
      case "DaemonSet":
        this.#keepDaemon(workload);
        break;
    }
    this.#report(workload.metadata.uid);
  }

  #rollDeployment(deployment: Workload): void {
    const hash = templateHash(deployment);
    const sets = this.#sets(deployment.metadata.uid);
    const current = sets.find((set) => hashOf(set) === hash) ?? this.#createSet(deployment, hash);
    const olds = sets.filter((set) => set.metadata.uid !== current.metadata.uid);
    const next = stepRollout(
      wantedPods(deployment),
      this.#size(current),
      olds.map((set) => this.#size(set)),
    );
    this.#resize(current, next.current);
    olds.forEach((set, index) => this.#resize(set, next.olds[index] ?? 0));
  }

  #createSet(deployment: Workload, hash: string): Workload {
    const { metadata, spec } = deployment;
    const { labels: templateLabels } = spec.template.metadata;
    const labels = { ...templateLabels, [HASH_LABEL.ReplicaSet]: hash };
    const set: Workload = {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: newMetadata(`${metadata.name}-${hash}`, metadata.namespace, {
        labels,
        ownerReferences: [controllerReference(deployment)],
      }),
      spec: {
        replicas: 0,
        selector: { matchLabels: { ...spec.selector.matchLabels, [HASH_LABEL.ReplicaSet]: hash } },
        template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
      },
      status: {},
    };
    return this.apply(set, this.programOf(deployment));
  }

  #size(set: Workload): { readonly replicas: number; readonly ready: number } {
    const replicas = wantedPods(set);
    return { replicas, ready: Math.min(replicas, this.#active(set).filter(isReady).length) };
  }

  #resize(set: Workload, replicas: number): void {
    if (wantedPods(set) !== replicas) this.#store.put({ ...set, spec: { ...set.spec, replicas } });
  }

  /** Pods with random names: creates what is missing, deletes what is too much, useless ones first. */
  #keepCount(workload: Workload, active: readonly Pod[]): void {
    const wanted = wantedPods(workload);
    for (let count = active.length; count < wanted; count++) this.#create(workload, undefined);
    const byUse = [...active].sort((a, b) => Number(isReady(a)) - Number(isReady(b)));
    for (const pod of byUse.slice(0, Math.max(0, active.length - wanted))) this.#delete(pod);
  }

  /** One pod a node: the old one goes before the new one comes. */
  #keepDaemon(workload: Workload): void {
    const hash = templateHash(workload);
    const outdated = this.#active(workload).filter((pod) => hashOf(pod) !== hash);
    for (const pod of outdated) this.#delete(pod);
    if (this.#owned(workload.metadata.uid).length === 0) this.#keepCount(workload, []);
  }

  /** Pods `name-0` up: each waits for the one before it, and keeps its name when it is replaced. */
  #keepNamed(workload: Workload): void {
    const { name, namespace } = workload.metadata;
    const wanted = wantedPods(workload);
    const hash = templateHash(workload);
    const owned = this.#owned(workload.metadata.uid);
    for (const pod of owned) if (ordinalOf(pod) >= wanted) this.#delete(pod);
    for (let ordinal = 0; ordinal < wanted; ordinal++) {
      const pod = this.#store.get("Pod", namespace, `${name}-${ordinal}`);
      if (pod === undefined) this.#create(workload, ordinal);
      if (pod === undefined || !isReady(pod)) return;
    }
    const outdated = owned.filter((pod) => hashOf(pod) !== hash).sort((a, b) => ordinalOf(b) - ordinalOf(a));
    if (outdated[0] !== undefined) this.#delete(outdated[0]);
  }

  #create(workload: Workload, ordinal: number | undefined): void {
    const { metadata, spec, kind } = workload;
    const { name, namespace = "" } = metadata;
    const podName = `${name}-${ordinal ?? nameSuffix(5)}`;
    const hash = kind === "ReplicaSet" ? hashOf(workload) : templateHash(workload);
    const labels: Labels = {
      ...spec.template.metadata.labels,
      ...(hash === undefined ? {} : { [HASH_LABEL[kind]]: hash }),
      ...(kind === "Job" ? { "batch.kubernetes.io/job-name": name, "job-name": name } : {}),
      ...(ordinal === undefined
        ? {}
        : { "apps.kubernetes.io/pod-index": String(ordinal), "statefulset.kubernetes.io/pod-name": podName }),
    };
    const owner = controllerReference(workload);
    const pod = {
      name: podName,
      namespace,
      labels,
      spec: spec.template.spec,
      generateName: `${name}-`,
      owner,
    };
    this.#pods.create(pod, this.programOf(workload));
  }

  #delete({ metadata: { name, namespace = "", deletionTimestamp } }: Pod): void {
    if (deletionTimestamp === undefined) this.#pods.delete(namespace, name);
  }

  /** Writes the counts into the status, if they have changed. */
  #report(uid: string): void {
    const workload = this.#workload(uid);
    if (workload === undefined) return;
    const sets = this.#sets(uid);
    const pods = sets.length > 0 ? sets.flatMap((set) => this.#active(set)) : this.#active(workload);
    const ready = pods.filter(isReady).length;
    const status = statusOf(workload, pods.length, ready);
    if (JSON.stringify(status) !== JSON.stringify(workload.status)) this.#store.put({ ...workload, status });
  }

  #workload(uid: string): Workload | undefined {
    return WORKLOAD_KINDS.flatMap((kind) => this.#store.list(kind, undefined)).find(
      (w) => w.metadata.uid === uid,
    );
  }

  #sets(deploymentUid: string): readonly Workload[] {
    return this.#store.list("ReplicaSet", undefined).filter((set) => controllerOf(set) === deploymentUid);
  }

  #owned(uid: string): readonly Pod[] {
    return this.#store.list("Pod", undefined).filter((pod) => controllerOf(pod) === uid);
  }

  #active({ metadata }: Workload): readonly Pod[] {
    return this.#owned(metadata.uid).filter((pod) => pod.metadata.deletionTimestamp === undefined);
  }
}

function isWorkload(object: Change["object"]): object is Workload {
  return WORKLOAD_KINDS.some((kind) => kind === object.kind);
}

function templateHash({ spec }: Workload): string {
  const digest = createHash("sha256").update(JSON.stringify(spec.template)).digest("hex");
  return digest.slice(0, 9);
}

function hashOf({ metadata }: Workload | Pod): string | undefined {
  return metadata.labels?.[HASH_LABEL.ReplicaSet] ?? metadata.labels?.[HASH_LABEL.StatefulSet];
}

function ordinalOf({ metadata }: Pod): number {
  return Number(metadata.name.slice(metadata.name.lastIndexOf("-") + 1));
}

function statusOf({ kind }: Workload, pods: number, ready: number): Workload["status"] {
  switch (kind) {
    case "DaemonSet":
      return {
        currentNumberScheduled: pods,
        desiredNumberScheduled: 1,
        numberReady: ready,
        numberMisscheduled: 0,
      };
    case "Job":
      return { active: pods, ready };
    case "Deployment":
    case "ReplicaSet":
    case "StatefulSet":
      return { replicas: pods, readyReplicas: ready, availableReplicas: ready };
  }
}
