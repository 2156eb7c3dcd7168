/** The Kubernetes side of the seams: names from kubeconfig, resolutions from watches, tunnels from pools. */
import { KfwdError } from "../../errors.ts";
import type { Clock, Cluster, Place, Random, Tunnel, TunnelEvents } from "../deps.ts";
import type { Endpoint, Note } from "../core/status.ts";
import type { RenewableAccess } from "./access.ts";
import { Dialler } from "./dial.ts";
import type { PodIdentity } from "./follow.ts";
import type { KubeApi } from "./kubeapi.ts";
import { Ladder } from "./ladder.ts";
import { Pool } from "./pool.ts";
import { isOutage } from "./reach.ts";

/** An API server that serves again gets the upgrades of its forwards over this long. */
const RETURN_SPREAD_MS = 500;

/** A pod that went silent has so long to be reached anew before others are chosen. */
const SECOND_CHANCE_MS = 1_000;

/** Owns the API connections through `api`, and a pool for each pod that a tunnel leads to. */
export class KubeCluster implements Cluster {
  readonly #api: KubeApi;
  readonly #clock: Clock;
  readonly #ways = new Map<string, Way>();
  readonly #pools = new Map<string, { readonly pool: Pool; readonly place: Place }>();
  readonly #timers = new Set<Disposable>();
  readonly #ended = new AbortController();

  constructor(api: KubeApi, clock: Clock, random: Random) {
    this.#api = api;
    this.#clock = clock;
    api.whenBack((access) => this.#revive(access, random));
  }

  pin(wanted: Parameters<Cluster["pin"]>[0]): Place {
    return this.#api.pin(wanted);
  }

  current(kubeconfig: string | undefined): string {
    return this.#api.current(kubeconfig);
  }

  login(place: Place): Promise<void> {
    return this.#api.login(place);
  }

  notes(place: Place): readonly Note[] {
    return this.#api.notes(place);
  }

  follow(...[request, tell]: Parameters<Cluster["follow"]>): Disposable {
    const following = this.#api.follow(request, tell);
    try {
      this.#way(request.place).dialler.prepare();
    } catch {
      // `follow` tells what is wrong with the kubeconfig
    }
    return following;
  }

  tunnel(place: Place, endpoint: Endpoint, events: TunnelEvents): Tunnel {
    const key = JSON.stringify([place.kubeconfig, place.context, endpoint.podUid]);
    const pool = this.#pools.get(key)?.pool ?? this.#newPool(place, endpoint);
    this.#pools.set(key, { pool, place });
    const look = (): void => this.#api.look(place); // there may be another pod
    const use = pool.use(endpoint.port, {
      onOpen: () => events.onOpen(),
      onLost: (reason) => {
        look();
        events.onLost(reason);
      },
    });
    return {
      retry: () => {
        look();
        use.retry();
      },
      open: (port, handler, signal) => pool.stream(port, handler, signal),
      [Symbol.asyncDispose]: async () => {
        use[Symbol.dispose]();
        if (pool.unused && this.#pools.get(key)?.pool === pool) this.#pools.delete(key);
      },
    };
  }

  wake(place?: Place): void {
    this.#api.wake(place);
    if (place !== undefined) return;
    for (const { dialler, ladder } of this.#ways.values()) {
      dialler.forgetPrepared();
      ladder.forget();
    }
    for (const { pool } of this.#pools.values()) pool.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort(new KfwdError("UNREACHABLE", "everything is being stopped"));
    for (const timer of this.#timers) timer[Symbol.dispose]();
    for (const { dialler } of this.#ways.values()) dialler[Symbol.dispose]();
    await this.#api[Symbol.asyncDispose]();
  }

  /** Not all at once: the server has just come up, and has other clients too. */
  #revive(access: RenewableAccess, random: Random): void {
    for (const { pool, place } of this.#pools.values()) {
      if (this.#api.access(place) !== access) continue;
      this.#after(random() * RETURN_SPREAD_MS, () => pool.revive());
    }
  }

  #newPool(place: Place, { pod, podUid, namespace }: Endpoint): Pool {
    const identity = { name: pod, uid: podUid };
    const suspect = (): void => void this.#suspect(place, identity, () => pool.stands);
    const pool: Pool = new Pool({
      pod,
      clock: this.#clock,
      upgrade: async (port, signal) => {
        try {
          const upgraded = await this.#way(place).ladder.upgrade({ namespace, pod, port }, signal);
          this.#api.trust(identity);
          return upgraded;
        } catch (thrown) {
          if (!signal.aborted && isOutage(thrown)) suspect();
          throw thrown;
        }
      },
      whenGone: (tell) => this.#api.whenGone({ ...place, namespace }, identity, tell),
      onSilence: () => {
        this.#way(place).dialler.forgetPrepared();
        this.#api.doubt(place);
        this.#after(SECOND_CHANCE_MS, suspect);
      },
    });
    return pool;
  }

  /** Whether it is the pod or its node that cannot be reached, or the API server, which says nothing of the pod. */
  async #suspect(place: Place, pod: PodIdentity, isReached: () => boolean): Promise<void> {
    if (isReached() || !(await this.#answers(this.#way(place))) || isReached()) return;
    this.#api.shun(place, pod);
  }

  #answers(way: Way): Promise<boolean> {
    way.knocking ??= way.dialler
      .dial(this.#ended.signal)
      .then(
        ({ socket }) => {
          socket.on("error", () => {}).destroy();
          return true;
        },
        () => false,
      )
      .finally(() => (way.knocking = undefined));
    return way.knocking;
  }

  #after(ms: number, act: () => void): void {
    const timer = this.#clock.timer(ms, () => {
      this.#timers.delete(timer);
      act();
    });
    this.#timers.add(timer);
  }

  /** One per API server and user, so that its TLS session and the way that works are shared. */
  #way(place: Place): Way {
    const access = this.#api.access(place);
    const key = JSON.stringify([place.kubeconfig, place.context]);
    const known = this.#ways.get(key);
    if (known?.dialler.access === access) return known;
    const dialler = new Dialler(access, this.#clock);
    const way: Way = { dialler, ladder: new Ladder({ dialler, clock: this.#clock }) };
    this.#ways.set(key, way);
    return way;
  }
}

/** How one API server is reached. */
interface Way {
  /** Whether the API server answers, while that is being found out. */
  knocking?: Promise<boolean> | undefined;
  readonly dialler: Dialler;
  readonly ladder: Ladder;
}
