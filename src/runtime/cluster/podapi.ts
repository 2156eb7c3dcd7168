/** Pods of our own: made, looked at and deleted, always that one and never another of its name. */
import * as z from "zod/mini";
import { ApiRefusal, malformedAnswer } from "./failures.ts";
import type { PodIdentity } from "./follow.ts";
import type { ApiRequest, RestClient } from "./rest.ts";

/** A pod as a list of leftovers shows it. */
export interface OwnPod extends PodIdentity {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly createdAt: string;
  /** When it is to be gone; empty while nobody has asked for that. */
  readonly deletedAt: string;
}

const Texts = z.nullish(z.record(z.string(), z.string()));
const Made = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    labels: Texts,
    annotations: Texts,
    creationTimestamp: z.nullish(z.string()),
    deletionTimestamp: z.nullish(z.string()),
  }),
});
const Listed = z.object({ items: z.nullish(z.array(z.unknown())) });

/** Of one namespace. */
export class PodApi {
  readonly #rest: RestClient;
  readonly #namespace: string;

  constructor(rest: RestClient, namespace: string) {
    this.#rest = rest;
    this.#namespace = namespace;
  }

  /** @throws as {@link RestClient.ask}. */
  async create(manifest: object, signal: AbortSignal): Promise<PodIdentity> {
    const deed = { method: "POST", body: manifest } as const;
    return this.#read(await this.#rest.ask({ ...this.#request("create"), deed }, signal));
  }

  /** The whole object; undefined when it is gone or another has its name. @throws as {@link RestClient.ask}. */
  async look({ name, uid }: PodIdentity, signal: AbortSignal): Promise<unknown> {
    try {
      const json = await this.#rest.ask(this.#request("get", name), signal);
      return this.#read(json).uid === uid ? json : undefined;
    } catch (error) {
      if (error instanceof ApiRefusal && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Whether it was there. @throws as {@link RestClient.ask}. */
  async remove({ name, uid }: PodIdentity, signal: AbortSignal): Promise<boolean> {
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions: { uid } };
    try {
      await this.#rest.ask({ ...this.#request("delete", name), deed: { method: "DELETE", body } }, signal);
      return true;
    } catch (error) {
      // 409: a pod of that name, but not the one we mean.
      if (error instanceof ApiRefusal && (error.status === 404 || error.status === 409)) return false;
      throw error;
    }
  }

  /** Those with the label. @throws as {@link RestClient.ask}. */
  async list(label: string, signal: AbortSignal): Promise<readonly OwnPod[]> {
    const page = Listed.safeParse(
      await this.#rest.ask({ ...this.#request("list"), query: { labelSelector: label } }, signal),
    );
    if (!page.success) throw malformedAnswer(this.#rest.access, "no list of pods");
    return (page.data.items ?? []).map((item) => this.#read(item));
  }

  #read(json: unknown): OwnPod {
    const parsed = Made.safeParse(json);
    if (!parsed.success) throw malformedAnswer(this.#rest.access, "a pod without a name");
    const { name, uid, labels, annotations, creationTimestamp, deletionTimestamp } = parsed.data.metadata;
    return {
      name,
      uid,
      labels: labels ?? {},
      annotations: annotations ?? {},
      createdAt: creationTimestamp ?? "",
      deletedAt: deletionTimestamp ?? "",
    };
  }

  #request(verb: "create" | "get" | "delete" | "list", name?: string): ApiRequest {
    const path = ["api", "v1", "namespaces", this.#namespace, "pods", ...(name === undefined ? [] : [name])];
    const call = {
      verb,
      resource: "pods",
      namespace: this.#namespace,
      ...(name === undefined ? {} : { name }),
    };
    return { path, query: {}, call };
  }
}
