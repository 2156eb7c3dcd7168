import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Controllers } from "./controllers.ts";
import { isReady, type Pod } from "./objects.ts";
import { Pods } from "./pods.ts";
import { Pulse } from "./pulse.ts";
import { Store } from "./store.ts";
import { Timers } from "./timers.ts";
import { Workbench } from "./workbench.ts";

let timers: Timers;
let pulse: Pulse;
let store: Store;
let pods: Pods;
let cluster: Workbench;

beforeEach(() => {
  timers = new Timers();
  pulse = new Pulse(timers);
  store = new Store();
  store.subscribe(() => pulse.touch());
  pods = new Pods(store, timers, pulse);
  cluster = new Workbench(store, pods, new Controllers(store, pods));
});

afterEach(async () => {
  pulse[Symbol.dispose]();
  timers[Symbol.dispose]();
  await pods[Symbol.asyncDispose]();
});

const quick = { startMs: 1, readyMs: 1, stopMs: 1 };

/** The pods of `api`, once there are so many and all of them are ready. */
function settled(count: number): Promise<readonly Pod[]> {
  return pulse.until(() => {
    const all = cluster.list("shop", { app: "api" });
    return all.length === count && all.every(isReady) && all;
  }, 5000);
}

function names(all: readonly Pod[]): string[] {
  return all.map(({ metadata }) => metadata.name);
}

/** The highest and lowest number of ready pods seen from now on, and the highest number of pods not asked to end. */
function watchCounts(): { most: number; leastReady: number } {
  const seen = { most: 0, leastReady: Infinity };
  store.subscribe(({ resource }) => {
    if (resource.kind !== "Pod") return;
    const all = cluster.list("shop", { app: "api" });
    seen.most = Math.max(seen.most, all.filter((pod) => pod.metadata.deletionTimestamp === undefined).length);
    seen.leastReady = Math.min(seen.leastReady, all.filter(isReady).length);
  });
  return seen;
}

describe("a Deployment", () => {
  test("has its pods named as a ReplicaSet names them, owned and labelled by it", async () => {
    cluster.createDeployment("shop", { name: "api", replicas: 2, ...quick });
    const [pod] = await settled(2);
    const [set] = store.list("ReplicaSet", "shop");
    const hash = set?.metadata.labels?.["pod-template-hash"];
    expect(set?.metadata.name).toBe(`api-${hash}`);
    expect(pod?.metadata.name).toMatch(new RegExp(`^api-${hash}-[a-z0-9]{5}$`));
    expect(pod?.metadata.labels).toEqual({ app: "api", "pod-template-hash": hash });
    expect(pod?.metadata.ownerReferences?.[0]).toMatchObject({ kind: "ReplicaSet", uid: set?.metadata.uid });
    expect(set?.metadata.ownerReferences?.[0]).toMatchObject({ kind: "Deployment", name: "api" });
    expect(store.get("Deployment", "shop", "api")?.status).toEqual({
      replicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
    });
  });

  test("replaces a deleted pod by one of another name", async () => {
    cluster.createDeployment("shop", { name: "api", ...quick });
    const [before] = names(await settled(1));
    pods.delete("shop", before!);
    const after = await pulse.until(() => names(cluster.list("shop")).find((name) => name !== before), 5000);
    expect(after).not.toBe(before);
    expect(names(await settled(1))).toEqual([after]);
  });

  test("is scaled to none and back", async () => {
    cluster.createDeployment("shop", { name: "api", replicas: 3, ...quick });
    await settled(3);
    cluster.scale("shop", "api", 0);
    await settled(0);
    cluster.scale("shop", "api", 2);
    await settled(2);
  });

  test("scaled down loses pods that are not ready first", async () => {
    cluster.createDeployment("shop", { name: "api", replicas: 3, ...quick });
    const [, unready] = names(await settled(3));
    pods.setReady("shop", unready!, false);
    cluster.scale("shop", "api", 2);
    expect(names(await settled(2))).not.toContain(unready);
  });

  test("is rolled out one by one: never fewer ready than wanted, never more than one too many", async () => {
    cluster.createDeployment("shop", { name: "api", replicas: 3, ...quick });
    const before = names(await settled(3));
    const seen = watchCounts();
    cluster.rollout("shop", "api", { ports: [{ name: "http", port: 9090 }] });
    const after = await pulse.until(() => {
      const all = cluster.list("shop", { app: "api" });
      return (
        all.length === 3 && all.every((pod) => isReady(pod) && !before.includes(pod.metadata.name)) && all
      );
    }, 5000);
    expect(seen).toEqual({ most: 4, leastReady: 3 });
    expect(after[0]?.spec.containers[0]?.ports).toEqual([
      { name: "http", containerPort: 9090, protocol: "TCP" },
    ]);
  });

  test("that is rolled out while a rollout is under way ends with the last template", async () => {
    cluster.createDeployment("shop", { name: "api", replicas: 2, ...quick });
    await settled(2);
    cluster.rollout("shop", "api", { image: "two" });
    cluster.rollout("shop", "api", { image: "three" });
    await pulse.until(() => {
      const images = cluster.list("shop").map((pod) => isReady(pod) && pod.spec.containers[0]?.image);
      return images.length === 2 && images.every((image) => image === "three");
    }, 5000);
  });

  test("takes its pods along when it is deleted", async () => {
    cluster.createDeployment("shop", { name: "api", replicas: 2, ...quick });
    await settled(2);
    cluster.deleteWorkload("Deployment", "shop", "api");
    await pulse.until(() => cluster.list("shop").length === 0, 5000);
    expect(store.list("ReplicaSet", "shop")).toEqual([]);
  });
});

describe("a StatefulSet", () => {
  test("numbers its pods and starts each when the one before it is ready", async () => {
    const order: string[] = [];
    store.subscribe(({ object, type }) => {
      if (object.kind === "Pod" && type === "ADDED") order.push(object.metadata.name);
      if (object.kind === "Pod" && type === "MODIFIED" && isReady(object))
        order.push(`${object.metadata.name} ready`);
    });
    cluster.createWorkload("StatefulSet", "shop", { name: "api", replicas: 2, ...quick });
    await settled(2);
    expect(order).toEqual(["api-0", "api-0 ready", "api-1", "api-1 ready"]);
  });

  test("replaces a pod by one of the same name and another identity", async () => {
    cluster.createWorkload("StatefulSet", "shop", { name: "api", replicas: 2, ...quick });
    const [first] = await settled(2);
    pods.delete("shop", "api-0");
    const replaced = await pulse.until(
      () =>
        cluster.list("shop").find((pod) => isReady(pod) && pod.metadata.name === "api-0" && pod !== first),
      5000,
    );
    expect(replaced.metadata.uid).not.toBe(first?.metadata.uid);
  });

  test("is rolled out from the highest number down, one at a time", async () => {
    cluster.createWorkload("StatefulSet", "shop", { name: "api", replicas: 3, ...quick });
    await settled(3);
    const gone: string[] = [];
    store.subscribe(({ object, type }) => type === "DELETED" && gone.push(object.metadata.name));
    cluster.rollout("shop", "api", { image: "two" }, "StatefulSet");
    await pulse.until(
      () =>
        cluster.list("shop").filter((p) => isReady(p) && p.spec.containers[0]?.image === "two").length === 3,
      5000,
    );
    expect(gone).toEqual(["api-2", "api-1", "api-0"]);
  });

  test("scaled down loses the highest numbers", async () => {
    cluster.createWorkload("StatefulSet", "shop", { name: "api", replicas: 3, ...quick });
    await settled(3);
    cluster.scale("shop", "api", 1, "StatefulSet");
    expect(names(await settled(1))).toEqual(["api-0"]);
  });
});

test("a DaemonSet has one pod for the one node, and its old one goes before the new one comes", async () => {
  cluster.createWorkload("DaemonSet", "shop", { name: "api", replicas: 5, ...quick });
  const [before] = names(await settled(1));
  const seen = watchCounts();
  cluster.rollout("shop", "api", { image: "two" }, "DaemonSet");
  await pulse.until(
    () => cluster.list("shop").some((pod) => isReady(pod) && pod.metadata.name !== before),
    5000,
  );
  expect(seen.most).toBe(1);
});

test("a Job has its pods, labelled with its name", async () => {
  cluster.createWorkload("Job", "shop", { name: "api", replicas: 2, ...quick });
  const [pod] = await settled(2);
  expect(pod?.metadata.labels).toMatchObject({ "job-name": "api" });
  expect(pod?.spec.restartPolicy).toBe("Never");
});
