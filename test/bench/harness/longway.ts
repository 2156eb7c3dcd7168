/** The same cluster, further away. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Kubeconfig } from "./cluster.ts";
import { endPuppet, startPuppet } from "./puppet.ts";

/** In the certificate of every API server that is reached by address. */
const NAME_IN_EVERY_CERTIFICATE = "kubernetes";

/** A proxy that delays all traffic with the API server, and the kubeconfig that goes through it. */
export class LongWay implements AsyncDisposable {
  /** Path of the kubeconfig. */
  readonly kubeconfig: string;
  readonly #proxy: ChildProcess;

  static async open(folder: string, direct: Kubeconfig, rttMs: number): Promise<LongWay> {
    const { cluster } = direct.clusters[0];
    const server = new URL(cluster.server);
    const host = server.hostname.replace(/^\[|\]$/g, "");
    const proxy = await startPuppet(folder, "delayproxy", [host, server.port || "443", String(rttMs / 2)]);
    const [port] = (await once(proxy, "message")) as [number];
    const name = cluster["tls-server-name"] ?? (isIP(host) ? NAME_IN_EVERY_CERTIFICATE : host);
    server.host = `127.0.0.1:${port}`;
    const [entry] = direct.clusters;
    const delayed = { ...entry.cluster, server: server.href.replace(/\/$/, ""), "tls-server-name": name };
    const kubeconfig = join(folder, `rtt${rttMs}.kubeconfig`);
    const text = JSON.stringify({ ...direct, clusters: [{ ...entry, cluster: delayed }] });
    writeFileSync(kubeconfig, text, { mode: 0o600 });
    return new LongWay(kubeconfig, proxy);
  }

  private constructor(kubeconfig: string, proxy: ChildProcess) {
    this.kubeconfig = kubeconfig;
    this.#proxy = proxy;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return endPuppet(this.#proxy);
  }
}
