/** What every row has at hand. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle } from "./bundle.ts";
import type { Cleanup } from "./cleanup.ts";
import { BenchCluster } from "./cluster.ts";
import { FaultWay } from "./faultway.ts";
import { LongWay } from "./longway.ts";
import { Client } from "./puppet.ts";

const REPOSITORY = join(import.meta.dirname, "..", "..", "..");

/** Round trip to an API server far away. */
export const LONG_RTT_MS = 50;

export interface BenchOptions {
  readonly kubeconfig: string;
  readonly rounds: number;
  /** Where kfwd's CPU profiles go, if anywhere. */
  readonly profiles: string | undefined;
}

/** The cluster with the pods that answer, the client, and a place for files; all of it ends with the cleanup. */
export class Bench {
  readonly cleanup: Cleanup;
  readonly cluster: BenchCluster;
  readonly client: Client;
  readonly folder: string;
  /** How often each contestant has its turn, at least. */
  readonly rounds: number;
  /** For kubectl and kfwd alike: their files go to the bench's folder. */
  readonly env: NodeJS.ProcessEnv;
  readonly #profiles: string | undefined;
  #longWay: Promise<LongWay> | undefined;

  static async open(cleanup: Cleanup, options: BenchOptions): Promise<Bench> {
    const folder = mkdtempSync(join(tmpdir(), "kfwd-bench-"));
    cleanup.own({ [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }) });
    const env = {
      ...process.env,
      KUBECONFIG: options.kubeconfig,
      KFWD_TRUST: "1", // the file is the bench's own
      KUBECACHEDIR: join(folder, "kubectl"),
      KFWD_RUNTIME_DIR: join(folder, "run"),
      XDG_STATE_HOME: join(folder, "state"),
      XDG_CACHE_HOME: join(folder, "cache"),
    };
    // A copy, so that a build in the meantime changes nothing.
    for (const part of ["bin", "dist", "package.json"]) {
      cpSync(join(REPOSITORY, part), join(folder, "kfwd", part), { recursive: true });
    }
    const client = cleanup.own(await Client.start(folder));
    return new Bench(cleanup, new BenchCluster(cleanup, env), client, folder, env, options);
  }

  private constructor(
    cleanup: Cleanup,
    cluster: BenchCluster,
    client: Client,
    folder: string,
    env: NodeJS.ProcessEnv,
    { rounds, profiles }: BenchOptions,
  ) {
    this.cleanup = cleanup;
    this.cluster = cluster;
    this.client = client;
    this.folder = folder;
    this.env = env;
    this.rounds = rounds;
    this.#profiles = profiles;
  }

  async deploy(): Promise<void> {
    await this.cluster.deploy(await bundle("podapp"));
  }

  /** Arguments for Node that run kfwd with these. */
  kfwd(args: readonly string[]): string[] {
    const profiling = this.#profiles ? ["--cpu-prof", `--cpu-prof-dir=${this.#profiles}`] : [];
    return [...profiling, join(this.folder, "kfwd", "bin", "kfwd.js"), ...args];
  }

  /** The environment in which the API server is {@link LONG_RTT_MS} away. */
  async longWayEnv(): Promise<NodeJS.ProcessEnv> {
    this.#longWay ??= this.#openLongWay();
    return { ...this.env, KUBECONFIG: (await this.#longWay).kubeconfig };
  }

  /** A way to the API server that things can be done to; the caller disposes of it. */
  async faultWay(): Promise<FaultWay> {
    const direct = JSON.stringify(await this.cluster.kubeconfig());
    return this.cleanup.own(await FaultWay.open(this.folder, direct));
  }

  async #openLongWay(): Promise<LongWay> {
    const direct = await this.cluster.kubeconfig();
    return this.cleanup.own(await LongWay.open(this.folder, direct, LONG_RTT_MS));
  }
}
