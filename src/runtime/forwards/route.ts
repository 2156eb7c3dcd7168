/** How a forward gets to its endpoint: straight through the API server, or from there through a relay pod. */
import { isRelayed } from "../../relayed.ts";
import type { ForwardSpec } from "../../schema/spec.ts";
import { entryOf } from "../core/entryname.ts";
import { policyOf, type Policy } from "../core/forward.ts";
import type { Endpoint, Reason, RelayPod } from "../core/status.ts";
import type {
  Clock,
  Cluster,
  Flow,
  FlowHandler,
  Place,
  PodStream,
  Relay,
  Relays,
  RelayTarget,
  RelayWish,
  StreamEnds,
  StreamHandler,
  Tunnel,
} from "../deps.ts";

/** A way that stands, and the endpoint it leads to. */
export interface Way {
  readonly endpoint: Endpoint;
  readonly patience: Patience;
  /** What its streams do with the client's end. */
  readonly ends: StreamEnds;
  /** @throws the signal's reason, or KfwdError when no stream can be had. */
  readonly open: (handler: StreamHandler, signal: AbortSignal) => Promise<PodStream>;
  /** Undefined where datagrams cannot go. */
  readonly flow: (handler: FlowHandler) => Flow | undefined;
}

/**
 * Until when a refused connection is tried again, on the clock; the past: a refusal is believed. A pod that the forward
 * saw come may be ready before it listens, for without a readiness probe it is so as soon as its containers run; one
 * that has answered and then refuses has most likely just restarted.
 */
export interface Patience {
  untilMs: number;
}

/** How a {@link Route} fares; what is told is about the endpoint that it was last to lead to. */
export interface RouteEvents {
  onOpen(endpoint: Endpoint): void;
  onLost(endpoint: Endpoint, reason: Reason): void;
  /** It does not come about for now, and needs no other try: `onOpen` may follow. */
  onDelayed(endpoint: Endpoint, reason: Reason): void;
  /** What `pod` says has changed. */
  onPod(): void;
}

/** The route of one forward. Disposing ends it for good. */
export interface Route extends AsyncDisposable {
  /** Undefined until there is somewhere to lead to. */
  readonly way: Way | undefined;
  readonly pod: RelayPod | null;
  /** Whether what `follow` finds needs an address. */
  readonly needsIp: boolean;
  /** Leads to this endpoint from now on, or tries again. `youngMs`: how long it may refuse before that means anything. */
  connect(endpoint: Endpoint, youngMs: number): void;
  /** There is nothing to lead to for now. */
  disconnect(): void;
}

interface RouteDeps {
  readonly clock: Clock;
  readonly cluster: Cluster;
  readonly relays: Relays;
}

/** The route that this forward takes. Nothing is made before the first `connect`. */
export function routeOf(spec: ForwardSpec, place: Place, deps: RouteDeps, events: RouteEvents): Route {
  return isRelayed(spec) ? new RelayRoute(spec, place, deps, events) : new StraightRoute(place, deps, events);
}

class StraightRoute implements Route {
  readonly pod = null;
  readonly needsIp = false;
  readonly #place: Place;
  readonly #deps: RouteDeps;
  readonly #events: RouteEvents;
  #now: { readonly tunnel: Tunnel; readonly way: Way } | undefined;

  constructor(place: Place, deps: RouteDeps, events: RouteEvents) {
    this.#place = place;
    this.#deps = deps;
    this.#events = events;
  }

  get way(): Way | undefined {
    return this.#now?.way;
  }

  connect(endpoint: Endpoint, youngMs: number): void {
    const now = this.#now;
    if (now?.way.endpoint.podUid === endpoint.podUid && now.way.endpoint.port === endpoint.port) {
      now.tunnel.retry();
      return;
    }
    this.disconnect();
    const { cluster, clock } = this.#deps;
    const tunnel = cluster.tunnel(this.#place, endpoint, {
      onOpen: () => this.#events.onOpen(endpoint),
      onLost: (reason) => this.#events.onLost(endpoint, reason),
    });
    const way: Way = {
      endpoint,
      patience: { untilMs: clock.now() + youngMs },
      ends: "cuts",
      open: (handler, signal) => tunnel.open(endpoint.port, handler, signal),
      flow: () => undefined,
    };
    this.#now = { tunnel, way };
  }

  disconnect(): void {
    const now = this.#now;
    this.#now = undefined;
    if (now) void now.tunnel[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disconnect();
  }
}

/** Keeps its relay while endpoints come and go: a pod takes longer to start than the next endpoint to be found. */
class RelayRoute implements Route {
  readonly needsIp = true;
  readonly #spec: ForwardSpec;
  readonly #place: Place;
  readonly #deps: RouteDeps;
  readonly #events: RouteEvents;
  #relay: Relay | undefined;
  #stage: "opening" | "open" | "lost" | "over" = "opening";
  #pod: RelayPod | null = null;
  #way: Way | undefined;

  constructor(spec: ForwardSpec, place: Place, deps: RouteDeps, events: RouteEvents) {
    this.#spec = spec;
    this.#place = place;
    this.#deps = deps;
    this.#events = events;
  }

  get way(): Way | undefined {
    return this.#way;
  }

  get pod(): RelayPod | null {
    return this.#pod;
  }

  connect(endpoint: Endpoint, youngMs: number): void {
    if (this.#stage === "over") return;
    const { podIp } = endpoint;
    if (podIp === undefined) {
      this.#events.onLost(endpoint, noAddress(endpoint));
      return;
    }
    const known = this.#relay;
    const relay = known ?? this.#make();
    this.#relay = relay;
    const before = this.#way?.endpoint;
    const isSame =
      before?.podUid === endpoint.podUid && before.port === endpoint.port && before.podIp === podIp;
    if (!isSame) this.#way = this.#lead(relay, { host: podIp, port: endpoint.port }, endpoint, youngMs);
    if (this.#stage === "open") this.#events.onOpen(endpoint);
    else if (known) this.#goOn(relay, endpoint);
  }

  disconnect(): void {
    this.#way = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const relay = this.#relay;
    this.#stage = "over";
    this.#relay = undefined;
    this.#way = undefined;
    this.#pod = null;
    await relay?.[Symbol.asyncDispose]();
  }

  #make(): Relay {
    return this.#deps.relays.relay(this.#place, wishOf(this.#spec), {
      onOpen: () => {
        if (this.#stage === "over") return;
        this.#stage = "open";
        if (this.#way) this.#events.onOpen(this.#way.endpoint);
      },
      onLost: (reason) => {
        if (this.#stage === "over") return;
        this.#stage = "lost";
        if (this.#way) this.#events.onLost(this.#way.endpoint, reason);
      },
      onPod: (pod) => {
        if (this.#stage === "over") return;
        this.#pod = pod;
        this.#events.onPod();
        if (this.#way) this.#tellDelay(this.#way.endpoint);
      },
    });
  }

  /** The relay was there before: it may have to be told to try again, and its pod may have said what it waits for. */
  #goOn(relay: Relay, endpoint: Endpoint): void {
    if (this.#stage === "lost") {
      this.#stage = "opening";
      relay.retry();
    }
    this.#tellDelay(endpoint);
  }

  #tellDelay(endpoint: Endpoint): void {
    if (this.#stage !== "opening" || this.#pod?.state !== "waiting" || this.#pod.reason === null) return;
    this.#events.onDelayed(endpoint, this.#pod.reason);
  }

  #lead(relay: Relay, target: RelayTarget, endpoint: Endpoint, youngMs: number): Way {
    return {
      endpoint,
      patience: { untilMs: this.#deps.clock.now() + youngMs },
      ends: "keeps",
      open: (handler, signal) => relay.open(target, handler, signal),
      flow: (handler) => relay.flow(target, handler),
    };
  }
}

/** The forwards of one entry have its name before a colon. */
function wishOf({ name, relay = {} }: ForwardSpec): RelayWish {
  const { share, ...rest } = relay;
  return share === "entry" ? { ...rest, entry: entryOf(name) } : rest;
}

function noAddress({ pod }: Endpoint): Reason {
  return { code: "NoPodAddress", kind: "transient", message: `pod "${pod}" has no address yet` };
}

/** A relay has to be reached before anything is ready, and no probe of connections tells how datagrams fare. */
export function policyFor(spec: ForwardSpec): Omit<Policy, "random"> {
  const policy = policyOf(spec);
  const isTooLittle = policy.probe.type === "none" && isRelayed(spec);
  return isTooLittle || spec.protocol === "udp" ? { ...policy, probe: TUNNEL_PROBE } : policy;
}

const TUNNEL_PROBE = { type: "tunnel", failures: 1 } as const;
