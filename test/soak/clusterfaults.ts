import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Ground } from "./ground.ts";
import { during, type Nemesis } from "./nemeses.ts";

/**
 * A program that does things to the cluster itself: `kill COMPONENT [SIGNAL]`, and `link drop|restore [node2]`, which loses
 * all packets to the API server, or cuts the second node off from the first.
 */
export const CLUSTER_VARIABLE = "KFWD_SOAK_CLUSTER";

/** What the API server takes to start. */
const STARTS_MS = 60_000;

const LOOK_MS = 200;

/** When a lost node is found, its pods' connections are dead: new ones must go to the other node's pod. */
const NODE_FOUND_MS = 16_000;

/** What goes wrong in a cluster that others should not be using. With two nodes, also the loss of one. */
export function clusterFaults(command: string, nodes: 1 | 2): readonly Nemesis[] {
  const cluster = (...args: readonly string[]): Promise<number> => run(command, args);
  const faults: Nemesis[] = [
    {
      name: "API server killed",
      kind: "network",
      act: async ({ ground, sleep }) => {
        await cluster("kill", "kube-apiserver");
        await untilServes(ground, sleep);
      },
    },
    {
      name: "API server hangs",
      kind: "network",
      act: async ({ ground, haste, sleep }) => {
        await cluster("kill", "kube-apiserver", "STOP");
        await sleep(12_000 / haste).finally(() => cluster("kill", "kube-apiserver", "CONT"));
        await untilServes(ground, sleep);
      },
    },
    {
      name: "packets to the API server lost",
      kind: "network",
      act: async ({ ground, haste, sleep, dark }) => {
        await cluster("link", "drop");
        const back = (): Promise<number> => cluster("link", "restore");
        await during(dark(NODE_FOUND_MS + 2_000), () => sleep(25_000 / haste).finally(back));
        await untilServes(ground, sleep);
      },
    },
  ];
  return nodes === 2 ? [...faults, lostNode(cluster)] : faults;
}

/**
 * Half of the pods are out of reach, and the API server thinks that they are ready for most of a minute. The clients that
 * come meanwhile show whether new connections have moved to the other node's pod in time.
 */
function lostNode(cluster: (...args: readonly string[]) => Promise<number>): Nemesis {
  return {
    name: "node lost",
    kind: "network",
    act: async ({ ground, sleep, served }) => {
      await cluster("link", "drop", "node2");
      await cluster("kill", "kubelet2", "STOP");
      try {
        await sleep(NODE_FOUND_MS);
        await served("web");
      } finally {
        await cluster("kill", "kubelet2", "CONT");
        await cluster("link", "restore", "node2");
      }
      await ground.untilWell("web");
      await ground.untilWell("db");
    },
  };
}

async function untilServes(ground: Ground, sleep: (ms: number) => Promise<void>): Promise<void> {
  const untilMs = performance.now() + STARTS_MS;
  for (;;) {
    try {
      await ground.pods("web");
      return;
    } catch (thrown) {
      if (performance.now() > untilMs) throw thrown;
      await sleep(LOOK_MS);
    }
  }
}

async function run(command: string, args: readonly string[]): Promise<number> {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}`);
  return status;
}
