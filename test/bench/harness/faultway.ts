/** The same cluster, by a way that things can be done to. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FaultProxy, kubeconfigThrough, serverOf } from "../../rig/faultproxy.ts";

/** A fault proxy, and the kubeconfig that goes through it. */
export class FaultWay implements AsyncDisposable {
  readonly proxy: FaultProxy;
  /** Path of the kubeconfig. */
  readonly kubeconfig: string;

  /** `direct`: a kubeconfig of one cluster, as JSON. */
  static async open(folder: string, direct: string): Promise<FaultWay> {
    const proxy = await FaultProxy.start(serverOf(direct));
    const kubeconfig = join(folder, `fault${proxy.port}.kubeconfig`);
    writeFileSync(kubeconfig, kubeconfigThrough(direct, proxy.port), { mode: 0o600 });
    return new FaultWay(proxy, kubeconfig);
  }

  private constructor(proxy: FaultProxy, kubeconfig: string) {
    this.proxy = proxy;
    this.kubeconfig = kubeconfig;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.proxy[Symbol.asyncDispose]();
  }
}
