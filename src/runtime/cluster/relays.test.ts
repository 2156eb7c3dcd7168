import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { relayProgram } from "../../../scripts/relayprogram.mjs";
import { makeCertificates, type Certificates } from "../../sandbox/certificates.ts";
import { echoApp, udpEchoApp } from "../../sandbox/apps.ts";
import type { Pod } from "../../sandbox/objects.ts";
import { Sandbox } from "../../sandbox/sandbox.ts";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../clock.ts";
import type { Reason } from "../core/status.ts";
import type { Clock, Flow, Log, Place, Relay, RelayPod, StreamEnd } from "../deps.ts";
import { KubeApi } from "./kubeapi.ts";
import { KubeCluster } from "./cluster.ts";
import type { LockedRelay } from "../wire/lockrecord.ts";
import { KubeRelays } from "./relays.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
const program = relayProgram();

let certificates: Certificates | undefined;
let sandbox: Sandbox;
let folder: string;
let api: KubeApi;
let cluster: KubeCluster;
let relays: KubeRelays;
let records: readonly LockedRelay[];
let place: Place;
/** Timers that the test fires itself. */
let held: { readonly isMine: (ms: number) => boolean; readonly fires: (() => void)[] } | undefined;
const clock: Clock = {
  ...realClock,
  timer: (ms, fire) => {
    if (held?.isMine(ms) !== true) return realClock.timer(ms, fire);
    held.fires.push(fire);
    return { [Symbol.dispose]() {} };
  },
};

beforeEach(async () => {
  certificates ??= await makeCertificates();
  sandbox = await Sandbox.start({ certificates });
  folder = await mkdtemp(join(tmpdir(), "kfwd-relays-"));
  await use("admin");
});

afterEach(async () => {
  await leave();
  await sandbox[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function use(user: string): Promise<void> {
  const kubeconfig = join(folder, user);
  await sandbox.writeKubeconfig(kubeconfig, user);
  held = undefined;
  const world = { clock, random: () => 0.5, log };
  api = new KubeApi({ ...world, env: {}, home: folder, version: "0" });
  cluster = new KubeCluster(api, realClock, Math.random);
  records = [];
  relays = new KubeRelays({
    ...world,
    api,
    cluster,
    program: await program,
    owner: { project: "My shop", projectId: "00ff", user: "abcd" },
  });
  relays.keepRecords((all) => (records = all));
  place = api.pin({ kubeconfig, context: undefined, namespace: "shop" });
}

async function leave(): Promise<void> {
  await relays[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
}

/** A forward's share, and all it was told; `until` resolves when `look` finds something in it. */
function share(spec: Parameters<KubeRelays["relay"]>[1] = {}) {
  const told = { opens: 0, lost: [] as Reason[], pods: [] as RelayPod[] };
  let look = (): void => {};
  const relay: Relay = relays.relay(place, spec, {
    onOpen: () => {
      told.opens++;
      look();
    },
    onLost: (reason) => {
      told.lost.push(reason);
      look();
    },
    onPod: (pod) => {
      told.pods.push(pod);
      look();
    },
  });
  const until = <T>(find: () => T | undefined | false): Promise<T> =>
    new Promise((resolve) => {
      look = () => {
        const found = find();
        if (found !== undefined && found !== false) resolve(found);
      };
      look();
    });
  return { relay, told, until, open: () => until(() => told.opens > 0) };
}

const relayPods = (): readonly Pod[] =>
  sandbox.cluster.list("shop", { "app.kubernetes.io/name": "kfwd-relay" });
const onlyPod = (): Pod => relayPods()[0]!;

/** A pod that echoes datagrams and bytes, as the relay reaches it. */
async function echoPod(): Promise<string> {
  sandbox.cluster.createPod("shop", { name: "echo", app: { 9001: echoApp() }, udp: { 9000: udpEchoApp() } });
  return sandbox.until(() => sandbox.cluster.list("shop", { app: "echo" })[0]?.status.podIP);
}

/** Sends once a flow takes it, and resolves with the first answer. */
function ask(
  relay: Relay,
  host: string,
  text: string,
): { readonly answer: Promise<string>; readonly flow: Flow } {
  let tell = (_text: string): void => {};
  const answer = new Promise<string>((resolve) => (tell = resolve));
  const flow = relay.flow(
    { host, port: 9000 },
    {
      onDatagram: (datagram) => tell(datagram.toString()),
      onDropped: (_count, why) => tell(`dropped: ${why}`),
      onEnd: () => tell("ended"),
    },
  );
  expect(flow.send(Buffer.from(text))).toBe(true);
  return { answer, flow };
}

test("a pod is made, datagrams go through it, and the last one to leave deletes it", async () => {
  const host = await echoPod();
  const { relay, told, open } = share({ labels: { team: "a" } });
  await open();
  expect(await ask(relay, host, "hello").answer).toBe("hello");
  const { metadata, spec } = onlyPod();
  expect(metadata.name).toMatch(/^kfwd-relay-my-shop-.....$/);
  expect(metadata.labels).toMatchObject({
    "app.kubernetes.io/managed-by": "kfwd",
    "kfwd/user": "abcd",
    "kfwd/project-id": "00ff",
    team: "a",
  });
  expect(metadata.annotations).toMatchObject({ "kfwd/project": "My shop" });
  expect(spec).toMatchObject({
    restartPolicy: "Never",
    activeDeadlineSeconds: 86_400,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        image: "docker.io/library/node:24-alpine",
        resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { cpu: "1", memory: "128Mi" } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
      },
    ],
  });
  expect(records).toEqual([
    {
      kubeconfig: place.kubeconfig,
      context: "sandbox",
      namespace: "shop",
      pod: metadata.name,
      uid: metadata.uid,
    },
  ]);
  expect(told.pods.map(({ state }) => state)).toEqual(["creating", "starting", "running"]);
  await relay[Symbol.asyncDispose]();
  expect(records).toEqual([]);
  await sandbox.until(() => relayPods().length === 0);
});

test("forwards share it; whoever comes later is told at once", async () => {
  const first = share();
  await first.open();
  const second = share();
  await second.open();
  expect(second.told.pods.at(-1)).toMatchObject({ state: "running", name: onlyPod().metadata.name });
  await first.relay[Symbol.asyncDispose]();
  expect(relayPods()).toHaveLength(1);
  expect(onlyPod().metadata.deletionTimestamp).toBeUndefined();
  await second.relay[Symbol.asyncDispose]();
  await sandbox.until(() => relayPods().length === 0);
});

test("a pod that is let go of while what uses it is replaced is kept, and deleted when nobody comes back", async () => {
  const before = share();
  await before.open();
  const { uid } = onlyPod().metadata;
  const hold = relays.hold();
  await before.relay[Symbol.asyncDispose]();
  held = { isMine: () => true, fires: [] };
  hold[Symbol.dispose]();
  const [lingers] = held.fires;
  held = undefined;
  const after = share();
  await after.open();
  expect(relayPods().map(({ metadata }) => metadata.uid)).toEqual([uid]);
  lingers?.();
  expect(onlyPod().metadata.deletionTimestamp).toBeUndefined();

  const again = relays.hold();
  await after.relay[Symbol.asyncDispose]();
  expect(onlyPod().metadata.deletionTimestamp).toBeUndefined();
  held = { isMine: () => true, fires: [] };
  again[Symbol.dispose]();
  const { fires } = held;
  held = undefined;
  for (const fire of fires) fire();
  await sandbox.until(() => relayPods().length === 0);
  await vi.waitFor(() => expect(records).toEqual([]), 10_000);
});

test("a pod that has ended is deleted, as soon as the cluster lets it", async () => {
  await leave();
  const rights = (...verbs: readonly string[]) => [
    { verbs: ["get", "list", "watch", ...verbs], resources: ["*"] },
    { verbs: ["create"], resources: ["pods/portforward"] },
  ];
  sandbox.setUser("keeper", rights("create"));
  await use("keeper");
  held = { isMine: (ms) => ms === 15_000, fires: [] }; // how long it waits before it tries again
  const { fires } = held;
  const ends = { containers: [{ name: "relay", command: ["node", "-e", ""] }] };
  const { until, told } = share({ patch: { spec: ends } });
  const { uid } = await until(() => told.pods.find(({ state }) => state === "gone"));
  await vi.waitFor(() => expect(fires.length).toBeGreaterThan(0), 10_000);
  expect(relayPods().some(({ metadata }) => metadata.uid === uid)).toBe(true);
  expect(records.some((one) => one.uid === uid)).toBe(true);
  sandbox.setUser("keeper", rights("create", "delete"));
  for (const fire of fires) fire();
  await sandbox.until(() => relayPods().every(({ metadata }) => metadata.uid !== uid));
  await vi.waitFor(() => expect(records.some((one) => one.uid === uid)).toBe(false), 10_000);
});

test("a connection through it has both of its ends", async () => {
  const host = await echoPod();
  const { relay, open } = share();
  await open();
  const parts: Buffer[] = [];
  const end = await new Promise<StreamEnd>((resolve, reject) => {
    const handler = {
      onData: (chunk: Buffer) => {
        parts.push(Buffer.from(chunk));
        return "taken" as const;
      },
      onEnd() {},
      onDrain() {},
      onClose: resolve,
    };
    relay.open({ host, port: 9001 }, handler, new AbortController().signal).then((stream) => {
      stream.write(Buffer.from("hello"), 0);
      stream.end();
    }, reject);
  });
  expect(end).toEqual({ kind: "done" });
  expect(Buffer.concat(parts).toString()).toBe("hello");
});

test.each([
  [
    "a proxy that passes WebSockets alone",
    () => {
      sandbox.faults.proxyPasses = "websocket";
    },
  ],
  [
    "v4.channel.k8s.io",
    () => {
      sandbox.faults.proxyPasses = "websocket";
      sandbox.faults.tunnelGate = "off";
    },
  ],
] as const)("it works through %s", async (_name, hinder) => {
  hinder();
  const host = await echoPod();
  const { relay, open } = share();
  await open();
  expect(await ask(relay, host, "hello").answer).toBe("hello");
});

test("a pod that is deleted is replaced; flows of it hear of their end, and the next ones go on", async () => {
  const host = await echoPod();
  const { relay, told, until, open } = share();
  await open();
  const old = onlyPod();
  const { answer, flow } = ask(relay, host, "one");
  expect(await answer).toBe("one");
  let ended = 0;
  const idle = relay.flow({ host, port: 9000 }, { onDatagram() {}, onDropped() {}, onEnd: () => ended++ });
  idle.send(Buffer.from("x"));
  sandbox.pods.delete("shop", old.metadata.name);
  await until(() => told.opens === 2);
  expect(ended).toBe(1);
  expect(flow.send(Buffer.from("late"))).toBe(false);
  expect(told.lost).not.toEqual([]);
  expect(await ask(relay, host, "two").answer).toBe("two");
  expect(records.map(({ uid }) => uid)).toEqual([
    relayPods().find(({ metadata }) => metadata.uid !== old.metadata.uid)?.metadata.uid,
  ]);
});

test("a tunnel that breaks is dialled again to the same pod", async () => {
  const host = await echoPod();
  const { relay, told, until, open } = share();
  await open();
  const { uid } = onlyPod().metadata;
  sandbox.cutUpgrades("reset");
  await until(() => told.opens === 2);
  expect(told.lost[0]).toMatchObject({ code: "RelayLost" });
  expect(await ask(relay, host, "again").answer).toBe("again");
  expect(relayPods().map(({ metadata }) => metadata.uid)).toEqual([uid]);
});

describe("what stands in the way is told in the words of the cluster", () => {
  test("no right to create pods", async () => {
    await leave();
    sandbox.setUser("viewer", [
      { verbs: ["get", "list", "watch"], resources: ["*"] },
      { verbs: ["create"], resources: ["pods/portforward"] },
    ]);
    await use("viewer");
    const { told, until } = share();
    const reason = await until(() => told.lost[0]);
    expect(reason).toMatchObject({ code: "RelayForbidden", kind: "denied" });
    expect(reason.message).toContain('user "viewer" may not create pods in namespace "shop"');
    expect(told.pods.at(-1)).toMatchObject({
      state: "waiting",
      name: null,
      reason: { code: "RelayForbidden" },
    });
  });

  test("no right to open connections", async () => {
    await leave();
    sandbox.setUser("maker", [{ verbs: ["*"], resources: ["pods"] }]);
    await use("maker");
    const { told, until } = share();
    const reason = await until(() => told.lost[0]);
    expect(reason).toMatchObject({ code: "Forbidden", kind: "denied" });
    expect(reason.message).toContain('user "maker" may not create pods/portforward in namespace "shop"');
  });

  test("a quota, until there is room and somebody asks again", async () => {
    sandbox.faults.admission =
      "exceeded quota: q, requested: limits.cpu=1, used: limits.cpu=2, limited: limits.cpu=2";
    const { relay, told, until, open } = share();
    const reason = await until(() => told.lost[0]);
    expect(reason).toMatchObject({ code: "QuotaExceeded", kind: "denied" });
    expect(reason.message).toBe(
      'namespace "shop" forbids the relay pod: exceeded quota: q, requested: limits.cpu=1, used: limits.cpu=2, limited: limits.cpu=2',
    );
    sandbox.faults.admission = undefined;
    relay.retry();
    await open();
  });

  test("PodSecurity, field by field", async () => {
    sandbox.faults.admission =
      'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "relay" must set ' +
      'securityContext.allowPrivilegeEscalation=false), runAsNonRoot != true (pod or container "relay" must set it)';
    const { told, until } = share();
    const { code, message } = await until(() => told.lost[0]);
    expect(code).toBe("PodSecurity");
    expect(message.split("; ")).toEqual([
      'namespace "shop" forbids the relay pod: PodSecurity "restricted:latest": allowPrivilegeEscalation != false ' +
        '(container "relay" must set securityContext.allowPrivilegeEscalation=false)',
      'runAsNonRoot != true (pod or container "relay" must set it)',
    ]);
  });

  test("an image that cannot be pulled", async () => {
    sandbox.faults.pull = "failed to resolve reference: 401 Unauthorized";
    const { told, until } = share({ image: "registry.example/node:1" });
    const reason = await until(() => told.lost[0]);
    expect(reason.code).toBe("ErrImagePull");
    expect(reason.message).toBe(
      `relay pod "${onlyPod().metadata.name}" cannot pull registry.example/node:1: failed to resolve reference: ` +
        "401 Unauthorized (ErrImagePull)",
    );
    expect(told.pods.at(-1)).toMatchObject({ state: "waiting", reason: { code: "ErrImagePull" } });
  });
});

test("what a dead supervisor left is deleted by UID, and nothing else", async () => {
  const one = share();
  await one.open();
  const [left] = records;
  expect(left).toBeDefined();
  await relays.sweep([
    { ...left!, uid: "00000000-0000-0000-0000-000000000000" },
    { ...left!, pod: "never-was" },
  ]);
  expect(onlyPod().metadata.deletionTimestamp).toBeUndefined();
  await relays.sweep([left!]);
  await sandbox.until(() => relayPods().every(({ metadata }) => metadata.uid !== left!.uid));
});

test("leaving while the pod is being made leaves no pod", async () => {
  const { relay } = share();
  await relay[Symbol.asyncDispose]();
  await sandbox.until(() => relayPods().length === 0);
  expect(records).toEqual([]);
});

test("the pod of another namespace is used when the file says so", async () => {
  const { open, told } = share({ namespace: "relays" });
  await open();
  expect(told.pods.at(-1)?.namespace).toBe("relays");
  expect(sandbox.cluster.list("relays")).toHaveLength(1);
});
