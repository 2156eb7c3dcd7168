/** The relays of a project: one for each API server and namespace, whoever of its forwards wants one. */
import { randomBytes } from "node:crypto";
import type { Clock, Cluster, Log, Place, Random, Relay, RelayEvents, Relays, RelayWish } from "../deps.ts";
import { reasonOf } from "./failures.ts";
import type { KubeApi } from "./kubeapi.ts";
import { removeRelay } from "./leftrelays.ts";
import { RelayHub } from "./relayhub.ts";
import { RelayKey } from "./relaykey.ts";
import { RelayLink } from "./relaylink.ts";
import { RELAY_LIFE_MS, RELAY_PORT, relayManifest, type RelayOwner } from "./relaymanifest.ts";
import type { LockedRelay } from "../wire/lockrecord.ts";

/** What a {@link KubeRelays} needs of the world. */
export interface KubeRelaysDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly api: KubeApi;
  readonly cluster: Pick<Cluster, "tunnel">;
  /** What the pods run. */
  readonly program: string;
  readonly owner: Omit<RelayOwner, "run">;
}

/** How long a pod that nobody uses waits for what is being replaced. */
const LINGER_MS = 10_000;

/** How long leftovers of a dead supervisor are asked to go. */
const SWEEP_MS = 10_000;

/** @see Relays */
export class KubeRelays implements Relays {
  readonly #deps: KubeRelaysDeps;
  readonly #run = randomBytes(8).toString("hex");
  readonly #hubs = new Map<string, RelayHub>();
  readonly #records = new Map<RelayHub, readonly LockedRelay[]>();
  #leftovers: readonly LockedRelay[] = [];
  #write: (records: readonly LockedRelay[]) => void = () => {};
  readonly #closing = new Set<PromiseLike<void>>();
  readonly #holds = new Set<object>();
  readonly #lingering = new Set<Disposable>();

  constructor(deps: KubeRelaysDeps) {
    this.#deps = deps;
  }

  relay(place: Place, spec: RelayWish, events: RelayEvents): Relay {
    const there = { ...place, namespace: spec.namespace ?? place.namespace };
    const key = JSON.stringify([there, { ...spec, namespace: undefined }]);
    const hub = this.#hubs.get(key) ?? this.#newHub(there, spec);
    this.#hubs.set(key, hub);
    const relay = hub.join(events, () => this.#onLeft(key, hub));
    return {
      ...relay,
      [Symbol.asyncDispose]: async () => {
        const closed = relay[Symbol.asyncDispose]();
        this.#closing.add(closed);
        await closed;
        this.#closing.delete(closed);
      },
    };
  }

  hold(): Disposable {
    const hold = {};
    this.#holds.add(hold);
    return {
      [Symbol.dispose]: () => {
        const lingering = this.#deps.clock.timer(LINGER_MS, () => {
          this.#lingering.delete(lingering);
          this.#holds.delete(hold);
          for (const [key, hub] of this.#hubs) if (hub.unused) void this.#onLeft(key, hub);
        });
        this.#lingering.add(lingering);
      },
    };
  }

  /** The machine slept: tunnels must answer. */
  wake(): void {
    for (const hub of this.#hubs.values()) hub.wake();
  }

  /** Calls `write` with all there are, after each change. */
  keepRecords(write: (records: readonly LockedRelay[]) => void): void {
    this.#write = write;
    this.#tellRecords();
  }

  /**
   * Deletes what a supervisor that died has left; those that cannot be deleted end by themselves. They are among the
   * records from the call on, until they were dealt with.
   */
  async sweep(leftovers: readonly LockedRelay[]): Promise<void> {
    this.#leftovers = leftovers;
    for (const one of leftovers) {
      await this.#remove(one);
      this.#leftovers = this.#leftovers.filter((other) => other !== one);
      this.#tellRecords();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#lingering) timer[Symbol.dispose]();
    const hubs = [...this.#hubs.values()];
    this.#hubs.clear();
    await Promise.all([...hubs.map((hub) => hub[Symbol.asyncDispose]()), ...this.#closing]);
  }

  async #onLeft(key: string, hub: RelayHub): Promise<void> {
    if (this.#holds.size > 0) return;
    this.#hubs.delete(key);
    await hub[Symbol.asyncDispose]();
  }

  async #remove(leftover: LockedRelay): Promise<void> {
    const { api, clock, log } = this.#deps;
    const { context, namespace, pod } = leftover;
    const late = new AbortController();
    const timer = clock.timer(SWEEP_MS, () => late.abort(new Error("no answer in time")));
    try {
      const there = await removeRelay(api, leftover, late.signal);
      log.info("relay.leftover", { context, namespace, pod, was: there ? "there" : "gone" });
    } catch (error) {
      log.warn("relay.leftover", { context, namespace, pod, reason: reasonOf(error).message });
    } finally {
      timer[Symbol.dispose]();
    }
  }

  #newHub(place: Place, spec: RelayWish): RelayHub {
    const { clock, random, log, api, cluster, program, owner } = this.#deps;
    const { namespace } = place;
    const hub: RelayHub = new RelayHub({
      clock,
      random,
      lifeMs: spec.ttlMs ?? RELAY_LIFE_MS,
      link: (events) => {
        const key = new RelayKey(); // a new one for each pod
        const text = { text: program, key: key.publicText };
        const manifest = relayManifest({ ...owner, run: this.#run }, namespace, spec, text);
        const watch = api.watchPod.bind(api, place);
        const reach: ConstructorParameters<typeof RelayLink>[0]["reach"] = ({ name, uid }) => {
          const endpoint = { context: place.context, namespace, pod: name, podUid: uid, port: RELAY_PORT };
          return cluster.tunnel(place, endpoint, { onOpen() {}, onLost() {} }); // the tunnel itself tells
        };
        const deps = { clock, random, log, api: api.pods(place), namespace, manifest, watch, key, reach };
        return new RelayLink(deps, events);
      },
      onPods: (pods) => {
        const { kubeconfig = null, context } = place;
        const records = pods.map(({ name, uid }) => ({ kubeconfig, context, namespace, pod: name, uid }));
        if (records.length === 0) this.#records.delete(hub);
        else this.#records.set(hub, records);
        this.#tellRecords();
      },
    });
    return hub;
  }

  #tellRecords(): void {
    this.#write([...this.#leftovers, ...[...this.#records.values()].flat()]);
  }
}
