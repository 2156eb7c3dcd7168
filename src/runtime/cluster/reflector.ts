/** Keeps a copy of all objects of one kind in one namespace: one list, then one watch for as long as it lives. */
import * as z from "zod/mini";
import { KfwdError } from "../../errors.ts";
import { DENIED_RETRY_MS, DEFAULT_BACKOFF, backoffMs } from "../core/backoff.ts";
import type { Reason } from "../core/status.ts";
import type { Clock, Log, Random } from "../deps.ts";
import { ApiRefusal, malformedAnswer, reasonOf, statusFailure, type ApiCall } from "./failures.ts";
import { readMeta, type Kind } from "./objects.ts";
import type { RestClient } from "./rest.ts";

const PAGE_OBJECTS = 500;

/** The server ends a watch after a random time of this range, so that many clients do not come back at once. */
const WATCH_LEAST_S = 300;
const WATCH_SPREAD_S = 300;

/** A watch that ends sooner without an event is not well: something in between does not let it live. */
const WATCH_MIN_MS = 1_000;

/** No server keeps us away for longer with Retry-After. */
const RETRY_AFTER_MAX_MS = 60_000;

/** How a reflector fares. While failing, its objects are those of the last time it was well, if it ever was. */
export type ReflectorState =
  | { readonly kind: "syncing" | "synced" }
  | { readonly kind: "failing"; readonly reason: Reason };

/** What a reflector needs of the world. */
export interface ReflectorSurroundings {
  readonly rest: RestClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * Starts at once. `onChange` is called after objects or state changed, once for all events that came together, and
 * must not throw. Disposing ends its requests.
 */
export class Reflector<T> implements AsyncDisposable {
  readonly #around: ReflectorSurroundings;
  readonly #kind: Kind<T>;
  readonly #namespace: string;
  readonly #onChange: () => void;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #state: ReflectorState = { kind: "syncing" };
  #objects: Map<string, T> | undefined;
  /** Where to go on watching; undefined: only a list can tell what there is. */
  #version: string | undefined;
  /** The server that the version is of: a kubeconfig may come to name another. */
  #server = "";
  #listedAtMs = 0;
  /** Since when the watch stands; undefined: it does not. */
  #wellSinceMs: number | undefined;
  /** Failures since it was last well. */
  #attempt = 0;
  #skipped = 0;

  constructor(around: ReflectorSurroundings, kind: Kind<T>, namespace: string, onChange: () => void) {
    this.#around = around;
    this.#kind = kind;
    this.#namespace = namespace;
    this.#onChange = onChange;
    this.#running = this.#run(this.#ended.signal);
  }

  get state(): ReflectorState {
    return this.#state;
  }

  /** By name; undefined until the first list is complete. */
  get objects(): ReadonlyMap<string, T> | undefined {
    return this.#objects;
  }

  /** Objects that could not be read and were left out. */
  get skipped(): number {
    return this.#skipped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#server !== this.#around.rest.access.server.href) this.#version = undefined;
        this.#version ??= await this.#list(signal);
        await this.#watch(this.#version, signal);
      } catch (error) {
        if (signal.aborted) return;
        const waitMs = this.#fail(error);
        if (waitMs > 0) await this.#around.clock.sleep(waitMs, signal).catch(() => {}); // aborted: the loop ends
      }
    }
  }

  /** Reads all pages, replaces the objects, and returns the version they are of. */
  async #list(signal: AbortSignal): Promise<string> {
    const objects = new Map<string, T>();
    let token: string | undefined;
    for (;;) {
      const query = { limit: PAGE_OBJECTS, ...(token === undefined ? {} : { continue: token }) };
      const page = Page.safeParse(await this.#around.rest.get(this.#request("list", query), signal));
      if (!page.success) throw this.#malformed("a list without a version");
      for (const item of page.data.items ?? []) this.#keep(objects, item);
      token = page.data.metadata.continue || undefined;
      if (token !== undefined) continue;
      this.#objects = objects;
      this.#server = this.#around.rest.access.server.href;
      this.#listedAtMs = this.#around.clock.now();
      this.#become({ kind: "synced" });
      this.#onChange();
      return page.data.metadata.resourceVersion;
    }
  }

  /** Returns when the server ends the watch in order. */
  async #watch(version: string, signal: AbortSignal): Promise<void> {
    const { rest, clock, random } = this.#around;
    const query = {
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion: version,
      timeoutSeconds: WATCH_LEAST_S + Math.floor(random() * WATCH_SPREAD_S),
    };
    const batches = await rest.watch(this.#request("watch", query), signal);
    const sinceMs = clock.now();
    this.#wellSinceMs = sinceMs;
    if (this.#become({ kind: "synced" })) this.#onChange();
    let came = 0;
    for await (const batch of batches) {
      came += batch.length;
      this.#takeAll(batch);
    }
    if (came === 0 && clock.now() - sinceMs < WATCH_MIN_MS) {
      const { context } = rest.access;
      throw new KfwdError("CLUSTER_ANSWER", `the API server (context "${context}") ends watches at once`);
    }
  }

  /** Tells once of all of them, also when one of them ends the watch. */
  #takeAll(batch: readonly unknown[]): void {
    let changes = 0;
    try {
      for (const event of batch) if (this.#take(event)) changes++;
    } finally {
      if (changes > 0) this.#onChange();
    }
  }

  /** Applies one event of the watch; whether it changed the objects. */
  #take(event: unknown): boolean {
    const parsed = WatchEvent.safeParse(event);
    if (!parsed.success) throw this.#malformed("a watch event without a type");
    const { type, object } = parsed.data;
    if (type === "ERROR") throw statusFailure(this.#around.rest.access, 200, object, this.#call("watch"));
    const meta = readMeta(object);
    if (meta === undefined) throw this.#malformed("a watch event without a version");
    this.#version = meta.resourceVersion;
    const objects = this.#objects;
    if (objects === undefined || type === "BOOKMARK") return false;
    objects.delete(meta.name);
    if (type !== "DELETED") this.#keep(objects, object);
    return true;
  }

  #keep(objects: Map<string, T>, json: unknown): void {
    const name = readMeta(json)?.name;
    const object = this.#kind.read(json);
    if (name !== undefined && object !== undefined) {
      objects.set(name, object);
      return;
    }
    this.#skipped++;
    this.#around.log.warn("object skipped", { ...this.#fields(), object: name, skipped: this.#skipped });
  }

  /** Takes note of a failure and says how long to wait, in milliseconds. */
  #fail(thrown: unknown): number {
    const { clock, random, log } = this.#around;
    const nowMs = clock.now();
    const reason = reasonOf(thrown);
    if (mustRelist(thrown)) this.#version = undefined;
    // That a version has grown too old is no trouble but the course of things, unless the list is of just now.
    const hasAged = thrown instanceof ApiRefusal && thrown.status === 410;
    if (hasAged && nowMs - this.#listedAtMs >= DEFAULT_BACKOFF.resetAfterMs) {
      log.info("watch expired", this.#fields());
      return 0;
    }

    const wasWell =
      this.#wellSinceMs !== undefined && nowMs - this.#wellSinceMs >= DEFAULT_BACKOFF.resetAfterMs;
    this.#wellSinceMs = undefined;
    this.#attempt = wasWell ? 1 : this.#attempt + 1;
    log.info("watch lost", { ...this.#fields(), attempt: this.#attempt, reason: reason.message });
    // A watch that breaks once is made anew at once; nobody need hear of it unless that fails too.
    const isBlip = this.#objects !== undefined && this.#attempt === 1 && reason.kind !== "denied";
    if (!isBlip && this.#become({ kind: "failing", reason })) this.#onChange();
    if (reason.kind === "denied") return DENIED_RETRY_MS;
    const askedMs = thrown instanceof ApiRefusal ? (thrown.retryAfterMs ?? 0) : 0;
    return Math.min(askedMs, RETRY_AFTER_MAX_MS) + backoffMs(this.#attempt, random());
  }

  /** Whether the state is another now. */
  #become(state: ReflectorState): boolean {
    const before = this.#state;
    this.#state = state;
    if (state.kind !== "failing") return before.kind !== state.kind;
    return before.kind !== "failing" || before.reason.message !== state.reason.message;
  }

  #request(verb: "list" | "watch", query: Readonly<Record<string, string | number | boolean>>) {
    const { group, resource } = this.#kind;
    return { path: [...group, "namespaces", this.#namespace, resource], query, call: this.#call(verb) };
  }

  #call(verb: string): ApiCall {
    return { verb, resource: this.#kind.resource, namespace: this.#namespace };
  }

  #malformed(what: string): KfwdError {
    return malformedAnswer(this.#around.rest.access, what);
  }

  #fields() {
    const { context } = this.#around.rest.access;
    return { context, namespace: this.#namespace, resource: this.#kind.resource };
  }
}

const Page = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.optional(z.string()) }),
  items: z.nullish(z.array(z.unknown())),
});

const WatchEvent = z.object({ type: z.string(), object: z.unknown() });

/**
 * After an expired version (410) or an answer that could not be read, what we have may differ from what there is. Any
 * other break loses nothing: the server still knows the version we have read up to.
 */
function mustRelist(thrown: unknown): boolean {
  if (thrown instanceof ApiRefusal) return thrown.status === 410;
  return !(thrown instanceof KfwdError) || thrown.code === "PROTOCOL";
}
