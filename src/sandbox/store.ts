/** The sandbox's etcd: objects by resource, a version per change, and the recent changes for watches to resume from. */
import type { KubeObject, ObjectOf } from "./objects.ts";
import { resourceOf, type Resource } from "./resources.ts";

/** One change. `before` is what was there; it is undefined exactly when the type is ADDED. */
export interface Change {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly resource: Resource;
  readonly object: KubeObject;
  readonly before: KubeObject | undefined;
}

/** Changes kept for watches that resume; older ones are dropped and count as compacted. */
const HISTORY_MAX_CHANGES = 2000;

/** All objects of one sandbox; what it hands out is never altered. */
export class Store {
  readonly #objects = new Map<Resource, Map<string, KubeObject>>();
  readonly #listeners = new Set<(change: Change) => void>();
  #history: Change[] = [];
  /** Changes up to this version are forgotten. */
  #compacted = 0;
  #version = 1000;

  /** Of the newest change. */
  get version(): number {
    return this.#version;
  }

  /** Stores the object under a new version and returns it as stored. */
  put<T extends KubeObject>(object: T): T {
    const resource = resourceOf(object.kind);
    const version = ++this.#version;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    const ofKind = this.#ofResource(resource);
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const before = ofKind.get(key);
    ofKind.set(key, stored);
    this.#record({ version, type: before ? "MODIFIED" : "ADDED", resource, object: stored, before });
    return stored;
  }

  /** Removes an object, if it is there. */
  remove(kind: KubeObject["kind"], namespace: string | undefined, name: string): void {
    const resource = resourceOf(kind);
    const ofKind = this.#ofResource(resource);
    const key = keyOf(namespace, name);
    const before = ofKind.get(key);
    if (before === undefined) return;
    ofKind.delete(key);
    const version = ++this.#version;
    const object = { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } };
    this.#record({ version, type: "DELETED", resource, object, before });
  }

  get<K extends KubeObject["kind"]>(
    kind: K,
    namespace: string | undefined,
    name: string,
  ): ObjectOf<K> | undefined;
  get(kind: KubeObject["kind"], namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#ofResource(resourceOf(kind)).get(keyOf(namespace, name));
  }

  /** In the order of their keys; of all namespaces when `namespace` is undefined. */
  list<K extends KubeObject["kind"]>(kind: K, namespace: string | undefined): readonly ObjectOf<K>[];
  list(kind: KubeObject["kind"], namespace: string | undefined): readonly KubeObject[] {
    return [...this.#ofResource(resourceOf(kind))]
      .filter(([, { metadata }]) => namespace === undefined || metadata.namespace === namespace)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
  }

  /** Everything that happened after `version`; undefined when that is no longer known. */
  since(version: number): readonly Change[] | undefined {
    if (version < this.#compacted) return undefined;
    return this.#history.filter((change) => change.version > version);
  }

  /** Forgets all changes so far: a watch cannot resume from before the newest one. */
  compact(): void {
    this.#version++; // so that even a client that has seen everything is behind
    this.#compacted = this.#version;
    this.#history = [];
  }

  /** Calls `listener` in the middle of each change to come; it must not throw. */
  subscribe(listener: (change: Change) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #ofResource(resource: Resource): Map<string, KubeObject> {
    let objects = this.#objects.get(resource);
    if (objects === undefined) this.#objects.set(resource, (objects = new Map()));
    return objects;
  }

  #record(change: Change): void {
    this.#history.push(change);
    if (this.#history.length > HISTORY_MAX_CHANGES) {
      const dropped = this.#history.splice(0, HISTORY_MAX_CHANGES / 2);
      this.#compacted = dropped.at(-1)?.version ?? this.#compacted;
    }
    for (const listener of this.#listeners) listener(change);
  }
}

/** Sorts as etcd's keys do: by namespace, then by name. */
export function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace ?? ""}/${name}`;
}
