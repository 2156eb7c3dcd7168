/** Keeps a copy of all objects of one kind in one namespace: one list, then one watch for as long as it lives. */
import * as z from "zod/mini";
import { KfwdError } from "../../errors.ts";
import { DENIED_RETRY_MS, DEFAULT_BACKOFF, backoffMs } from "../core/backoff.ts";
import type { Reason } from "../core/status.ts";
import type { Clock, Log, Random } from "../deps.ts";
import { ApiRefusal, reasonOf, statusFailure } from "./failures.ts";
import { readMeta, type Kind } from "./objects.ts";
import { pollMs } from "./pollpace.ts";
import { RETRY_AFTER_MAX_MS, isOutage } from "./reach.ts";
import type { RestClient } from "./rest.ts";
import { Source, type Listing } from "./source.ts";

/**
 * The server ends a watch after a random time of this range, so that many clients do not come back at once. A server
 * that is not asked ends them after as long; one that has died is found by its silence.
 */
const WATCH_LEAST_S = 1200;
const WATCH_SPREAD_S = 1200;

/** A watch that ends sooner without an event is not well: something in between does not let it live. */
const WATCH_MIN_MS = 1_000;

/** A server that asks to be left alone gets its clients back over this long. */
const RETURN_SPREAD_MS = 1_000;

/** A server that does not serve is looked for at least this often, so that forwards are back soon after it. */
const OUTAGE_BACKOFF = { ...DEFAULT_BACKOFF, capMs: 3_000 };

/** One that has just come up refuses what it grants a second later. */
const DENIED_BACKOFF = { ...DEFAULT_BACKOFF, firstMs: 2_000, capMs: DENIED_RETRY_MS };

/** After each so many refusals in a row the version is in doubt, though none of them says that it is to blame. */
const DOUBTFUL_REFUSALS = 3;

/** How a reflector fares. While failing, its objects are those of the last time it was well, if it ever was. */
export type ReflectorState =
  | { readonly kind: "syncing" | "synced" }
  | { readonly kind: "failing"; readonly reason: Reason };

/**
 * - `slept`: nothing from before is believed
 * - `asked`: a person wants to know now, and what stands is left alone
 * - `back`: the server serves again
 * - `look`: something has happened that a watch would have told
 */
export type WakeReason = "slept" | "asked" | "back" | "look";

/** Whose objects are wanted: those of the names, and of all others too if `others` says so. */
export interface Wanted {
  readonly names: ReadonlySet<string>;
  readonly others: "too" | "not";
}

/** What one who wants an object of a name, or all of them, gets to see. */
export interface View<T> {
  readonly state: ReflectorState;
  /** By name; undefined until they are known. */
  readonly objects: ReadonlyMap<string, T> | undefined;
  /** `names`: nothing is known of objects that nobody asked for by name. */
  readonly scope: "all" | "names";
}

/** What a reflector needs of the world. */
export interface ReflectorSurroundings {
  readonly rest: RestClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const ALL: Wanted = { names: new Set(), others: "too" };

/**
 * Starts at once. `onChange` is called after objects or state changed, once for all events that came together, and
 * must not throw. Disposing ends its requests.
 *
 * Where the watch is refused it looks again now and then: by name if names are all that is wanted, else by list. Where
 * the list is refused too, those who want a name are still served.
 */
export class Reflector<T> implements AsyncDisposable {
  readonly #around: ReflectorSurroundings;
  readonly #source: Source<T>;
  readonly #onChange: () => void;
  readonly #wanted: () => Wanted;
  readonly #running: Promise<void>;
  /** Its requests, or its wait for the next try; a wake ends it, and the next one begins. */
  #round = new AbortController();
  #stage: "working" | "waiting" | "ended" = "working";
  #state: ReflectorState = { kind: "syncing" };
  #objects: Map<string, T> | undefined;
  /** The objects of the wanted names, when these alone were asked for. */
  #named: ReadonlyMap<string, T> | undefined;
  /** Why there is no list, while names are served without it. */
  #denied: { readonly error: ApiRefusal; readonly reason: Reason } | undefined;
  /** When a refused list or watch is worth asking for again. */
  #listAtMs = Number.NEGATIVE_INFINITY;
  #watchAtMs = Number.NEGATIVE_INFINITY;
  /** The last listing of a poll, and how many since said the same. */
  #seen = { mark: "", times: 0 };
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

  constructor(
    around: ReflectorSurroundings,
    kind: Kind<T>,
    namespace: string,
    onChange: () => void,
    wanted: () => Wanted = () => ALL,
  ) {
    this.#around = around;
    this.#source = new Source(around.rest, kind, namespace, around.log);
    this.#onChange = onChange;
    this.#wanted = wanted;
    this.#running = this.#run();
  }

  get state(): ReflectorState {
    return this.#state;
  }

  /** By name; undefined until the first list is complete. */
  get objects(): ReadonlyMap<string, T> | undefined {
    return this.#objects;
  }

  /** What is known to one who wants the object of that name; undefined: all of them. */
  view(name: string | undefined): View<T> {
    if (this.#named === undefined) return { state: this.#state, objects: this.#objects, scope: "all" };
    if (name !== undefined) return { state: this.#state, objects: this.#named, scope: "names" };
    const state: ReflectorState = this.#denied
      ? { kind: "failing", reason: this.#denied.reason }
      : { kind: "syncing" };
    return { state, objects: this.#objects, scope: "all" };
  }

  /** Objects that could not be read and were left out. */
  get skipped(): number {
    return this.#source.skipped;
  }

  /** Tries again now. What failed before is in doubt until then: the state says so. */
  wake(why: WakeReason): void {
    if (this.#stage === "ended") return;
    const isWaiting = this.#stage === "waiting";
    if (why === "back" || why === "look") {
      if (isWaiting && (why === "back" || this.#isPolling)) this.#round.abort();
      return;
    }
    this.#attempt = 0;
    this.#listAtMs = this.#watchAtMs = Number.NEGATIVE_INFINITY;
    this.#around.rest.forgetTrouble();
    if (why === "slept" || isWaiting) this.#round.abort();
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
        this.#version ??= await this.#load(signal);
        doing = "watch";
        if (this.#version === undefined || this.#isPolling) await this.#rest(signal);
        else await this.#watch(this.#version, signal);
      } catch (error) {
        if (!signal.aborted) await this.#pause(this.#fail(error, doing), signal);
      }
    }
  }

  get #hasEnded(): boolean {
    return this.#stage === "ended";
  }

  /** A watch or list was refused not long ago. */
  get #isPolling(): boolean {
    const nowMs = this.#around.clock.now();
    return nowMs < this.#watchAtMs || nowMs < this.#listAtMs;
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0) return;
    this.#stage = "waiting";
    await this.#around.clock.sleep(ms, signal).catch(() => {}); // woken, or ended
    if (!this.#hasEnded) this.#stage = "working";
  }

  /** In place of a watch: waits until it is time to look again. */
  async #rest(signal: AbortSignal): Promise<void> {
    await this.#pause(pollMs(this.#seen.times, this.#around.random()), signal);
    this.#version = undefined;
  }

  /** Replaces the objects; returns the version they are of, or undefined when only names could be asked for. */
  async #load(signal: AbortSignal): Promise<string | undefined> {
    const { clock } = this.#around;
    if (clock.now() < this.#listAtMs) return this.#loadNames(signal);
    if (clock.now() < this.#watchAtMs && this.#wanted().others === "not") {
      try {
        return await this.#loadNames(signal);
      } catch (error) {
        if (!isForbidden(error)) throw error; // a list may still be allowed
      }
    }
    try {
      const listing = await this.#source.list(signal);
      this.#objects = listing.objects;
      this.#named = undefined;
      this.#denied = undefined;
      this.#took(listing);
      return listing.version;
    } catch (error) {
      if (!isForbidden(error)) throw error;
      this.#denied = { error, reason: reasonOf(error) };
      this.#listAtMs = clock.now() + DENIED_RETRY_MS;
      return this.#loadNames(signal);
    }
  }

  async #loadNames(signal: AbortSignal): Promise<undefined> {
    const { names } = this.#wanted();
    if (names.size === 0 && this.#denied) throw this.#denied.error;
    try {
      const listing = await this.#source.get(names, signal);
      this.#named = listing.objects;
      if (!this.#denied) this.#objects = undefined; // whoever comes to want them all must not take these for it
      this.#took(listing);
    } catch (error) {
      throw isForbidden(error) && this.#denied ? this.#denied.error : error;
    }
  }

  #took({ mark }: Listing<T>): void {
    const times = mark === this.#seen.mark ? this.#seen.times + 1 : 0;
    this.#seen = { mark: this.#isPolling ? mark : "", times };
    this.#server = this.#around.rest.access.server.href;
    this.#listedAtMs = this.#around.clock.now();
    const isNew = this.#seen.times === 0 || !this.#isPolling;
    if (this.#isPolling) this.#wellSinceMs ??= this.#listedAtMs;
    if (this.#become({ kind: "synced" }) || isNew) this.#onChange();
  }

  /** Returns when the server ends the watch in order. */
  async #watch(version: string, signal: AbortSignal): Promise<void> {
    const { rest, clock, random } = this.#around;
    const timeoutSeconds = WATCH_LEAST_S + Math.floor(random() * WATCH_SPREAD_S);
    const batches = await this.#source.watch(version, timeoutSeconds, signal);
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
    if (!parsed.success) throw this.#source.malformed("a watch event without a type");
    const { type, object } = parsed.data;
    if (type === "ERROR") {
      const failure = statusFailure(this.#around.rest.access, 200, object, this.#source.call("watch"));
      if (failure.status !== 429) this.#version = undefined; // what came before it may not be all there was
      throw failure;
    }
    const meta = readMeta(object);
    if (meta === undefined) throw this.#source.malformed("a watch event without a version");
    this.#version = meta.resourceVersion;
    const objects = this.#objects;
    if (objects === undefined || type === "BOOKMARK") return false;
    objects.delete(meta.name);
    if (type !== "DELETED") this.#source.keep(objects, object);
    return true;
  }

  /** Takes note of a failure and says how long to wait, in milliseconds. */
  #fail(thrown: unknown, doing: "list" | "watch"): number {
    const { clock, log } = this.#around;
    const nowMs = clock.now();
    const reason = reasonOf(thrown);
    const isRefusal = thrown instanceof ApiRefusal && !isOfUs(thrown);
    if (isRefusal) this.#refusals++;
    const isDoubtful = isRefusal && this.#refusals % DOUBTFUL_REFUSALS === 0;
    if (mustRelist(thrown) || isDoubtful) this.#version = undefined;
    if (doing === "watch" && isForbidden(thrown)) {
      log.info("watch refused", { ...this.#source.fields, reason: reason.message });
      this.#watchAtMs = nowMs + DENIED_RETRY_MS;
      return 0;
    }
    // That a version has grown too old is no trouble but the course of things, unless the list is of just now.
    const isAged = thrown instanceof ApiRefusal && thrown.status === 410;
    if (isAged && doing === "watch" && nowMs - this.#listedAtMs >= DEFAULT_BACKOFF.resetAfterMs) {
      log.info("watch expired", this.#source.fields);
      return 0;
    }

    const wasWell =
      this.#wellSinceMs !== undefined && nowMs - this.#wellSinceMs >= DEFAULT_BACKOFF.resetAfterMs;
    this.#wellSinceMs = undefined;
    this.#attempt = wasWell ? 1 : this.#attempt + 1;
    this.#logLoss(reason);
    // A watch that breaks once is made anew at once, and so is a list whose next page is no more to be had; nobody need
    // hear of it unless that fails too.
    const isBlip = (this.#knows || isAged) && this.#attempt === 1 && reason.kind !== "denied";
    if (!isBlip && this.#become({ kind: "failing", reason })) this.#onChange();
    return this.#waitMs(thrown, reason);
  }

  get #knows(): boolean {
    return this.#objects !== undefined || this.#named !== undefined;
  }

  #waitMs(thrown: unknown, { kind }: Reason): number {
    const { random, clock } = this.#around;
    if (kind === "denied") {
      const grown = backoffMs(this.#attempt + 1, 0.5 + random() / 2, DENIED_BACKOFF);
      const waitMs = this.#knows ? grown : DENIED_RETRY_MS;
      if (isForbidden(thrown)) this.#listAtMs = clock.now() + waitMs;
      return waitMs;
    }
    const askedMs = thrown instanceof ApiRefusal ? (thrown.retryAfterMs ?? 0) : 0;
    const politeMs = askedMs > 0 ? Math.min(askedMs, RETRY_AFTER_MAX_MS) + random() * RETURN_SPREAD_MS : 0;
    return politeMs + backoffMs(this.#attempt, random(), isOutage(thrown) ? OUTAGE_BACKOFF : undefined);
  }

  /** One line for each change; what goes on the same is for those who ask for every line. */
  #logLoss({ message }: Reason): void {
    const fields = { ...this.#source.fields, attempt: this.#attempt, reason: message };
    const isKnown = this.#state.kind === "failing" && this.#state.reason.message === message;
    if (isKnown) this.#around.log.debug("watch lost", fields);
    else this.#around.log.info("watch lost", fields);
  }

  /** Whether the state is another now. */
  #become(state: ReflectorState): boolean {
    const before = this.#state;
    this.#state = state;
    if (state.kind !== "failing") return before.kind !== state.kind;
    return before.kind !== "failing" || before.reason.message !== state.reason.message;
  }
}

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

function isForbidden(thrown: unknown): thrown is ApiRefusal {
  return thrown instanceof ApiRefusal && thrown.status === 403;
}
