/** The relay of a namespace for all forwards that share it: the pod may be replaced under them. */
import { KfwdError } from "../../errors.ts";
import { backoffMs } from "../core/backoff.ts";
import type { Reason } from "../core/status.ts";
import type { Clock, Random, Relay, RelayEvents, RelayPod } from "../deps.ts";
import type { PodIdentity } from "./follow.ts";
import { RelayFlows } from "./relayflows.ts";
import type { RelayLink, RelayLinkEvents } from "./relaylink.ts";

/** Before Kubernetes ends the pod the next one has stood for a while: so long, or a quarter of a short life. */
const LEAD_MS = 60 * 60 * 1000;
const OVERLAP_LOOK_MS = 10_000;

/** A pod that served for so long did not end because it could not run. */
const SERVED_MS = 10_000;

/** One pod and its tunnels, as far as a hub is concerned. */
export type Link = Pick<RelayLink, keyof RelayLink>;

export interface RelayHubDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** After which Kubernetes ends a pod. */
  readonly lifeMs: number;
  link(events: RelayLinkEvents): Link;
  /** Which pods there are; called after each change. */
  onPods(pods: readonly PodIdentity[]): void;
}

/** Makes the pod with the first user. Disposing deletes it. */
export class RelayHub implements AsyncDisposable {
  readonly #deps: RelayHubDeps;
  readonly #users = new Set<RelayEvents>();
  readonly #pods = new Map<Link, PodIdentity>();
  readonly #closing = new Set<Promise<void>>();
  readonly #flows = new RelayFlows((target, handler) => this.#current?.flow(target, handler));
  /** Pods that are being replaced while they still work. */
  readonly #retiring = new Set<Link>();
  /** Pods that have ended and are still in the list. */
  readonly #ended = new Set<Link>();
  #current: Link | undefined;
  #next: Link | undefined;
  #shown: RelayPod | undefined;
  /** Why nothing goes through; undefined while that is not known. */
  #trouble: Reason | undefined;
  #attempt = 0;
  readonly #timers = new Set<Disposable>();
  /** When the next pod is due. */
  #renewal: Disposable | undefined;
  #stage: "live" | "disposed" = "live";
  readonly #renewMs: number;
  /** How long what is under way on the old pod may go on. */
  readonly #overlapMs: number;

  constructor(deps: RelayHubDeps) {
    this.#deps = deps;
    const leadMs = Math.min(LEAD_MS, deps.lifeMs / 4);
    this.#renewMs = deps.lifeMs - leadMs;
    this.#overlapMs = (leadMs * 3) / 4;
  }

  get unused(): boolean {
    return this.#users.size === 0;
  }

  /** `onLeft` is called when it was the last, and may end the hub. */
  join(events: RelayEvents, onLeft: () => Promise<void>): Relay {
    this.#users.add(events);
    const flows = this.#flows.share();
    queueMicrotask(() => this.#welcome(events));
    return {
      retry: () => this.#retry(events),
      flow: (target, handler) => flows.flow(target, handler),
      open: async (target, handler, signal) => {
        if (this.#current === undefined) throw new KfwdError("UNREACHABLE", "there is no relay pod");
        return this.#current.connect(target, handler, signal);
      },
      [Symbol.asyncDispose]: async () => {
        if (!this.#users.delete(events)) return;
        flows[Symbol.dispose]();
        if (this.unused) await onLeft();
      },
    };
  }

  /** The machine slept. */
  wake(): void {
    this.#current?.prove();
    this.#current?.retry();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stage = "disposed";
    for (const timer of this.#timers) timer[Symbol.dispose]();
    this.#renewal?.[Symbol.dispose]();
    for (const link of [this.#current, this.#next, ...this.#retiring, ...this.#ended])
      if (link) this.#drop(link);
    this.#current = undefined;
    this.#next = undefined;
    await Promise.all(this.#closing);
  }

  #welcome(events: RelayEvents): void {
    if (!this.#users.has(events) || this.#stage === "disposed") return;
    if (this.#shown) events.onPod(this.#shown);
    if (this.#current === undefined) this.#start();
    else this.#answer(events);
  }

  #retry(events: RelayEvents): void {
    if (this.#current === undefined) this.#start();
    else this.#current.retry();
    queueMicrotask(() => this.#users.has(events) && this.#answer(events));
  }

  /** Tells a user what is known; what is not will be told to all. */
  #answer(events: RelayEvents): void {
    if (this.#current?.open) events.onOpen();
    else if (this.#trouble) events.onLost(this.#trouble);
  }

  #start(): void {
    if (this.#stage === "disposed") return;
    this.#trouble = undefined;
    const link: Link = this.#link({
      onState: (pod) => this.#show(pod),
      onOpen: () => {
        this.#trouble = undefined;
        this.#renewAfter(this.#renewMs - link.ageMs);
        for (const user of this.#users) user.onOpen();
      },
      onLost: (reason, how) => {
        if (how === "over") this.#current = undefined;
        this.#tellLost(reason);
      },
      onGone: (reason) => this.#onGone(link, reason),
    });
    this.#current = link;
  }

  /** Whether it is used or not, its pod is known until nothing is left of it. */
  #link(events: Omit<RelayLinkEvents, "onCreated" | "onRemoved">): Link {
    const link: Link = this.#deps.link({
      ...events,
      onCreated: (pod) => {
        this.#pods.set(link, pod);
        this.#tellPods();
      },
      onGone: (reason) => {
        this.#ended.add(link);
        events.onGone(reason);
      },
      onRemoved: () => {
        this.#ended.delete(link);
        this.#pods.delete(link);
        this.#tellPods();
      },
    });
    return link;
  }

  #onGone(link: Link, reason: Reason): void {
    if (this.#current !== link) return;
    this.#current = undefined;
    this.#renewal?.[Symbol.dispose]();
    this.#attempt = link.servedMs >= SERVED_MS ? 1 : this.#attempt + 1;
    this.#tellLost(reason);
    this.#after(backoffMs(this.#attempt, this.#deps.random()), () => {
      if (this.#current === undefined) this.#start();
    });
  }

  #tellLost(reason: Reason): void {
    this.#trouble = reason;
    for (const user of this.#users) user.onLost(reason);
  }

  #show(pod: RelayPod): void {
    this.#shown = pod;
    for (const user of this.#users) user.onPod(pod);
  }

  #renewAfter(ms: number): void {
    this.#renewal?.[Symbol.dispose]();
    this.#renewal = this.#deps.clock.timer(ms, () => this.#next ?? this.#renew());
  }

  /** The next pod takes over when it is open; if it does not come up, the old one serves on and it is tried again. */
  #renew(): void {
    let state: RelayPod | undefined;
    const fail = (): void => {
      if (this.#next !== link) return;
      this.#next = undefined;
      this.#drop(link);
      if (this.#current) this.#renewAfter(this.#overlapMs / 3);
    };
    const link: Link = this.#link({
      onState: (pod) => {
        const isFirst = state === undefined; // told while the link is still being made
        state = pod;
        if (!isFirst && this.#current === link) this.#show(pod);
      },
      onOpen: () => {
        if (this.#next === link) this.#takeOver(link, state);
        else if (this.#current === link) for (const user of this.#users) user.onOpen();
      },
      onLost: (reason, how) => {
        if (this.#current === link) this.#tellLost(reason);
        else if (how === "over") fail();
      },
      onGone: (reason) => (this.#current === link ? this.#onGone(link, reason) : fail()),
    });
    this.#next = link;
  }

  #takeOver(link: Link, state: RelayPod | undefined): void {
    const old = this.#current;
    this.#current = link;
    this.#next = undefined;
    this.#renewAfter(this.#renewMs - link.ageMs);
    if (state) this.#show(state);
    if (old === undefined) return;
    this.#retiring.add(old);
    this.#lookAtRetiring(old, this.#deps.clock.now() + this.#overlapMs);
  }

  #lookAtRetiring(old: Link, untilMs: number): void {
    if (old.load === 0 || this.#deps.clock.now() >= untilMs) {
      this.#retiring.delete(old);
      this.#drop(old);
    } else {
      this.#after(OVERLAP_LOOK_MS, () => this.#lookAtRetiring(old, untilMs));
    }
  }

  #drop(link: Link): void {
    this.#ended.delete(link);
    const closed = link[Symbol.asyncDispose]().then(() => {
      this.#pods.delete(link);
      this.#closing.delete(closed);
      this.#tellPods();
    });
    this.#closing.add(closed);
  }

  #tellPods(): void {
    this.#deps.onPods([...this.#pods.values()]);
  }

  #after(ms: number, fire: () => void): void {
    const timer = this.#deps.clock.timer(ms, () => {
      this.#timers.delete(timer);
      if (this.#stage === "live") fire();
    });
    this.#timers.add(timer);
  }
}
