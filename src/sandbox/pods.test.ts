import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { echoApp } from "./apps.ts";
import { isReady, type Pod } from "./objects.ts";
import type { PodHost } from "./podhost.ts";
import { Pods, type Program } from "./pods.ts";
import { Pulse } from "./pulse.ts";
import { Store } from "./store.ts";
import { Timers } from "./timers.ts";

let timers: Timers;
let pulse: Pulse;
let store: Store;
let pods: Pods;

beforeEach(() => {
  timers = new Timers();
  pulse = new Pulse(timers);
  store = new Store();
  store.subscribe(() => pulse.touch());
  pods = new Pods(store, timers, pulse);
});

afterEach(async () => {
  pulse[Symbol.dispose]();
  timers[Symbol.dispose]();
  await pods[Symbol.asyncDispose]();
});

function create(program: Partial<Program> = {}): Pod {
  const spec = {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    containers: [{ name: "main", image: "image" }],
  } as const;
  const pod = { name: "p", namespace: "shop", labels: { app: "p" }, spec };
  return pods.create(pod, { apps: { 7: echoApp() }, startMs: 1, ...program });
}

function pod(): Pod | undefined {
  return store.get("Pod", "shop", "p");
}

function until(look: (pod: Pod) => boolean): Promise<Pod> {
  return pulse.until(() => {
    const now = pod();
    return now !== undefined && look(now) && now;
  }, 5000);
}

async function ready(): Promise<PodHost> {
  await until(isReady);
  return pods.host("shop", "p")!;
}

async function dial(host: PodHost, port = 7): Promise<Socket> {
  const dialled = await host.dial(port);
  if (dialled.kind !== "open") throw new Error(dialled.kind);
  dialled.socket.on("error", () => {});
  return dialled.socket;
}

describe("a new pod", () => {
  test("is pending, then runs, then is ready", async () => {
    const stages: unknown[] = [];
    store.subscribe(
      ({ object }) => object.kind === "Pod" && stages.push([object.status.phase, isReady(object)]),
    );
    create({ readyMs: 1 });
    await ready();
    expect(stages).toEqual([
      ["Pending", false],
      ["Running", false],
      ["Running", true],
    ]);
  });

  test("cannot be reached before it runs", () => {
    create();
    expect(pods.host("shop", "p")).toBeUndefined();
  });

  test("says why it is not ready", () => {
    const { status } = create();
    expect(status.conditions.find(({ type }) => type === "Ready")).toMatchObject({
      status: "False",
      reason: "ContainersNotReady",
      message: "containers with unready status: [main]",
    });
    expect(status.containerStatuses[0]?.state).toEqual({ waiting: { reason: "ContainerCreating" } });
  });
});

describe("a running pod", () => {
  test("is real TCP on its ports and refuses others", async () => {
    create();
    const host = await ready();
    const socket = await dial(host);
    socket.write("hello");
    expect(String(await once(socket, "data"))).toBe("hello");
    expect(pods.sockets).toBe(1);
    socket.destroy();
    await pulse.until(() => pods.sockets === 0, 5000);
    expect((await host.dial(8)).kind).toBe("refused");
  });

  test("refuses while its program does not listen, keeps what is connected, and takes again", async () => {
    create();
    const host = await ready();
    const socket = await dial(host);
    await pods.setListening("shop", "p", 7, false);
    expect((await host.dial(7)).kind).toBe("refused");
    socket.write("still here");
    expect(String(await once(socket, "data"))).toBe("still here");
    await pods.setListening("shop", "p", 7, true);
    (await dial(host)).destroy();
    socket.destroy();
  });

  test("changes its readiness and nothing else", async () => {
    create();
    const host = await ready();
    const before = pod();
    pods.setReady("shop", "p", false);
    expect(isReady(pod()!)).toBe(false);
    expect(pod()?.status.phase).toBe("Running");
    pods.setReady("shop", "p", true);
    expect(isReady(pod()!)).toBe(true);
    expect(pods.host("shop", "p")).toBe(host);
    expect(pod()?.metadata.uid).toBe(before?.metadata.uid);
  });

  test("loses its connections with its container, and has the same identity when it is back", async () => {
    const { metadata } = create();
    const socket = await dial(await ready());
    pods.restart("shop", "p");
    await once(socket.resume(), "end");
    socket.destroy();
    await until((now) => isReady(now) && now.status.containerStatuses[0]?.restartCount === 1);
    expect(pod()?.metadata.uid).toBe(metadata.uid);
    (await dial(await ready())).destroy();
  });

  test("that crashes again and again says so, is not ready, and refuses", async () => {
    create();
    const host = await ready();
    pods.setWaiting("shop", "p", "CrashLoopBackOff", "back-off 10s restarting failed container");
    const { status } = pod()!;
    expect(status.containerStatuses[0]).toMatchObject({
      ready: false,
      restartCount: 1,
      state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 10s restarting failed container" } },
    });
    expect(status.phase).toBe("Running");
    expect((await host.dial(7)).kind).toBe("refused");
  });
});

describe("a deleted pod", () => {
  test("is terminating at once, serves through its grace, then its connections die and it is gone", async () => {
    create();
    const host = await ready();
    const socket = await dial(host);
    pods.delete("shop", "p", { graceMs: 20 });
    expect(pod()?.metadata.deletionTimestamp).toBeDefined();
    expect(isReady(pod()!)).toBe(false);
    (await dial(host)).destroy();
    await once(socket.resume(), "end");
    expect(pod()).toBeUndefined();
    expect((await host.dial(7)).kind).toBe("gone");
    socket.destroy();
  });

  test("by force is gone at once", async () => {
    create();
    const host = await ready();
    pods.delete("shop", "p", { force: true });
    expect(pod()).toBeUndefined();
    expect((await host.dial(7)).kind).toBe("gone");
  });

  test("leaves nothing to a new pod of its name", async () => {
    const old = create();
    const oldHost = await ready();
    pods.delete("shop", "p", { force: true });
    create();
    const host = await ready();
    expect(pod()?.metadata.uid).not.toBe(old.metadata.uid);
    expect(host).not.toBe(oldHost);
    (await dial(host)).destroy();
  });

  test("that never ran does not come to life", async () => {
    create({ startMs: 5 });
    pods.delete("shop", "p", { force: true });
    const timer = new Promise<void>((resolve) => void timers.after(10, resolve));
    await timer;
    expect(pod()).toBeUndefined();
  });
});

test("a verb on a pod that is not there says so", () => {
  expect(() => pods.setReady("shop", "p", true)).toThrow('no pod "p" in namespace "shop"');
});
