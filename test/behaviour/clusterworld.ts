import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { PrefixProxy, type PrefixProxyOptions } from "../rig/prefixproxy.ts";
import { Proxy } from "../rig/proxy.ts";
import {
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

const IMAGE = process.env["KFWD_E2E_IMAGE"] ?? "docker.io/library/node:24-alpine";

const PROGRAM = readFileSync(new URL("../puppets/app.mjs", import.meta.url), "utf8");

/** Where the app takes orders; see test/puppets/app.mjs. */
const CONTROL_PORT = 7099;

const READY_TIMEOUT = "120s";

/** The parts of a kubeconfig that are changed to make another of it. */
interface Kubeconfig {
  "current-context": string;
  contexts: { name: string; context: { user: string } }[];
  clusters: { name: string; cluster: { server: string; "insecure-skip-tls-verify"?: boolean } }[];
  users: { name: string; user: Record<string, unknown> }[];
}

interface PodJson {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** A real cluster, driven by kubectl. Everything is made in namespaces of random names. */
export class ClusterWorld implements World {
  readonly context: string;
  readonly relayImage = IMAGE;
  readonly #folder: string;
  readonly #admin: string;
  readonly #config: Kubeconfig;
  readonly #namespaces: string[] = [];
  readonly #proxies: AsyncDisposable[] = [];
  #nobody = "";

  private constructor(folder: string, admin: string, config: Kubeconfig) {
    this.#folder = folder;
    this.#admin = admin;
    this.#config = config;
    this.context = config["current-context"];
  }

  /** KFWD_E2E_KUBECONFIG names a kubeconfig whose current context may make namespaces. */
  static async start(): Promise<ClusterWorld> {
    const kubeconfig = process.env["KFWD_E2E_KUBECONFIG"] ?? "";
    if (kubeconfig === "") throw new Error("KFWD_E2E_KUBECONFIG must name a cluster that tests may use");
    const folder = await mkdtemp(join(tmpdir(), "kfwd-cluster-"));
    const view = await kubectl(kubeconfig, "config", "view", "--raw", "--minify", "--flatten", "-o", "json");
    const world = new ClusterWorld(folder, kubeconfig, JSON.parse(view) as Kubeconfig);
    const home = await world.newNamespace();
    world.#nobody = `system:serviceaccount:${home}:nobody`;
    await world.#writeUser(home, "nobody");
    return world;
  }

  get nobody(): string {
    return this.#nobody;
  }

  kubeconfig(user: "admin" | "nobody"): string {
    return user === "admin" ? this.#admin : this.#path("nobody");
  }

  async viewer(namespace: string): Promise<string> {
    const path = await this.#writeUser(namespace, "viewer");
    const resources = "--resource=pods,services,deployments.apps,statefulsets.apps";
    await this.#in(namespace, "create", "role", "viewer", "--verb=get,list,watch", resources);
    const account = `--serviceaccount=${namespace}:viewer`;
    await this.#in(namespace, "create", "rolebinding", "viewer", "--role=viewer", account);
    return path;
  }

  async grant(namespace: string, user: string, roles: readonly RoleObject[]): Promise<string> {
    const path = await this.#writeUser(namespace, user);
    const account = { kind: "ServiceAccount", name: user, namespace };
    for (const role of roles) {
      const metadata = { ...role.metadata, name: `${role.metadata.name}-${user}`, namespace };
      const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name };
      const binding = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding", metadata, roleRef };
      await this.#apply({ ...role, metadata }, { ...binding, subjects: [account] });
    }
    // The authorizer hears of them a moment later.
    for (const rule of roles.flatMap(({ rules }) => rules)) {
      await this.#untilAllowed(path, namespace, rule);
    }
    return path;
  }

  async behindProxy(): Promise<{ readonly kubeconfig: string; readonly proxy: Proxy }> {
    const config = structuredClone(this.#config);
    const [entry] = config.clusters;
    if (entry === undefined) throw new Error("the kubeconfig has no cluster");
    const server = new URL(entry.cluster.server);
    const host = server.hostname.replace(/^\[|\]$/g, "");
    const proxy = await Proxy.start({ host, port: Number(server.port || 443) });
    this.#proxies.push(proxy);
    server.host = `127.0.0.1:${proxy.port}`;
    // The certificate is not for the proxy, and which of its names could be asked for differs from cluster to cluster.
    entry.cluster = { server: server.href, "insecure-skip-tls-verify": true };
    const kubeconfig = this.#path(`proxy-${proxy.port}`);
    await writeFile(kubeconfig, JSON.stringify(config), { mode: 0o600 });
    return { kubeconfig, proxy };
  }

  /** The kubeconfig of a user who may change the namespace, behind a gateway that lets only some upgrades through. */
  async behindGateway(namespace: string, passes: NonNullable<PrefixProxyOptions["passes"]>): Promise<string> {
    const server = this.#config.clusters[0]?.cluster.server;
    if (server === undefined) throw new Error("the kubeconfig has no cluster");
    const gateway = await PrefixProxy.start({ server, prefix: "", passes });
    this.#proxies.push(gateway);
    const user = `editor-${new URL(gateway.url).port}`;
    const path = await this.#writeUser(namespace, user, gateway.url);
    const account = `--serviceaccount=${namespace}:${user}`;
    await this.#in(namespace, "create", "rolebinding", user, "--clusterrole=edit", account);
    return path;
  }

  async newNamespace(): Promise<string> {
    const name = `kfwd-e2e-${randomBytes(4).toString("hex")}`;
    this.#namespaces.push(name);
    const labels = { "app.kubernetes.io/managed-by": "kfwd-e2e" };
    await this.#apply({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
    return name;
  }

  async deploy(namespace: string, name: string, app: AppSpec = {}): Promise<void> {
    await this.#apply(workload("Deployment", namespace, name, app), serviceObject(namespace, name, {}));
    if (!app.crashing) await this.#untilRolledOut(namespace, `deployment/${name}`);
  }

  async statefulSet(namespace: string, name: string, app: AppSpec = {}): Promise<void> {
    const service = serviceObject(namespace, name, { headless: true });
    await this.#apply(service, workload("StatefulSet", namespace, name, app));
    await this.#untilRolledOut(namespace, `statefulset/${name}`);
  }

  async createPod(namespace: string, name: string): Promise<void> {
    const metadata = { name, namespace, labels: { app: name } };
    await this.#apply({ apiVersion: "v1", kind: "Pod", metadata, spec: podSpec({}) });
    await this.#untilReady(namespace, name, true);
  }

  async podsOf(namespace: string, app: string): Promise<readonly PodFacts[]> {
    const text = await this.#in(namespace, "get", "pods", "-l", `app=${app}`, "-o", "json");
    const { items } = JSON.parse(text) as { items: readonly PodJson[] };
    return items.map(podFacts).toSorted((a, b) => a.name.localeCompare(b.name));
  }

  async podNames(namespace: string): Promise<readonly string[]> {
    const text = await this.#in(namespace, "get", "pods", "-o", "jsonpath={.items[*].metadata.name}");
    return text.split(" ");
  }

  async deletePod(namespace: string, pod: string, how: { readonly force?: boolean } = {}): Promise<void> {
    const force = how.force ? ["--force", "--grace-period=0"] : [];
    await this.#in(namespace, "delete", "pod", pod, "--wait=false", ...force);
  }

  async deleteAllPods(namespace: string): Promise<void> {
    await this.#in(namespace, "delete", "pods", "--all", "--wait=false");
  }

  async scale(namespace: string, deployment: string, replicas: number): Promise<void> {
    await this.#in(namespace, "scale", `deployment/${deployment}`, `--replicas=${replicas}`);
  }

  async rollout(namespace: string, deployment: string, app: AppSpec): Promise<void> {
    const object = workload("Deployment", namespace, deployment, app);
    const restarted = { "kfwd-e2e/restarted": randomBytes(4).toString("hex") };
    Object.assign(object.spec.template.metadata, { annotations: restarted });
    await this.#apply(object);
    await this.#untilRolledOut(namespace, `deployment/${deployment}`);
  }

  async createService(namespace: string, name: string, service: ServiceSpec): Promise<void> {
    await this.#apply(serviceObject(namespace, name, service));
  }

  async createSlice(namespace: string, service: string, { port, pod }: SliceSpec): Promise<void> {
    const targetRef = pod === undefined ? {} : { targetRef: { kind: "Pod", name: pod, namespace } };
    await this.#apply({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: `${service}-manual`,
        namespace,
        labels: { "kubernetes.io/service-name": service },
      },
      addressType: "IPv4",
      ports: [{ ...port, protocol: "TCP" }],
      endpoints: [{ addresses: [OUTSIDE_ADDRESS], ...targetRef }],
    });
  }

  async updateService(namespace: string, name: string, service: ServiceSpec): Promise<void> {
    await this.#kubectl("replace", serviceObject(namespace, name, service));
  }

  async deleteService(namespace: string, name: string): Promise<void> {
    await this.#in(namespace, "delete", "service", name);
  }

  async setReady(namespace: string, pod: string, ready: boolean): Promise<void> {
    await this.#order(namespace, pod, ready ? "ready" : "unready");
    await this.#untilReady(namespace, pod, ready);
  }

  async setListening(namespace: string, pod: string, port: number, listening: boolean): Promise<void> {
    await this.#order(namespace, pod, `${listening ? "listen" : "deafen"}/${port}`);
  }

  async restartContainer(namespace: string, pod: string): Promise<void> {
    await this.#order(namespace, pod, "exit");
  }

  async watchPods(namespace: string): Promise<PodHistory> {
    const path = `/api/v1/namespaces/${namespace}/pods?watch=true&timeoutSeconds=600`;
    const child = spawn("kubectl", ["--kubeconfig", this.#admin, "get", "--raw", path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const moments: PodMoment[] = [];
    const lines = createInterface(child.stdout);
    lines.on("line", (line) => {
      const { type, object } = JSON.parse(line) as { type: string; object: PodJson };
      const { name, ready, deleting } = podFacts(object);
      const serving = type !== "DELETED" && ready && !deleting;
      moments.push({ atMs: performance.now(), name, serving });
    });
    await once(lines, "line"); // a watch without a version begins with what there is
    return {
      moments,
      [Symbol.asyncDispose]: async () => {
        const closed = once(child, "close");
        child.kill();
        await closed;
      },
    };
  }

  /** Resolves when the namespaces are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
    await kubectl(this.#admin, "delete", "namespace", "--ignore-not-found", ...this.#namespaces);
    await rm(this.#folder, { recursive: true });
  }

  #path(name: string): string {
    return join(this.#folder, `${name}.kubeconfig`);
  }

  /** A service account of the namespace, and a kubeconfig with its token, for another server if so. */
  async #writeUser(namespace: string, name: string, server?: string): Promise<string> {
    await this.#in(namespace, "create", "serviceaccount", name);
    const token = (await this.#in(namespace, "create", "token", name, "--duration=1h")).trim();
    const users = this.#config.users.map((user) => ({ name: user.name, user: { token } }));
    const [cluster] = this.#config.clusters;
    const clusters =
      server === undefined ? this.#config.clusters : [{ name: cluster?.name, cluster: { server } }];
    const path = this.#path(name);
    await writeFile(path, JSON.stringify({ ...this.#config, users, clusters }), { mode: 0o600 });
    return path;
  }

  async #untilAllowed(
    kubeconfig: string,
    namespace: string,
    { verbs, resources, apiGroups }: RoleObject["rules"][number],
  ): Promise<void> {
    const untilMs = Date.now() + 30_000;
    const [plural = "", subresource] = (resources[0] ?? "").split("/");
    const resource = apiGroups[0] ? `${plural}.${apiGroups[0]}` : plural;
    const part = subresource === undefined ? [] : [`--subresource=${subresource}`];
    for (;;) {
      try {
        const verb = verbs[0] ?? "";
        await kubectl(kubeconfig, "-n", namespace, "auth", "can-i", verb, resource, "-q", ...part);
        return;
      } catch (thrown) {
        if (Date.now() > untilMs) throw thrown;
      }
    }
  }

  #in(namespace: string, ...args: readonly string[]): Promise<string> {
    return kubectl(this.#admin, "-n", namespace, ...args);
  }

  #apply(...objects: readonly object[]): Promise<string> {
    return this.#kubectl("apply", ...objects);
  }

  #kubectl(verb: "apply" | "replace", ...objects: readonly object[]): Promise<string> {
    const list = { apiVersion: "v1", kind: "List", items: objects };
    return run(["--kubeconfig", this.#admin, verb, "-f", "-"], JSON.stringify(list));
  }

  /** Sends an order to the app of a pod, by way of the API server. */
  async #order(namespace: string, pod: string, order: string): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/pods/${pod}:${CONTROL_PORT}/proxy/${order}`;
    await kubectl(this.#admin, "get", "--raw", path);
  }

  async #untilRolledOut(namespace: string, workload: string): Promise<void> {
    await this.#in(namespace, "rollout", "status", workload, `--timeout=${READY_TIMEOUT}`);
  }

  async #untilReady(namespace: string, pod: string, ready: boolean): Promise<void> {
    const condition = `--for=condition=Ready=${ready}`;
    await this.#in(namespace, "wait", `pod/${pod}`, condition, `--timeout=${READY_TIMEOUT}`);
  }
}

/** Runs kubectl to its end; resolves with what it printed. */
function kubectl(kubeconfig: string, ...args: readonly string[]): Promise<string> {
  return run(["--kubeconfig", kubeconfig, ...args], "");
}

/** In these words kubectl says that it never got as far as asking: a test may be what keeps the API server from answering. */
const UNASKED = /TLS handshake timeout|connection refused|dial tcp .*i\/o timeout/;

/** How long somebody may keep it from answering, and how often it is tried. */
const UNASKED_MS = 60_000;
const AGAIN_MS = 500;

async function run(args: readonly string[], input: string): Promise<string> {
  const giveUpMs = performance.now() + UNASKED_MS;
  for (;;) {
    const { status, stdout, stderr } = await runOnce(args, input);
    if (status === 0) return stdout;
    if (!UNASKED.test(stderr) || performance.now() > giveUpMs)
      throw new Error(`kubectl ${args.slice(2).join(" ")}: exit ${status}\n${stderr}`);
    await setTimeout(AGAIN_MS);
  }
}

async function runOnce(
  args: readonly string[],
  input: string,
): Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn("kubectl", args, { stdio: ["pipe", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.end(input);
  const [status] = (await once(child, "close")) as [number | null];
  return { status, stdout, stderr };
}

function podFacts({ metadata, status }: PodJson): PodFacts {
  return {
    name: metadata.name,
    uid: metadata.uid,
    ready: status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false,
    deleting: metadata.deletionTimestamp !== undefined,
    ip: status.podIP ?? "",
  };
}

function workload(kind: "Deployment" | "StatefulSet", namespace: string, name: string, app: AppSpec) {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name, namespace, labels },
    spec: {
      replicas: app.replicas ?? 1,
      selector: { matchLabels: labels },
      ...(kind === "StatefulSet" ? { serviceName: name, podManagementPolicy: "Parallel" } : {}),
      template: { metadata: { labels }, spec: podSpec(app) },
    },
  };
}

function podSpec({ httpPort = 8080, lingerMs = 0, crashing = false }: AppSpec) {
  return {
    terminationGracePeriodSeconds: 2 + Math.ceil(lingerMs / 1000),
    dnsPolicy: "Default",
    automountServiceAccountToken: false,
    containers: [
      {
        name: "app",
        image: IMAGE,
        imagePullPolicy: "IfNotPresent",
        command: ["node", "--input-type=module", "-e", crashing ? "process.exit(1)" : PROGRAM],
        env: [
          { name: "KFWD_PUPPET", value: "listen" },
          { name: "KFWD_PUPPET_LINGER_MS", value: String(lingerMs) },
        ],
        ports: [{ name: "http", containerPort: httpPort }],
        readinessProbe: {
          httpGet: { path: "/readyz", port: CONTROL_PORT },
          periodSeconds: 1,
          failureThreshold: 1,
          timeoutSeconds: 5,
        },
      },
    ],
  };
}

function serviceObject(namespace: string, name: string, service: ServiceSpec) {
  const { selects = name, ports = APP_SERVICE_PORTS, headless, externalName, annotations = {} } = service;
  const spec =
    externalName === undefined
      ? { selector: selects === null ? null : { app: selects }, ...(headless ? { clusterIP: "None" } : {}) }
      : { type: "ExternalName", externalName };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace, annotations },
    spec: { ...spec, ports },
  };
}
