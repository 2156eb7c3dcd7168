/** `kfwd demo`: the real CLI against a sandbox cluster, told step by step. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileTrouble } from "../errno.ts";
import { KfwdError } from "../errors.ts";
import { databaseApp, webApp } from "./apps.ts";
import { firstLine, httpGet, trafficWhile } from "./democlient.ts";
import { Sandbox } from "./sandbox.ts";

/** What the demo needs of its caller. */
export interface DemoRequest {
  /** Absolute path of the `kfwd` script. */
  readonly cli: string;
  readonly write: (line: string) => void;
  /** Ends the demo early, with everything it has started. */
  readonly signal: AbortSignal;
}

const NAMESPACE = "shop";

/** Resolves with the exit status: 0 when everything it shows was true. @throws the signal's reason. */
export async function runDemo(request: DemoRequest): Promise<number> {
  const folder = await makeFolder();
  try {
    return await runIn(folder, request);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runIn(folder: string, request: DemoRequest): Promise<number> {
  const sandbox = await Sandbox.start({ name: "kfwd-demo" });
  try {
    populate(sandbox);
    return await new Demo(request, sandbox, folder).run();
  } finally {
    await sandbox[Symbol.asyncDispose]();
  }
}

async function makeFolder(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), "kfwd-demo-"));
  } catch (thrown) {
    const message = `cannot make a folder in "${tmpdir()}": ${fileTrouble(thrown)}`;
    const hint = "name another folder for temporary files with TMPDIR";
    throw new KfwdError("RUNTIME_FOLDER", message, { hint, cause: thrown });
  }
}

/** Two services with a pod each, and a web front with two. */
function populate(sandbox: Sandbox): void {
  const { cluster } = sandbox;
  const http = [{ name: "http", port: 8080 }];
  for (const [name, replicas] of [
    ["web", 2],
    ["api", 1],
  ] as const) {
    cluster.createDeployment(NAMESPACE, {
      name,
      replicas,
      app: { 8080: webApp() },
      ports: http,
      startMs: 300,
    });
    cluster.createService(NAMESPACE, { name, ports: [{ name: "http", port: 80, targetPort: "http" }] });
  }
  cluster.createWorkload("StatefulSet", NAMESPACE, { name: "postgres", app: { 5432: databaseApp() } });
}

class Demo {
  readonly #request: DemoRequest;
  readonly #sandbox: Sandbox;
  readonly #folder: string;

  constructor(request: DemoRequest, sandbox: Sandbox, folder: string) {
    this.#request = request;
    this.#sandbox = sandbox;
    this.#folder = folder;
  }

  async run(): Promise<number> {
    const ports = await this.#prepare();
    this.#say(
      "A sandbox cluster runs in this process: an API server stand-in, and pods that are real local sockets.",
    );
    this.#say("A team checks in this forwards.yaml:\n");
    this.#indent(await readFile(join(this.#folder, "forwards.yaml"), "utf8"));
    try {
      await this.#kfwd(
        "brings every forward up in the background, and returns when all are ready",
        "up",
        "-d",
        "--wait",
      );
      await this.#tryEach(ports);
      await this.#replacePod(ports.api);
      await this.#kfwd("tells how they are, from any shell", "status");
    } finally {
      await this.#kfwd("stops them", "down");
    }
    this.#say("\nThat is all. Write a forwards.yaml for your own cluster and run `kfwd up`.");
    return 0;
  }

  /** The files of the project; the ports a team might agree on, or others where these are taken. */
  async #prepare(): Promise<{ readonly web: number; readonly api: number; readonly db: number }> {
    const [web, api, db] = await freePorts([8080, 8081, 5432]);
    const kubeconfig = join(this.#folder, "kubeconfig");
    await this.#sandbox.writeKubeconfig(kubeconfig, "admin", NAMESPACE);
    const lines = [
      "name: shop",
      "forwards:",
      `  web: "${web}:svc/web:http"`,
      `  api: "${api}:svc/api:http"`,
      `  db: { target: sts/postgres, port: 5432, local: ${db}, description: Orders database }`,
    ];
    await writeFile(join(this.#folder, "forwards.yaml"), `${lines.join("\n")}\n`);
    return { web, api, db };
  }

  async #tryEach(ports: { readonly web: number; readonly api: number; readonly db: number }): Promise<void> {
    this.#say("\nA request through each forward:\n");
    for (const port of [ports.web, ports.api]) {
      this.#indent(`GET http://localhost:${port}/  ->  ${await httpGet(port)}`);
    }
    this.#indent(
      `connect localhost:${ports.db}      ->  ${await firstLine(ports.db)}   (a server that speaks first)`,
    );
  }

  async #replacePod(port: number): Promise<void> {
    const [pod] = this.#sandbox.cluster.list(NAMESPACE, { app: "api" });
    if (!pod) throw new KfwdError("INTERNAL", "the demo's pod is not there");
    const { name } = pod.metadata;
    this.#say(`\nThe only pod of api, ${name}, is deleted while requests go on:\n`);
    const seen = await trafficWhile(
      port,
      () => this.#sandbox.pods.delete(NAMESPACE, name),
      this.#request.signal,
    );
    const pods = [...seen.pods].join(", then ");
    this.#indent(`${seen.answered} requests answered, ${seen.failed} failed; answered by ${pods}`);
    this.#indent(`the slowest one waited ${Math.round(seen.slowestMs)} ms, for the new pod to be ready`);
    if (seen.failed > 0) throw new KfwdError("FORWARD_FAILED", `${seen.failed} requests of the demo failed`);
  }

  /** Runs one command of the real CLI, and shows what it prints. */
  async #kfwd(does: string, ...args: string[]): Promise<void> {
    this.#say(`\n$ kfwd ${args.join(" ")}     # ${does}\n`);
    const child = spawn(process.execPath, [this.#request.cli, ...args], {
      cwd: this.#folder,
      env: { ...process.env, ...this.#ownPlaces(), KFWD_FILE: "", KFWD_PROJECT: "" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => this.#indent(text));
    }
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    this.#request.signal.throwIfAborted();
    if (status !== 0)
      throw new KfwdError("FORWARD_FAILED", `kfwd ${args.join(" ")} ended with ${status ?? "a signal"}`);
  }

  /** Nothing of the user's is touched, and nothing is left. */
  #ownPlaces(): Record<string, string> {
    return {
      KUBECONFIG: join(this.#folder, "kubeconfig"),
      KFWD_RUNTIME_DIR: join(this.#folder, "run"),
      XDG_STATE_HOME: join(this.#folder, "state"),
    };
  }

  #say(text: string): void {
    this.#request.write(text);
  }

  #indent(text: string): void {
    this.#request.write(text.trimEnd().replaceAll(/^/gm, "    "));
  }
}

/** Each wanted port if nobody has it, else one that the system gives. */
async function freePorts<const T extends readonly number[]>(wanted: T): Promise<{ [K in keyof T]: number }>;
async function freePorts(wanted: readonly number[]): Promise<readonly number[]> {
  return Promise.all(wanted.map(async (port) => ((await isFree(port)) ? port : freePort())));
}

async function isFree(port: number): Promise<boolean> {
  return (await Promise.all(["127.0.0.1", "::1"].map((host) => bindable(port, host)))).every(
    (bound) => bound !== "taken",
  );
}

async function freePort(): Promise<number> {
  const bound = await bindable(0, "127.0.0.1");
  return bound === "taken" ? 0 : bound;
}

/** The port that could be bound, `taken` if somebody else has it; a missing address family takes nothing. */
function bindable(port: number, host: string): Promise<number | "taken"> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "EADDRINUSE" ? "taken" : port),
    );
    server.listen({ port, host, exclusive: true }, () => {
      const address: AddressInfo | string | null = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : port));
    });
  });
}
