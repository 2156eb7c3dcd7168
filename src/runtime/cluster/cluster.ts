/** The Kubernetes side of the seams: names from kubeconfig, resolutions from watches, tunnels from pools. */
import type { Clock, Cluster, Place, Tunnel, TunnelEvents } from "../deps.ts";
import type { Endpoint } from "../core/status.ts";
import { Dialler } from "./dial.ts";
import type { KubeApi } from "./kubeapi.ts";
import { Ladder } from "./ladder.ts";
import { Pool } from "./pool.ts";

/** Owns the API connections through `api`, and a pool for each pod that a tunnel leads to. */
export class KubeCluster implements Cluster {
  readonly #api: KubeApi;
  readonly #clock: Clock;
  readonly #ways = new Map<string, Way>();
  readonly #pools = new Map<string, Pool>();

  constructor(api: KubeApi, clock: Clock) {
    this.#api = api;
    this.#clock = clock;
  }

  pin(wanted: Parameters<Cluster["pin"]>[0]): Place {
    return this.#api.pin(wanted);
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
    const pool = this.#pools.get(key) ?? this.#newPool(place, endpoint);
    this.#pools.set(key, pool);
    const use = pool.use(endpoint.port, events);
    return {
      retry: () => use.retry(),
      open: (port, handler, signal) => pool.stream(port, handler, signal),
      [Symbol.asyncDispose]: async () => {
        use[Symbol.dispose]();
        if (pool.unused && this.#pools.get(key) === pool) this.#pools.delete(key);
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
    for (const pool of this.#pools.values()) pool.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { dialler } of this.#ways.values()) dialler[Symbol.dispose]();
    await this.#api[Symbol.asyncDispose]();
  }

  #newPool(place: Place, { pod, podUid, namespace }: Endpoint): Pool {
    return new Pool({
      pod,
      clock: this.#clock,
      upgrade: (port, signal) => this.#way(place).ladder.upgrade({ namespace, pod, port }, signal),
      whenGone: (tell) => this.#api.whenGone({ ...place, namespace }, { name: pod, uid: podUid }, tell),
      onSilence: () => {
        this.#way(place).dialler.forgetPrepared();
        this.#api.doubt(place);
      },
    });
  }

  /** One per API server and user, so that its TLS session and the way that works are shared. */
  #way(place: Place): Way {
    const access = this.#api.access(place);
    const key = JSON.stringify([place.kubeconfig, place.context]);
    const known = this.#ways.get(key);
    if (known?.dialler.access === access) return known;
    const dialler = new Dialler(access, this.#clock);
    const way = { dialler, ladder: new Ladder({ dialler, clock: this.#clock }) };
    this.#ways.set(key, way);
    return way;
  }
}

/** How one API server is reached. */
interface Way {
  readonly dialler: Dialler;
  readonly ladder: Ladder;
}
