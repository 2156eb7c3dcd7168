/** The Kubernetes API as forwards use it: contexts, credentials, and what targets mean. */
import { KfwdError } from "../../errors.ts";
import type { Note } from "../core/status.ts";
import type { Clock, Cluster, Log, Place, Random, Resolution, Terminal } from "../deps.ts";
import type { RenewableAccess } from "./access.ts";
import { reasonOf } from "./failures.ts";
import { Followers, type PodIdentity } from "./follow.ts";
import { KubeAccess } from "./kubeaccess.ts";
import { Kubeconfigs, type KubeconfigSources } from "./kubeconfig.ts";
import { PodApi } from "./podapi.ts";
import { addressText } from "./proxy.ts";
import type { ReflectorSurroundings } from "./reflector.ts";
import type { FollowRequest } from "./resolve.ts";
import { RestClient } from "./rest.ts";

/** What a {@link KubeApi} needs of the world. */
export interface KubeApiOptions extends KubeconfigSources {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of kfwd, for the User-Agent. */
  readonly version: string;
  /** Where somebody can log in. */
  readonly terminal?: Terminal | undefined;
}

interface Client {
  readonly access: KubeAccess;
  readonly rest: RestClient;
  /** When its connections were last replaced because one was silent, on the clock. */
  doubtedAtMs: number;
}

/** A server's connections go silent together: they are replaced once in this time. */
const DOUBT_REST_MS = 5_000;

/** One client per (kubeconfig, context), kept until disposed. */
export class KubeApi implements AsyncDisposable {
  readonly #options: KubeApiOptions;
  readonly #kubeconfigs: Kubeconfigs;
  readonly #clients = new Map<string, Client>();
  readonly #followers: Followers;
  readonly #onBack: ((access: RenewableAccess) => void)[] = [];

  constructor(options: KubeApiOptions) {
    this.#options = options;
    this.#kubeconfigs = new Kubeconfigs(options);
    this.#followers = new Followers(options.clock);
  }

  /** @see Cluster.pin */
  pin(wanted: Parameters<Cluster["pin"]>[0]): Place {
    const { kubeconfig } = wanted;
    const { context, namespace: ofContext } = this.#kubeconfigs.connection(kubeconfig, wanted.context);
    const namespace = wanted.namespace ?? ofContext ?? "default";
    if (!NAMESPACE.test(namespace)) {
      throw new KfwdError(
        "KUBECONFIG_INVALID",
        `context "${context}" of the kubeconfig names namespace "${namespace}", which cannot be one`,
      );
    }
    const place = { kubeconfig, context, namespace };
    this.#client(place).access.retry(); // from now on a kubeconfig that breaks does no harm
    return place;
  }

  /** @see Cluster.current */
  current(kubeconfig: string | undefined): string {
    return this.#kubeconfigs.connection(kubeconfig, undefined).context;
  }

  /** @see Cluster.login */
  async login(place: Place): Promise<void> {
    if (this.#options.terminal) await this.#client(place).access.login(this.#options.terminal);
  }

  /** @see Cluster.notes */
  notes(place: Place): readonly Note[] {
    return this.#clients.get(keyOf(place))?.access.notes() ?? [];
  }

  /**
   * The same object for the same kubeconfig and context.
   * @throws KfwdError `KUBECONFIG_MISSING`, `KUBECONFIG_INVALID`, `CONTEXT_UNKNOWN`.
   */
  access(place: Place): RenewableAccess {
    return this.#client(place).access;
  }

  /** For requests of other kinds than lists and watches. @throws as {@link access}. */
  rest(place: Place): RestClient {
    return this.#client(place).rest;
  }

  /** @see Cluster.follow */
  follow(request: FollowRequest, tell: (resolution: Resolution) => void): Disposable {
    try {
      return this.#followers.follow(this.#around(request.place), request, tell);
    } catch (error) {
      return tellOnce({ kind: "none", reason: reasonOf(error) }, tell);
    }
  }

  /** @see Followers.whenGone */
  whenGone(place: Place, pod: PodIdentity, tell: () => void): Disposable {
    return this.#followers.whenGone(this.#around(place), { namespace: place.namespace, ...pod }, tell);
  }

  /** @see Followers.watchPod */
  watchPod(place: Place, name: string, ...[tell]: Tail<Parameters<Followers["watchPod"]>>): Disposable {
    return this.#followers.watchPod(this.#around(place), { namespace: place.namespace, name }, tell);
  }

  /** Pods of our own in the place's namespace. */
  pods(place: Place): PodApi {
    return new PodApi(this.#client(place).rest, place.namespace);
  }

  /** @see Cluster.wake */
  wake(place?: Place): void {
    if (place === undefined) {
      for (const { access, rest } of this.#clients.values()) {
        access.lookout.wake();
        rest.wake();
      }
      this.#followers.wake("slept");
      return;
    }
    const client = this.#clients.get(keyOf(place));
    if (client) this.#followers.wake("asked", { rest: client.rest, namespace: place.namespace });
  }

  /** @see Followers.shun */
  shun(place: Place, pod: PodIdentity): void {
    const client = this.#clients.get(keyOf(place));
    if (!client || !this.#followers.shun(client.rest, place.namespace, pod)) return;
    this.#options.log.info("pod out of reach", { context: place.context, pod: pod.name });
  }

  /** @see Followers.trust */
  trust(pod: PodIdentity): void {
    this.#followers.trust(pod);
  }

  /** `tell` is called when an API server serves again that did not answer a list or watch. It must not throw. */
  whenBack(tell: (access: RenewableAccess) => void): void {
    this.#onBack.push(tell);
  }

  /** Something came to light that a watch would have told: where objects must not be watched they are looked at. */
  look(place: Place): void {
    const client = this.#clients.get(keyOf(place));
    if (client) this.#followers.wake("look", { rest: client.rest, namespace: place.namespace });
  }

  /** A connection to this API server went dead without a word: its watches go on over new ones. */
  doubt(place: Place): void {
    const client = this.#clients.get(keyOf(place));
    const nowMs = this.#options.clock.now();
    if (client === undefined || nowMs - client.doubtedAtMs < DOUBT_REST_MS) return;
    client.doubtedAtMs = nowMs;
    client.rest.wake();
    this.#followers.wake("slept", { rest: client.rest });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const clients = [...this.#clients.values()];
    for (const { access } of clients) access[Symbol.dispose]();
    await this.#followers[Symbol.asyncDispose]();
    for (const { rest } of clients) rest[Symbol.dispose]();
  }

  #around(place: Place): ReflectorSurroundings {
    const { clock, random, log } = this.#options;
    return { rest: this.#client(place).rest, clock, random, log };
  }

  #client(place: Place): Client {
    const key = keyOf(place);
    const known = this.#clients.get(key);
    if (known) return known;
    const look = () => this.#kubeconfigs.connection(place.kubeconfig, place.context);
    const access = new KubeAccess(look(), look, this.#options);
    if (access.proxy) {
      const { source } = access.proxy;
      this.#options.log.info("proxy", { context: place.context, proxy: addressText(access.proxy), source });
    }
    const back = (): void => {
      this.#followers.wake("back", { rest });
      for (const tell of this.#onBack) tell(access);
    };
    const rest = new RestClient(access, this.#options.clock, back);
    access.lookout.onBack(() => {
      rest.forgetTrouble();
      back();
    });
    const client: Client = { access, rest, doubtedAtMs: Number.NEGATIVE_INFINITY };
    this.#clients.set(key, client);
    return client;
  }
}

/** What follows the first two. */
type Tail<T extends readonly unknown[]> = T extends readonly [unknown, unknown, ...infer Rest] ? Rest : never;

/** RFC 1123 label. */
const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

function keyOf({ kubeconfig, context }: Place): string {
  return JSON.stringify([kubeconfig, context]);
}

function tellOnce(resolution: Resolution, tell: (resolution: Resolution) => void): Disposable {
  let live: typeof tell | undefined = tell;
  queueMicrotask(() => live?.(resolution));
  return { [Symbol.dispose]: () => (live = undefined) };
}
