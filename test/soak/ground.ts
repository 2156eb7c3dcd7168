import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { ClusterWorld } from "../behaviour/clusterworld.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import type { PodFacts, World } from "../behaviour/world.ts";
import { ledger } from "../puppets/app.mjs";
import { FaultProxy, kubeconfigThrough, serverOf } from "../rig/faultproxy.ts";
import { Project } from "../rig/project.ts";
import type { AppRecord } from "./history.ts";

/** For what a cluster takes its time for: a pod that starts on a busy machine. */
const PODS_PATIENCE_MS = 120_000;

const LOOK_MS = 100;

/** The apps of a run and how many pods each has. */
export const REPLICAS: Readonly<Record<string, number>> = { web: 2, db: 1 };

/** Where a run takes place: a cluster with the apps, behind a proxy that does what networks do. */
export class Ground implements AsyncDisposable {
  readonly world: World;
  readonly namespace: string;
  readonly proxy: FaultProxy;
  readonly project: Project;

  private constructor(world: World, namespace: string, proxy: FaultProxy, project: Project) {
    this.world = world;
    this.namespace = namespace;
    this.proxy = proxy;
    this.project = project;
  }

  /** The apps are ready; forwards.yaml is written, and nothing is up. */
  static async lay(where: "sandbox" | "cluster", seed: number): Promise<Ground> {
    const world = where === "sandbox" ? await SandboxWorld.start() : await ClusterWorld.start();
    try {
      const namespace = await world.newNamespace();
      await world.deploy(namespace, "ledger"); // first: the others find it by what their environment says
      await Promise.all([
        world.deploy(namespace, "web", { replicas: REPLICAS["web"] ?? 1 }),
        world.statefulSet(namespace, "db"),
      ]);
      const direct = await flatKubeconfig(world.kubeconfig("admin"));
      const proxy = await FaultProxy.start({ ...serverOf(direct), seed });
      const project = await Project.create({ file: fileOf(namespace) });
      project.env["KUBECONFIG"] = `${project.root}/through-proxy.kubeconfig`;
      await writeFile(project.env["KUBECONFIG"], kubeconfigThrough(direct, proxy.port));
      await chmod(project.env["KUBECONFIG"], 0o600);
      return new Ground(world, namespace, proxy, project);
    } catch (thrown) {
      await world[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** What the apps have heard. */
  async ledger(): Promise<readonly AppRecord[]> {
    const lines = this.world instanceof SandboxWorld ? ledger : await this.#ledgerOfPod();
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as AppRecord);
  }

  pods(app: string): Promise<readonly PodFacts[]> {
    return this.world.podsOf(this.namespace, app);
  }

  /** Resolves when as many pods of the app are ready as there should be, and no other is left. */
  async untilWell(app: string): Promise<void> {
    const untilMs = performance.now() + PODS_PATIENCE_MS;
    for (;;) {
      const pods = await this.pods(app);
      if (pods.length === REPLICAS[app] && pods.every(({ ready, deleting }) => ready && !deleting)) return;
      if (performance.now() > untilMs) throw new Error(`pods of ${app}: ${JSON.stringify(pods)}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.project[Symbol.asyncDispose]();
    await this.proxy[Symbol.asyncDispose]();
    await this.world[Symbol.asyncDispose]();
  }

  async #ledgerOfPod(): Promise<readonly string[]> {
    const [pod] = await this.pods("ledger");
    const path = `/api/v1/namespaces/${this.namespace}/pods/${pod?.name}:7099/proxy/ledger`;
    return (await kubectl("--kubeconfig", this.world.kubeconfig("admin"), "get", "--raw", path)).split("\n");
  }
}

/** JSON, whatever it was. */
async function flatKubeconfig(path: string): Promise<string> {
  const text = await readFile(path, "utf8");
  if (text.startsWith("{")) return text;
  return kubectl("--kubeconfig", path, "config", "view", "--raw", "--minify", "--flatten", "-o", "json");
}

async function kubectl(...args: readonly string[]): Promise<string> {
  const child = spawn("kubectl", args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`kubectl ${args.slice(2, 5).join(" ")} ended with ${status}`);
  return text;
}

/** Every kind of target, two replicas and one, apps that wait to be spoken to and one that speaks first. */
function fileOf(namespace: string): string {
  const local = "auto";
  const forwards = {
    "web-talk": { target: "svc/web", port: 7011, local },
    "web-echo": { target: "deploy/web", port: 7000, local },
    "web-greet": { target: { selector: { app: "web" } }, port: 7001, local },
    "db-talk": { target: "sts/db", port: 7011, local },
    "db-greet": { target: "svc/db", port: 7001, local },
  };
  return JSON.stringify({ version: 1, namespace, forwards }, null, 2);
}
