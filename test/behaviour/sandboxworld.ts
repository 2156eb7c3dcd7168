import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { apps, datagramApps } from "../puppets/app.mjs";
import { freePort } from "../rig/freeport.ts";
import { Proxy } from "../rig/proxy.ts";
import type { Apps } from "../../src/sandbox/apps.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import {
  APP_PORTS,
  APP_SERVICE_PORTS,
  OUTSIDE_ADDRESS,
  type AppSpec,
  type PodFacts,
  type PodHistory,
  type PodMoment,
  type RoleObject,
  type ServiceSpec,
  type SliceSpec,
  type World,
} from "./world.ts";

/** How long a container takes to start unless a test says more: there is a time without pods. */
const START_MS = 150;

/** What all pods of a sandbox are like. */
interface PodOptions {
  readonly startMs?: number;
  /** In place of those of test/puppets/app.mjs, by port. */
  readonly others?: Apps;
}

/** The sandbox cluster of src/sandbox, in the process of the tests. */
export class SandboxWorld implements World {
  readonly sandbox: Sandbox;
  readonly context = "sandbox";
  readonly nobody = "nobody";
  readonly #folder: string;
  readonly #startMs: number;
  readonly #apps: Apps;
  readonly #proxies: Proxy[] = [];
  #namespaces = 0;

  private constructor(sandbox: Sandbox, folder: string, { startMs, others }: Required<PodOptions>) {
    this.sandbox = sandbox;
    this.#folder = folder;
    this.#startMs = startMs;
    this.#apps = { ...apps, ...others };
  }

  static async start({ startMs = START_MS, others = {} }: PodOptions = {}): Promise<SandboxWorld> {
    const folder = await mkdtemp(join(tmpdir(), "kfwd-sandbox-"));
    const world = new SandboxWorld(await Sandbox.start({ port: await freePort() }), folder, {
      startMs,
      others,
    });
    world.sandbox.setUser("viewer", [{ verbs: ["get", "list", "watch"], resources: ["*"] }]);
    for (const user of ["admin", "nobody", "viewer"]) {
      await world.sandbox.writeKubeconfig(world.#path(user), user);
    }
    return world;
  }

  kubeconfig(user: "admin" | "nobody"): string {
    return this.#path(user);
  }

  async viewer(): Promise<string> {
    return this.#path("viewer");
  }

  async grant(namespace: string, user: string, roles: readonly RoleObject[]): Promise<string> {
    const name = `${namespace}-${user}`;
    const rules = roles.flatMap((role) => role.rules.map((rule) => ({ ...rule, namespaces: [namespace] })));
    this.sandbox.setUser(name, rules);
    await this.sandbox.writeKubeconfig(this.#path(name), name);
    return this.#path(name);
  }

  async behindProxy(): Promise<{ readonly kubeconfig: string; readonly proxy: Proxy }> {
    const server = new URL(this.sandbox.url);
    const proxy = await Proxy.start({ host: server.hostname, port: Number(server.port) });
    this.#proxies.push(proxy);
    const kubeconfig = this.#path(`proxy-${proxy.port}`);
    await writeFile(kubeconfig, this.sandbox.kubeconfig().replace(`:${server.port}`, `:${proxy.port}`));
    return { kubeconfig, proxy };
  }

  async newNamespace(): Promise<string> {
    const name = `shop-${++this.#namespaces}`;
    this.sandbox.cluster.createNamespace(name);
    return name;
  }

  async deploy(namespace: string, name: string, app: AppSpec = {}): Promise<void> {
    this.sandbox.cluster.createDeployment(namespace, this.#manifestOf(name, app));
    await this.createService(namespace, name, {});
    if (app.crashing) await this.#crash(namespace, name);
    else await this.#ready(namespace, name, app.replicas ?? 1);
  }

  async statefulSet(namespace: string, name: string, app: AppSpec = {}): Promise<void> {
    this.sandbox.cluster.createWorkload("StatefulSet", namespace, this.#manifestOf(name, app));
    await this.createService(namespace, name, { headless: true });
    await this.#ready(namespace, name, app.replicas ?? 1);
  }

  async createPod(namespace: string, name: string): Promise<void> {
    this.sandbox.cluster.createPod(namespace, this.#manifestOf(name, {}));
    await this.#ready(namespace, name, 1);
  }

  async podsOf(namespace: string, app: string): Promise<readonly PodFacts[]> {
    return this.#pods(namespace, app);
  }

  async podNames(namespace: string): Promise<readonly string[]> {
    return this.#all(namespace).map(({ name }) => name);
  }

  async deletePod(namespace: string, pod: string, how: { readonly force?: boolean } = {}): Promise<void> {
    this.sandbox.pods.delete(namespace, pod, how);
  }

  async deleteAllPods(namespace: string): Promise<void> {
    for (const { metadata } of this.sandbox.cluster.list(namespace)) {
      this.sandbox.pods.delete(namespace, metadata.name);
    }
  }

  async scale(namespace: string, deployment: string, replicas: number): Promise<void> {
    this.sandbox.cluster.scale(namespace, deployment, replicas);
  }

  async rollout(namespace: string, deployment: string, app: AppSpec): Promise<void> {
    const old = new Set(this.#pods(namespace, deployment).map(({ uid }) => uid));
    const { ports, startMs } = this.#manifestOf(deployment, app);
    this.sandbox.cluster.rollout(namespace, deployment, { ports, startMs });
    await this.sandbox.until(() => {
      const pods = this.#pods(namespace, deployment);
      return pods.length > 0 && pods.every(({ ready, uid }) => ready && !old.has(uid));
    });
  }

  async createService(namespace: string, name: string, service: ServiceSpec): Promise<void> {
    this.sandbox.cluster.createService(namespace, serviceManifestOf(name, service));
  }

  async createSlice(namespace: string, service: string, { port, pod }: SliceSpec): Promise<void> {
    const endpoint = { address: OUTSIDE_ADDRESS, ...(pod === undefined ? {} : { pod }) };
    this.sandbox.cluster.createEndpointSlice(namespace, { service, port, endpoints: [endpoint] });
  }

  async updateService(namespace: string, name: string, service: ServiceSpec): Promise<void> {
    this.sandbox.cluster.updateService(namespace, serviceManifestOf(name, service));
  }

  async deleteService(namespace: string, name: string): Promise<void> {
    this.sandbox.cluster.deleteService(namespace, name);
  }

  async setReady(namespace: string, pod: string, ready: boolean): Promise<void> {
    this.sandbox.pods.setReady(namespace, pod, ready);
  }

  async setListening(namespace: string, pod: string, port: number, listening: boolean): Promise<void> {
    await this.sandbox.pods.setListening(namespace, pod, port, listening);
  }

  async restartContainer(namespace: string, pod: string): Promise<void> {
    this.sandbox.pods.restart(namespace, pod);
  }

  async watchPods(namespace: string): Promise<PodHistory> {
    const moments: PodMoment[] = [];
    const known = new Map<string, boolean>();
    const look = (): void => {
      const now = new Map(this.#all(namespace).map((pod) => [pod.name, pod.ready && !pod.deleting]));
      for (const name of known.keys()) if (!now.has(name)) now.set(name, false);
      for (const [name, serving] of now) {
        if (known.get(name) === serving) continue;
        known.set(name, serving);
        moments.push({ atMs: performance.now(), name, serving });
      }
    };
    const ended = new AbortController();
    const looking = this.sandbox.until(() => {
      look();
      return ended.signal.aborted;
    }, 600_000);
    return {
      moments,
      [Symbol.asyncDispose]: async () => {
        ended.abort();
        this.sandbox.cluster.createNamespace(`${namespace}-seen`); // a change, so that it looks once more
        await looking;
      },
    };
  }

  /** @throws when a client is still connected after the last project has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
    const { sandbox } = this;
    try {
      await sandbox.until(() => Object.values(sandbox.open).every((count) => count === 0), 5_000);
    } catch (thrown) {
      throw new Error(`still open in the sandbox: ${JSON.stringify(sandbox.open)}`, { cause: thrown });
    } finally {
      await sandbox[Symbol.asyncDispose]();
      await rm(this.#folder, { recursive: true });
    }
  }

  #path(name: string): string {
    return join(this.#folder, `${name}.kubeconfig`);
  }

  #pods(namespace: string, app: string): readonly PodFacts[] {
    return this.#all(namespace, { app });
  }

  #all(namespace: string, labels: Readonly<Record<string, string>> = {}): readonly PodFacts[] {
    return this.sandbox.cluster.list(namespace, labels).map(({ metadata, status }) => ({
      name: metadata.name,
      uid: metadata.uid,
      ready: status.conditions.some(({ type, status }) => type === "Ready" && status === "True"),
      deleting: metadata.deletionTimestamp !== undefined,
      ip: status.podIP ?? "",
    }));
  }

  #manifestOf(name: string, { replicas = 1, httpPort = 8080, lingerMs }: AppSpec) {
    const others = [8080, ...APP_PORTS].filter((port) => port !== httpPort);
    return {
      name,
      replicas,
      labels: { app: name },
      app: this.#apps,
      udp: datagramApps,
      ports: [{ name: "http", port: httpPort }, ...others.map((port) => ({ port }))],
      startMs: this.#startMs,
      ...(lingerMs === undefined ? {} : { stopMs: lingerMs }),
    };
  }

  async #ready(namespace: string, app: string, count: number): Promise<void> {
    await this.sandbox.until(() => this.#pods(namespace, app).filter(({ ready }) => ready).length === count);
  }

  async #crash(namespace: string, app: string): Promise<void> {
    const pod = await this.sandbox.until(() => this.#pods(namespace, app).find(({ ready }) => ready));
    this.sandbox.pods.setWaiting(namespace, pod.name, "CrashLoopBackOff", "back-off 10s restarting");
  }
}

function serviceManifestOf(name: string, service: ServiceSpec) {
  const { selects = name, ports = APP_SERVICE_PORTS, headless, externalName, annotations } = service;
  return {
    name,
    ...(annotations ? { annotations } : {}),
    selector: selects === null ? null : { app: selects },
    ports,
    ...(headless ? { clusterIP: "None" as const } : {}),
    ...(externalName === undefined ? {} : { externalName }),
  };
}
