/** The objects of one kind in one namespace, as the API has them: by list, by name, or as a watch. */
import * as z from "zod/mini";
import type { KfwdError } from "../../errors.ts";
import type { Log } from "../deps.ts";
import { ApiRefusal, malformedAnswer, type ApiCall } from "./failures.ts";
import { readMeta, type Kind } from "./objects.ts";
import type { ApiRequest, RestClient } from "./rest.ts";

const PAGE_OBJECTS = 500;

/** What there was at one moment. */
export interface Listing<T> {
  readonly objects: Map<string, T>;
  /** Names and versions: equal for two listings of the same. */
  readonly mark: string;
}

/** Reads them; what cannot be read is left out and counted. */
export class Source<T> {
  readonly rest: RestClient;
  readonly #kind: Kind<T>;
  readonly #namespace: string;
  readonly #log: Log;
  #skipped = 0;

  constructor(rest: RestClient, kind: Kind<T>, namespace: string, log: Log) {
    this.rest = rest;
    this.#kind = kind;
    this.#namespace = namespace;
    this.#log = log;
  }

  /** Objects that could not be read. */
  get skipped(): number {
    return this.#skipped;
  }

  /** For the log. */
  get fields(): { readonly context: string; readonly namespace: string; readonly resource: string } {
    const { context } = this.rest.access;
    return { context, namespace: this.#namespace, resource: this.#kind.resource };
  }

  /** All pages, each object cut down to what is kept as it arrives, and the version they are of. */
  async list(signal: AbortSignal): Promise<Listing<T> & { readonly version: string }> {
    const objects = new Map<string, T>();
    const marks: string[] = [];
    let token: string | undefined;
    for (;;) {
      const query = { limit: PAGE_OBJECTS, ...(token === undefined ? {} : { continue: token }) };
      const take = (item: unknown): void => void marks.push(this.keep(objects, item));
      const page = Page.safeParse(await this.rest.list(this.#request("list", query), take, signal));
      if (!page.success) throw this.malformed("a list without a version");
      token = page.data.metadata.continue || undefined;
      if (token === undefined) {
        return { objects, mark: marks.join("\n"), version: page.data.metadata.resourceVersion };
      }
    }
  }

  /** Those of the names that are there. */
  async get(names: Iterable<string>, signal: AbortSignal): Promise<Listing<T>> {
    const objects = new Map<string, T>();
    const marks: string[] = [];
    for (const name of names) {
      try {
        marks.push(this.keep(objects, await this.rest.ask(this.#request("get", {}, name), signal)));
      } catch (error) {
        if (!(error instanceof ApiRefusal) || error.status !== 404) throw error;
      }
    }
    return { objects, mark: marks.join("\n") };
  }

  /** @see RestClient.watch */
  watch(
    version: string,
    timeoutSeconds: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<readonly unknown[]>> {
    const query = { watch: true, allowWatchBookmarks: true, resourceVersion: version, timeoutSeconds };
    return this.rest.watch(this.#request("watch", query), signal);
  }

  /** Adds the object under its name, if it can be read; returns its mark. */
  keep(objects: Map<string, T>, json: unknown): string {
    const meta = readMeta(json);
    const object = this.#kind.read(json);
    if (meta !== undefined && object !== undefined) {
      objects.set(meta.name, object);
      return `${meta.name} ${meta.resourceVersion}`;
    }
    this.#skipped++;
    this.#log.warn("object skipped", { ...this.fields, object: meta?.name, skipped: this.#skipped });
    return "";
  }

  call(verb: string, name?: string): ApiCall {
    const call = { verb, resource: this.#kind.resource, namespace: this.#namespace };
    return name === undefined ? call : { ...call, name };
  }

  malformed(what: string): KfwdError {
    return malformedAnswer(this.rest.access, what);
  }

  #request(verb: "list" | "watch" | "get", query: ApiRequest["query"], name?: string): ApiRequest {
    const { group, resource } = this.#kind;
    const path = [...group, "namespaces", this.#namespace, resource];
    return { path: name === undefined ? path : [...path, name], query, call: this.call(verb, name) };
  }
}

const Page = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.optional(z.string()) }),
});
