/** Tells followers what their targets mean, now and on every change. */
import type { Endpoint, Reason } from "../core/status.ts";
import type { Clock, Resolution } from "../deps.ts";
import { PODS, SERVICES, WORKLOADS, type Pod, type Service, type Workload } from "./objects.ts";
import { isReadyIn, PodGroups, type PodGroup } from "./podgroups.ts";
import type { ReflectorSurroundings } from "./reflector.ts";
import type { RestClient } from "./rest.ts";
import { Shunned } from "./shunned.ts";
import { needsSlices } from "./sliceends.ts";
import { SLICES, type EndpointSlice } from "./slices.ts";
import { resolve, type FollowRequest, type Leaning } from "./resolve.ts";
import { SharedReflectors, type Share } from "./share.ts";

/** One pod, not another of its name. */
export interface PodIdentity {
  readonly name: string;
  readonly uid: string;
}

/** Followers of one namespace share its reflectors. Disposing ends the reflectors; nobody is told anything after it. */
export class Followers implements AsyncDisposable {
  readonly #pods = new SharedReflectors(PODS);
  readonly #services = new SharedReflectors(SERVICES);
  readonly #slices = new SharedReflectors(SLICES);
  readonly #workloads: ReadonlyMap<string, SharedReflectors<Workload>> = new Map(
    Object.entries(WORKLOADS).map(([kind, workload]) => [kind, new SharedReflectors<Workload>(workload)]),
  );

  readonly #groups = new PodGroups();
  readonly #shunned: Shunned;

  constructor(clock: Clock) {
    this.#shunned = new Shunned(clock);
  }

  /**
   * The pod could not be reached though its API server could: those who have a choice choose another for a while.
   * Whether that is news.
   */
  shun(rest: RestClient, namespace: string, pod: PodIdentity): boolean {
    const isNews = this.#shunned.add(pod.uid);
    if (isNews) this.#pods.remind(rest, namespace);
    return isNews;
  }

  /** The pod was reached. */
  trust({ uid }: PodIdentity): void {
    this.#shunned.remove(uid);
  }

  /** `tell` is called with every new resolution, never from within this call and never after disposing. */
  follow(
    around: ReflectorSurroundings,
    request: FollowRequest,
    tell: (resolution: Resolution) => void,
  ): Disposable {
    const { target, place } = request;
    const workloads = this.#workloads.get(target.kind);
    const { namespace } = place;
    const name = "name" in target ? target.name : undefined;
    const pod = target.kind === "pod" ? target.name : undefined;
    const open = (onChange: () => void): Sources => ({
      pods: this.#pods.share(around, namespace, onChange, pod),
      services: target.kind === "svc" ? this.#services.share(around, namespace, onChange, name) : undefined,
      workloads: workloads?.share(around, namespace, onChange, name),
      openSlices: () => this.#slices.share(around, namespace, onChange),
    });
    const lean = (): Leaning => ({ random: around.random(), shunned: this.#shunned });
    const group =
      request.entry === undefined ? undefined : this.#groups.join(groupKey(request, request.entry));
    return new Follower(request, { tell, open, lean, group });
  }

  /** `tell` is called with each change that leaves the pod no more: its object is gone, or it will never run again. */
  whenGone(
    around: ReflectorSurroundings,
    pod: PodIdentity & { readonly namespace: string },
    tell: () => void,
  ): Disposable {
    const onChange = (): void => {
      const now = share.objects?.get(pod.name);
      if (share.objects && (now?.uid !== pod.uid || now.stage === "finished")) tell();
    };
    const share = this.#pods.share(around, pod.namespace, onChange, pod.name);
    return share;
  }

  /**
   * `tell` is called with each change of the namespace's pods: with what the list has under the pod's name, or why
   * there is no list.
   */
  watchPod(
    around: ReflectorSurroundings,
    pod: { readonly name: string; readonly namespace: string },
    tell: (seen: Pod | undefined, trouble: Reason | undefined) => void,
  ): Disposable {
    const look = (): void => {
      const trouble = share.state.kind === "failing" ? share.state.reason : undefined;
      if (share.objects !== undefined || trouble !== undefined) tell(share.objects?.get(pod.name), trouble);
    };
    const share = this.#pods.share(around, pod.namespace, look);
    let live = true;
    queueMicrotask(() => live && look()); // what others follow already is known at once
    return {
      [Symbol.dispose]: () => {
        live = false;
        share[Symbol.dispose]();
      },
    };
  }

  /** @see SharedReflectors.wake. */
  wake(...why: Parameters<SharedReflectors<unknown>["wake"]>): void {
    for (const shared of this.#all()) shared.wake(...why);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all().map((shared) => shared[Symbol.asyncDispose]()));
  }

  #all() {
    return [this.#pods, this.#services, this.#slices, ...this.#workloads.values()];
  }
}

/** What a follower reads; undefined where its target does not need it. */
interface Sources {
  readonly pods: Share<Pod>;
  readonly services: Share<Service> | undefined;
  readonly workloads: Share<Workload> | undefined;
  openSlices(): Share<EndpointSlice>;
}

/** What a follower is told by, and tells. */
interface FollowerDeps {
  readonly tell: (resolution: Resolution) => void;
  readonly open: (onChange: () => void) => Sources;
  readonly lean: () => Leaning;
  readonly group: PodGroup | undefined;
}

/** Forwards of one entry may be on their way to another cluster one by one. */
function groupKey({ place, target }: FollowRequest, entry: string): string {
  return JSON.stringify([place.kubeconfig, place.context, place.namespace, target, entry]);
}

class Follower implements Disposable {
  readonly #request: FollowRequest;
  readonly #sources: Sources;
  readonly #lean: () => Leaning;
  /** Shared only while the Service has no selector, so that nobody else pays for it. */
  #slices: Share<EndpointSlice> | undefined;
  #tell: ((resolution: Resolution) => void) | undefined;
  #told: Resolution | undefined;
  #inUse: Endpoint | undefined;
  readonly #group: PodGroup | undefined;

  constructor(request: FollowRequest, { tell, open, lean, group }: FollowerDeps) {
    this.#group = group;
    this.#request = request;
    this.#tell = tell;
    this.#lean = lean;
    this.#sources = open(() => this.#look());
    queueMicrotask(() => this.#look()); // what others follow already is known at once
  }

  [Symbol.dispose](): void {
    if (this.#tell !== undefined) this.#group?.[Symbol.dispose]();
    this.#tell = undefined;
    for (const source of this.#all()) source[Symbol.dispose]();
  }

  #look(): void {
    if (this.#tell === undefined) return;
    this.#shareSlices();
    const now = this.#resolve();
    if (this.#told && now && sameResolution(this.#told, now)) return;
    this.#told = now; // nothing, once a wake has put what was refused in doubt: then even the same is news
    if (now === undefined) return;
    if (now.kind === "found") this.#inUse = now.endpoint;
    this.#tell?.(now);
  }

  #shareSlices(): void {
    const { target } = this.#request;
    const services = this.#sources.services?.objects;
    if (target.kind !== "svc" || services === undefined) return;
    const isNeeded = needsSlices(services.get(target.name));
    if (isNeeded) {
      this.#slices ??= this.#sources.openSlices();
      return;
    }
    this.#slices?.[Symbol.dispose]();
    this.#slices = undefined;
  }

  /** Undefined as long as a list is under way. */
  #resolve(): Resolution | undefined {
    const { pods, services, workloads } = this.#sources;
    const trouble = this.#all()
      .map(({ state }) => (state.kind === "failing" ? state.reason : undefined))
      .find((reason) => reason !== undefined);
    if (this.#all().some(({ objects }) => objects === undefined)) {
      return trouble && { kind: "none", reason: trouble };
    }
    const snapshot = {
      pods: pods.objects ?? new Map<string, Pod>(),
      services: services?.objects ?? new Map<string, Service>(),
      workloads: workloads?.objects ?? new Map<string, Workload>(),
      scope: (services ?? workloads ?? pods).scope,
      slices: this.#slices?.objects ?? new Map<string, EndpointSlice>(),
    };
    const leaning = this.#lean();
    const resolution = resolve(this.#request, snapshot, this.#wanted(), leaning);
    if (resolution.kind === "found") {
      const serves = (uid: string): boolean =>
        leaning.shunned.get(uid) === undefined && isReadyIn(snapshot.pods.values(), uid);
      this.#group?.chose(resolution.endpoint.podUid, serves);
    }
    // A stale "none" says less than why nothing newer is known; an endpoint may well live on while the API does not.
    return resolution.kind === "none" && trouble ? { kind: "none", reason: trouble } : resolution;
  }

  /** The pod to keep to. */
  #wanted(): Pick<Endpoint, "podUid"> | undefined {
    const lead = this.#group?.lead;
    return lead === undefined ? this.#inUse : { podUid: lead };
  }

  #all(): readonly Share<unknown>[] {
    const { pods, services, workloads } = this.#sources;
    return [pods, services, workloads, this.#slices].filter((source) => source !== undefined);
  }
}

function sameResolution(a: Resolution, b: Resolution): boolean {
  if (a.kind === "found" && b.kind === "found") {
    return (
      a.endpoint.podUid === b.endpoint.podUid &&
      a.endpoint.port === b.endpoint.port &&
      a.endpoint.podIp === b.endpoint.podIp
    );
  }
  if (a.kind === "none" && b.kind === "none") {
    return a.reason.code === b.reason.code && a.reason.message === b.reason.message;
  }
  return false;
}
