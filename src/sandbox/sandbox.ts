import { writeFile } from "node:fs/promises";
import { KfwdError } from "../errors.ts";
import { Accounts, type Rule } from "./accounts.ts";
import { serveApi } from "./apiserver.ts";
import { makeCertificates, type Certificates } from "./certificates.ts";
import { Controllers } from "./controllers.ts";
import { Faults } from "./faults.ts";
import { FrontDoor, type Welcome } from "./frontdoor.ts";
import { kubeconfigText } from "./kubeconfig.ts";
import { DEFAULT_MINOR, kubernetesVersion } from "./kubernetesversion.ts";
import { Pods } from "./pods.ts";
import type { RuntimeOptions } from "./portforward.ts";
import { Pulse } from "./pulse.ts";
import { RequestLog } from "./requestlog.ts";
import { ResourceApi } from "./resourceapi.ts";
import { Store } from "./store.ts";
import { Timers } from "./timers.ts";
import { Upgrades, type UpgradeCut } from "./upgrades.ts";
import type { WatchDrop } from "./watch.ts";
import { Workbench } from "./workbench.ts";

/** All optional; the defaults are a real server's. */
export interface SandboxOptions {
  /** Of the kubeconfig's context and cluster. Default `sandbox`. */
  readonly name?: string;
  /** Default https. */
  readonly scheme?: "https" | "http";
  /** Path in front of the API, such as `/k8s/clusters/c-1`. Default none. */
  readonly prefix?: string;
  /** Of the API server. Default: one that the system gives, and may give to somebody else while the server is stopped. */
  readonly port?: number;
  /** Between two bookmarks of a watch. Default 60 s. */
  readonly bookmarkMs?: number;
  readonly runtime?: Partial<RuntimeOptions>;
  /** It behaves as Kubernetes 1.`minor`, as far as port-forwards go. Default 36. */
  readonly minor?: number;
  /** Default: new ones. Sharing them spares a test 25 ms. */
  readonly certificates?: Certificates;
}

/** What is open in a sandbox; all zero when every client has gone. */
export interface OpenCounts {
  /** TCP connections to the API server. */
  readonly sockets: number;
  readonly watches: number;
  /** Upgraded connections. */
  readonly upgrades: number;
  /** Streams on them, two for each connection into a pod. */
  readonly streams: number;
  /** Connections into pods. */
  readonly podSockets: number;
}

const EVERYTHING: readonly Rule[] = [{ verbs: ["*"], resources: ["*"] }];

/** Those of containerd 2.3 under Kubernetes 1.36. */
const RUNTIME_DEFAULTS: RuntimeOptions = {
  lingerMs: 1000,
  pairingMs: 30_000,
  onAppReset: "text",
  onRefusal: "free",
};

/** How long {@link Sandbox.until} waits when nobody says. */
const UNTIL_DEFAULT_MS = 10_000;

/**
 * A Kubernetes cluster in this process, as far as a port-forward client can see: an API server on 127.0.0.1, and pods
 * whose ports are real local sockets. Users are `admin`, who may do all, and `nobody`, who may do nothing.
 */
export class Sandbox implements AsyncDisposable {
  readonly #name: string;
  readonly #prefix: string;
  #ca: string | undefined;
  readonly #timers = new Timers();
  readonly #pulse = new Pulse(this.#timers);
  readonly #store = new Store();
  readonly #accounts = new Accounts();
  readonly #door: FrontDoor;
  readonly #controllers: Controllers;
  readonly #resources: ResourceApi;
  readonly #upgrades: Upgrades;
  /** Switches for what can go wrong. */
  readonly faults = new Faults();
  /** What clients have asked for. */
  readonly requests = new RequestLog();
  /** Readiness, death and programs of single pods. */
  readonly pods: Pods;
  /** Creates, changes and deletes objects. */
  readonly cluster: Workbench;

  private constructor(options: SandboxOptions, certificates: Certificates | undefined) {
    const touch = (): void => this.#pulse.touch();
    const { faults } = this;
    const [store, timers] = [this.#store, this.#timers];
    this.#name = options.name ?? "sandbox";
    this.#prefix = options.prefix ?? "";
    this.#ca = certificates?.ca;
    const door = new FrontDoor(certificates, options.port ?? 0, touch);
    this.#door = door;
    const pods = new Pods(store, timers, this.#pulse);
    this.pods = pods;
    this.#controllers = new Controllers(store, pods);
    const cluster = new Workbench(store, pods, this.#controllers);
    this.cluster = cluster;
    this.#resources = new ResourceApi({
      store,
      timers,
      faults,
      bookmarkMs: options.bookmarkMs ?? 60_000,
      remove: (object, how) => cluster.remove(object, how),
      run: (pod, program) => {
        cluster.createNamespace(pod.namespace);
        return pods.create(pod, program);
      },
      reset: ({ socket }) => socket && door.reset(socket),
      onChange: touch,
    });
    const runtime = { ...RUNTIME_DEFAULTS, ...options.runtime };
    const version = kubernetesVersion(options.minor ?? DEFAULT_MINOR);
    this.#upgrades = new Upgrades({
      store,
      pods,
      timers,
      faults,
      runtime,
      version,
      reset: (socket) => door.reset(socket),
      onChange: touch,
    });
    serveApi({
      door,
      prefix: this.#prefix,
      accounts: this.#accounts,
      requests: this.requests,
      faults,
      resources: this.#resources,
      upgrades: this.#upgrades,
      version,
      onRequest: touch,
    });
    store.subscribe(touch);
  }

  /** Listens when it resolves. It holds one namespace, `default`, with nothing in it. */
  static async start(options: SandboxOptions = {}): Promise<Sandbox> {
    const plain = options.scheme === "http";
    const certificates = plain ? undefined : (options.certificates ?? (await makeCertificates()));
    const sandbox = new Sandbox(options, certificates);
    sandbox.setUser("admin", EVERYTHING);
    sandbox.setUser("nobody", []);
    sandbox.cluster.createNamespace("default");
    await sandbox.#door.open();
    return sandbox;
  }

  /** Of the API server, with the prefix. */
  get url(): string {
    const scheme = this.#ca === undefined ? "http" : "https";
    return `${scheme}://127.0.0.1:${this.#door.port}${this.#prefix}`;
  }

  /** The certificate authority as PEM; undefined for plain http. */
  get ca(): string | undefined {
    return this.#ca;
  }

  get open(): OpenCounts {
    return {
      sockets: this.#door.sockets,
      watches: this.#resources.watches,
      upgrades: this.#upgrades.connections,
      streams: this.#upgrades.streams,
      podSockets: this.pods.sockets,
    };
  }

  /** A kubeconfig with one context, as JSON. @throws KfwdError `INTERNAL` for an unknown user. */
  kubeconfig(user = "admin", namespace?: string): string {
    const facts = { name: this.#name, server: this.url, ca: this.#ca, namespace };
    return kubeconfigText({ ...facts, user, token: this.token(user) });
  }

  /** Writes it to a file that only its owner can read. */
  async writeKubeconfig(path: string, user = "admin", namespace?: string): Promise<void> {
    await writeFile(path, this.kubeconfig(user, namespace), { mode: 0o600 });
  }

  /** Adds a user, or gives a known one other rights. */
  setUser(name: string, rules: readonly Rule[]): void {
    this.#accounts.set(name, rules);
  }

  /** The user's bearer token. @throws KfwdError `INTERNAL` for an unknown user. */
  token(user = "admin"): string {
    const token = this.#accounts.token(user);
    if (token === undefined) throw new KfwdError("INTERNAL", `sandbox: no user "${user}"`);
    return token;
  }

  /** Replaces the user's token: requests with the old one get 401. */
  renewToken(user: string): string {
    return this.#accounts.renew(user);
  }

  /**
   * Resolves with what `look` finds once that is neither false nor undefined; looks after every change in the sandbox.
   * @throws KfwdError `INTERNAL` after `timeoutMs`, or when the sandbox is disposed.
   */
  until<T>(look: () => T | false | undefined, timeoutMs = UNTIL_DEFAULT_MS): Promise<T> {
    return this.#pulse.until(look, timeoutMs);
  }

  /** Forgets all changes so far: watches and pages from before cannot go on. `tellWatches`: nor can open ones. */
  compact(how: { readonly tellWatches?: boolean } = {}): void {
    this.#store.compact();
    if (how.tellWatches) this.#resources.expireWatches();
  }

  /** Breaks all open watches. */
  dropWatches(how: WatchDrop): void {
    this.#resources.dropWatches(how);
  }

  /** Breaks all upgraded connections. */
  cutUpgrades(how: UpgradeCut): void {
    this.#upgrades.cut(how);
  }

  /** Reads on from connections that were cut by `stall`. */
  resumeUpgrades(): void {
    this.#upgrades.resume();
  }

  /** What happens to new TCP connections. */
  setWelcome(welcome: Welcome): void {
    this.#door.welcome = welcome;
  }

  /** Whoever connects from now on is shown these; kubeconfigs that are written from now on trust them. */
  setCertificates(certificates: Certificates): void {
    this.#door.setCertificates(certificates);
    if (this.#ca !== undefined) this.#ca = certificates.ca;
  }

  /** The API server is down: connections are reset, new ones refused. Pods live on. */
  stopApi(): void {
    this.#door.close();
  }

  /** The API server is back, on the same port. */
  async startApi(): Promise<void> {
    await this.#door.open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pulse[Symbol.dispose]();
    this.#controllers[Symbol.dispose]();
    this.#timers[Symbol.dispose]();
    await this.#door[Symbol.asyncDispose]();
    await this.pods[Symbol.asyncDispose]();
    this.#timers[Symbol.dispose](); // what the closing has set
  }
}
