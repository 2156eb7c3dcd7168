/** The Kubernetes side of the seams: names from kubeconfig, resolutions from watches, tunnels from pools. */
import type { Clock, Cluster, Place, Tunnel, TunnelEvents } from "../deps.ts";
import type { Endpoint } from "../core/status.ts";
import { Dialler } from "./dial.ts";
import type { KubeApi } from "./kubeapi.ts";
import { Pool } from "./pool.ts";
import { upgrade } from "./upgrade.ts";

/** Owns the API connections through `api`, and a pool for each pod that a tunnel leads to. */
export class KubeCluster implements Cluster {
  readonly #api: KubeApi;
  readonly #clock: Clock;
  readonly #diallers = new Map<string, Dialler>();
  readonly #pools = new Map<string, Pool>();

  constructor(api: KubeApi, clock: Clock) {
    this.#api = api;
    this.#clock = clock;
  }

  pin(wanted: Parameters<Cluster["pin"]>[0]): Place {
    return this.#api.pin(wanted);
  }

  follow(...request: Parameters<Cluster["follow"]>): Disposable {
    return this.#api.follow(...request);
  }

  tunnel(place: Place, endpoint: Endpoint, events: TunnelEvents): Tunnel {
    const key = JSON.stringify([place.kubeconfig, place.context, endpoint.podUid]);
    const pool = this.#pools.get(key) ?? this.#newPool(place, endpoint);
    this.#pools.set(key, pool);
    const use = pool.use(events);
    return {
      retry: () => pool.open(),
      open: (port, handler, signal) => pool.stream(port, handler, signal),
      [Symbol.asyncDispose]: async () => {
        use[Symbol.dispose]();
        if (pool.unused && this.#pools.get(key) === pool) this.#pools.delete(key);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api[Symbol.asyncDispose]();
  }

  #newPool(place: Place, { pod, namespace }: Endpoint): Pool {
    const dialler = this.#dialler(place);
    const clock = this.#clock;
    return new Pool({ pod, clock, upgrade: (signal) => upgrade(dialler, clock, { namespace, pod }, signal) });
  }

  /** One per API server and user, so that its TLS session is shared. */
  #dialler(place: Place): Dialler {
    const access = this.#api.access(place);
    const key = JSON.stringify([place.kubeconfig, place.context]);
    const known = this.#diallers.get(key);
    if (known?.access === access) return known;
    const dialler = new Dialler(access, this.#clock);
    this.#diallers.set(key, dialler);
    return dialler;
  }
}
