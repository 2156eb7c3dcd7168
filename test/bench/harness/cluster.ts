/** The cluster that the bench runs on, and its namespace there. */
import { randomBytes } from "node:crypto";
import type { Cleanup } from "./cleanup.ts";
import { execute } from "./execute.ts";
import { deployment, manifests } from "./manifests.ts";

const PUBLIC_IMAGE = "docker.io/library/node:24-alpine";

/** Put there by whoever has no registry at hand. */
const LOCAL_IMAGE = "local/node:1";

/** Pulling the image included. */
const READY_WITHIN = "180s";
const GONE_WITHIN = "90s";

/** `kubectl` on one cluster, and the namespace that is made for the bench. */
export class BenchCluster {
  readonly namespace = `kfwd-bench-${randomBytes(4).toString("hex")}`;
  readonly #cleanup: Cleanup;
  readonly #env: NodeJS.ProcessEnv;
  #program = "";
  #image = "";

  /** `env` names the kubeconfig. */
  constructor(cleanup: Cleanup, env: NodeJS.ProcessEnv) {
    this.#cleanup = cleanup;
    this.#env = env;
  }

  /** Of the pods, once they are there; it has Node. */
  get image(): string {
    return this.#image;
  }

  /** Versions as they name themselves. @throws Error when there is no kubectl, or no cluster that answers. */
  async versions(): Promise<{ kubectl: string; server: string }> {
    const text = await this.kubectl(["version", "--output=json", "--request-timeout=10s"]);
    const { clientVersion, serverVersion } = JSON.parse(text) as Record<string, { gitVersion: string }>;
    return { kubectl: clientVersion?.gitVersion ?? "?", server: serverVersion?.gitVersion ?? "?" };
  }

  /** The current context's kubeconfig, complete in itself. */
  async kubeconfig(): Promise<Kubeconfig> {
    return JSON.parse(
      await this.kubectl(["config", "view", "--minify", "--flatten", "--raw", "--output=json"]),
    ) as Kubeconfig;
  }

  /** Makes the namespace with everything in it, and sees to its removal. Resolves when all pods are ready. */
  async deploy(program: string): Promise<void> {
    this.#cleanup.own({ [Symbol.asyncDispose]: () => this.#remove() });
    await this.kubectl(["create", "namespace", this.namespace]);
    this.#program = program;
    this.#image = process.env["KFWD_E2E_IMAGE"] ?? (await this.#presentImage());
    await this.kubectl(
      ["apply", "--namespace", this.namespace, "--filename=-"],
      JSON.stringify(manifests(this.#image, program)),
    );
    const ready = ["--for=condition=Ready", `--timeout=${READY_WITHIN}`];
    await this.kubectl(["wait", "pod", "--all", "--namespace", this.namespace, ...ready]);
  }

  /** A Deployment of the same program, and its Service. Resolves when it is there. */
  async deployApp(name: string, replicas: number): Promise<void> {
    const objects = deployment(name, replicas, this.#image, this.#program);
    await this.kubectl(["apply", ...this.in(), "--filename=-"], JSON.stringify(objects));
    await this.kubectl([
      "rollout",
      "status",
      ...this.in(),
      `deployment/${name}`,
      `--timeout=${READY_WITHIN}`,
    ]);
  }

  /** Arguments of kubectl that lead to the bench's namespace. */
  in(): readonly string[] {
    return ["--namespace", this.namespace];
  }

  kubectl(args: readonly string[], input = ""): Promise<string> {
    return execute("kubectl", args, { cleanup: this.#cleanup, env: this.#env, input });
  }

  async #presentImage(): Promise<string> {
    const images = await this.kubectl([
      "get",
      "nodes",
      "--output=jsonpath={.items[*].status.images[*].names}",
    ]);
    return images.includes(`/${LOCAL_IMAGE}"`) ? LOCAL_IMAGE : PUBLIC_IMAGE;
  }

  /** Not owned by the cleanup that calls it, so that nothing cuts it short. */
  async #remove(): Promise<void> {
    const args = ["delete", "namespace", this.namespace, "--ignore-not-found", `--timeout=${GONE_WITHIN}`];
    await execute("kubectl", args, { env: this.#env });
  }
}

/** As far as the bench changes it. */
export interface Kubeconfig {
  readonly clusters: readonly [
    { readonly cluster: { readonly server: string; readonly "tls-server-name"?: string } },
  ];
}
