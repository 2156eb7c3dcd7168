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

/** After each so many refusals in a row the version is in doubt, though none of them says that it is to blame. */
const DOUBTFUL_REFUSALS = 3;

/** How a reflector fares. While failing, its objects are those of the last time it was well, if it ever was. */
export type ReflectorState =
  | { readonly kind: "syncing" | "synced" }
  | { readonly kind: "failing"; readonly reason: Reason };

/** `slept`: nothing from before is believed. `asked`: a person wants to know now, and what stands is left alone. */
export type WakeReason = "slept" | "asked";

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
  readonly #running: Promise<void>;
  /** Its requests, or its wait for the next try; a wake ends it, and the next one begins. */
  #round = new AbortController();
  #stage: "working" | "waiting" | "ended" = "working";
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
  /** Refused requests since a watch last stood. */
  #refusals = 0;
  #skipped = 0;

  constructor(around: ReflectorSurroundings, kind: Kind<T>, namespace: string, onChange: () => void) {
    this.#around = around;
    this.#kind = kind;
    this.#namespace = namespace;
    this.#onChange = onChange;
    this.#running = this.#run();
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

  /** Tries again now. What failed before is in doubt until then: the state says so. */
  wake(why: WakeReason): void {
    if (this.#stage === "ended") return;
    this.#attempt = 0;
    if (why === "slept" || this.#stage === "waiting") this.#round.abort();
    if (this.#state.kind === "failing" && this.#become({ kind: "syncing" })) this.#onChange();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stage = "ended";
    this.#round.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#hasEnded) {
      this.#round = new AbortController();
      const { signal } = this.#round;
      let doing: "list" | "watch" = "list";
      try {
        if (this.#server !== this.#around.rest.access.server.href) this.#version = undefined;
        this.#version ??= await this.#list(signal);
        doing = "watch";
        await this.#watch(this.#version, signal);
      } catch (error) {
        if (!signal.aborted) await this.#pause(this.#fail(error, doing), signal);
      }
    }
  }

  get #hasEnded(): boolean {
    return this.#stage === "ended";
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0) return;
    this.#stage = "waiting";
    await this.#around.clock.sleep(ms, signal).catch(() => {}); // woken, or ended
    if (!this.#hasEnded) this.#stage = "working";
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
    this.#refusals = 0;
    if (this.#become({ kind: "synced" })) this.#onChange();
    let came: "nothing" | "something" = "nothing"; // bookmarks do not count: they cost the server nothing
    for await (const batch of batches) {
      if (this.#takeAll(batch)) came = "something";
    }
    if (came === "nothing" && clock.now() - sinceMs < WATCH_MIN_MS) {
      const { context } = rest.access;
      throw new KfwdError("CLUSTER_ANSWER", `the API server (context "${context}") ends watches at once`);
    }
  }

  /** Tells once of all of them, also when one of them ends the watch. Whether any changed the objects. */
  #takeAll(batch: readonly unknown[]): boolean {
    let changes = 0;
    try {
      for (const event of batch) if (this.#take(event)) changes++;
    } finally {
      if (changes > 0) this.#onChange();
    }
    return changes > 0;
  }

  /** Applies one event of the watch; whether it changed the objects. */
  #take(event: unknown): boolean {
    const parsed = WatchEvent.safeParse(event);
    if (!parsed.success) throw this.#malformed("a watch event without a type");
    const { type, object } = parsed.data;
    if (type === "ERROR") {
      const failure = statusFailure(this.#around.rest.access, 200, object, this.#call("watch"));
      if (failure.status !== 429) this.#version = undefined; // what came before it may not be all there was
      throw failure;
    }
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
  #fail(thrown: unknown, doing: "list" | "watch"): number {
    const { clock, random, log } = this.#around;
    const nowMs = clock.now();
    const reason = reasonOf(thrown);
    const isRefusal = thrown instanceof ApiRefusal && !isOfUs(thrown);
    if (isRefusal) this.#refusals++;
    const isDoubtful = isRefusal && this.#refusals % DOUBTFUL_REFUSALS === 0;
    if (mustRelist(thrown) || isDoubtful) this.#version = undefined;
    // That a version has grown too old is no trouble but the course of things, unless the list is of just now.
    const hasAged = doing === "watch" && thrown instanceof ApiRefusal && thrown.status === 410;
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
 * After an answer that could not be read, what we have may differ from what there is; after any refusal of the request
 * itself, the version in it may be what was refused: one that is too old (410), or of another etcd (400).
 */
function mustRelist(thrown: unknown): boolean {
  if (thrown instanceof ApiRefusal) return thrown.status >= 400 && thrown.status < 500 && !isOfUs(thrown);
  return !(thrown instanceof KfwdError) || thrown.code === "PROTOCOL";
}

/** Refusals that are about who we are and how often we ask, not about what we ask for. */
function isOfUs(thrown: unknown): boolean {
  return thrown instanceof ApiRefusal && [401, 403, 429].includes(thrown.status);
}
