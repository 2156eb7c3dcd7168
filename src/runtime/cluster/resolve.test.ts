import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { podJson, serviceJson, workloadJson, type PodWish } from "../../../test/fakes/kubeobjects.ts";
import { PODS, SERVICES, WORKLOADS, type Pod, type Service, type Workload } from "./objects.ts";
import { resolve, type FollowRequest, type Snapshot } from "./resolve.ts";

const PLACE = { kubeconfig: undefined, context: "kt", namespace: "shop" };
const PLACE_OF_ENDPOINT = { context: "kt", namespace: "shop" };

interface World {
  readonly pods?: Readonly<Record<string, PodWish>>;
  readonly services?: Readonly<Record<string, Record<string, unknown>>>;
  readonly workloads?: Readonly<Record<string, Record<string, unknown>>>;
}

function snapshot({ pods = {}, services = {}, workloads = {} }: World): Snapshot {
  const read = <W, T>(
    from: Readonly<Record<string, W>>,
    to: (name: string, wish: W) => T | undefined,
  ): Map<string, T> => new Map(Object.entries(from).map(([name, wish]) => [name, to(name, wish) as T]));
  return {
    pods: read(pods, (name, wish): Pod | undefined => PODS.read(podJson(name, wish))),
    services: read(services, (name, spec): Service | undefined => SERVICES.read(serviceJson(name, spec))),
    workloads: read(workloads, (name, spec): Workload | undefined =>
      WORKLOADS.deploy.read(workloadJson(name, spec)),
    ),
  };
}

/** `svc/api:http`, `svc/api>8080` for the pod's port, `pod/x:80`, `[app=web]:80`; a port of digits is a number. */
function request(text: string): FollowRequest {
  const [, kind, name, selector, via, port] =
    /^(?:(\w+)\/([\w.-]+)|\[(.*)\])(?:([:>])(.+))?$/.exec(text) ?? [];
  const target = selector === undefined ? { kind, name } : { kind: "selector", selector };
  const number = /^\d+$/.test(port ?? "") ? Number(port) : port;
  const remotePort = via && { via: kind === "svc" && via === ":" ? "service" : "pod", port: number };
  return { place: PLACE, target, remotePort: remotePort || undefined } as FollowRequest;
}

/** `web-0:8080`, or the reason's code and message. */
function outcome(text: string, world: World, inUse?: string): string {
  const before = inUse === undefined ? undefined : { ...PLACE, pod: inUse, podUid: `uid-${inUse}`, port: 1 };
  const resolution = resolve(request(text), snapshot(world), before);
  if (resolution.kind === "none") return `${resolution.reason.code}: ${resolution.reason.message}`;
  expect(resolution.endpoint).toMatchObject({ context: "kt", namespace: "shop" });
  return `${resolution.endpoint.pod}:${resolution.endpoint.port}`;
}

function hint(text: string, world: World): string | undefined {
  const resolution = resolve(request(text), snapshot(world), undefined);
  return resolution.kind === "none" ? resolution.reason.hint : undefined;
}

const WEB = { "web-0": {} };
const PORTS = [
  { name: "http", port: 80, targetPort: 8080 },
  { name: "metrics", port: 9090 },
];

describe("ports", () => {
  test.each<{ name: string; target: string; world: World; is: string }>([
    {
      name: "service port by number to a number",
      target: "svc/api:80",
      world: { pods: WEB, services: { api: { ports: PORTS } } },
      is: "web-0:8080",
    },
    {
      name: "service port by name",
      target: "svc/api:metrics",
      world: { pods: WEB, services: { api: { ports: PORTS } } },
      is: "web-0:9090",
    },
    {
      name: "service port to a name of the pod",
      target: "svc/api:80",
      world: { pods: WEB, services: { api: {} } },
      is: "web-0:8080",
    },
    {
      name: "the only port of the service",
      target: "svc/api",
      world: { pods: WEB, services: { api: {} } },
      is: "web-0:8080",
    },
    {
      name: "the only TCP port beside a UDP one of the same number",
      target: "svc/dns",
      world: {
        pods: WEB,
        services: {
          dns: {
            ports: [
              { name: "dns", port: 53, protocol: "UDP" },
              { name: "dns-tcp", port: 53 },
            ],
          },
        },
      },
      is: "web-0:53",
    },
    {
      name: "TCP where the number is both",
      target: "svc/dns:53",
      world: {
        pods: WEB,
        services: {
          dns: {
            ports: [
              { name: "dns", port: 53, protocol: "UDP" },
              { name: "dns-tcp", port: 53, targetPort: 5353 },
            ],
          },
        },
      },
      is: "web-0:5353",
    },
    {
      name: "the pod's port behind a service, declared nowhere",
      target: "svc/api>5005",
      world: { pods: WEB, services: { api: {} } },
      is: "web-0:5005",
    },
    {
      name: "the pod's port by name behind a service",
      target: "svc/api>http",
      world: { pods: WEB, services: { api: {} } },
      is: "web-0:8080",
    },
    {
      name: "headless",
      target: "svc/db:5432",
      world: {
        pods: WEB,
        services: { db: { clusterIP: "None", ports: [{ port: 5432, targetPort: 5433 }] } },
      },
      is: "web-0:5433",
    },
    { name: "a pod by number", target: "pod/web-0:22", world: { pods: WEB }, is: "web-0:22" },
    { name: "a pod by name", target: "pod/web-0:http", world: { pods: WEB }, is: "web-0:8080" },
    {
      name: "a sidecar's port",
      target: "pod/web-0:admin",
      world: { pods: { "web-0": { sidecarPorts: [{ name: "admin", containerPort: 15000 }] } } },
      is: "web-0:15000",
    },
    { name: "the only port of a pod", target: "pod/web-0", world: { pods: WEB }, is: "web-0:8080" },
    {
      name: "a name that is UDP in the pod does not count",
      target: "pod/web-0:dns",
      world: { pods: { "web-0": { ports: [{ name: "dns", containerPort: 53, protocol: "UDP" }] } } },
      is: 'PortMissing: pod "web-0" has no port "dns"; ports: dns 53/udp',
    },
    {
      name: "no such service port, by name",
      target: "svc/api:htp",
      world: { pods: WEB, services: { api: { ports: PORTS } } },
      is: 'PortMissing: service "api" has no port "htp"; ports: http 80→8080, metrics 9090',
    },
    {
      name: "no such service port, by number",
      target: "svc/api:81",
      world: { services: { api: { ports: PORTS } } },
      is: 'PortMissing: service "api" has no port 81; ports: http 80→8080, metrics 9090',
    },
    {
      name: "several ports and none said",
      target: "svc/api",
      world: { services: { api: { ports: PORTS } } },
      is: 'PortMissing: service "api" has 2 ports, so one must be named; ports: http 80→8080, metrics 9090',
    },
    {
      name: "no ports at all",
      target: "svc/api",
      world: { services: { api: { ports: null } } },
      is: 'PortMissing: service "api" has no ports',
    },
    {
      name: "only UDP behind the name",
      target: "svc/dns:dns",
      world: { services: { dns: { ports: [{ name: "dns", port: 53, protocol: "UDP" }] } } },
      is: 'PortProtocol: port "dns" of service "dns" is UDP, and the forward is TCP',
    },
    {
      name: "only UDP at all",
      target: "svc/dns",
      world: { services: { dns: { ports: [{ name: "dns", port: 53, protocol: "UDP" }] } } },
      is: 'PortProtocol: port "dns" of service "dns" is UDP, and the forward is TCP',
    },
    {
      name: "a pod with two ports and none said",
      target: "pod/web-0",
      world: { pods: { "web-0": { ports: [{ containerPort: 1 }, { name: "b", containerPort: 2 }] } } },
      is: 'PortMissing: pod "web-0" does not declare exactly one port; ports: 1, b 2',
    },
  ])("$name", ({ target, world, is }) => {
    expect(outcome(target, world)).toBe(is);
  });

  test("a named port is that of the container that is named", () => {
    const ports = [{ name: "metrics", containerPort: 9090 }];
    const world = { pods: { "web-0": { ports, sidecarPorts: [{ name: "metrics", containerPort: 15020 }] } } };
    const portIn = (container: string): string => {
      const target = { kind: "pod", name: "web-0", container } as const;
      const found = resolve({ ...request("pod/web-0:metrics"), target }, snapshot(world), undefined);
      return found.kind === "found"
        ? String(found.endpoint.port)
        : `${found.reason.message} | ${found.reason.hint}`;
    };
    expect([portIn("main"), portIn("proxy")]).toEqual(["9090", "15020"]);
    expect(portIn("other")).toBe(
      'pod "web-0" has no port "metrics" in container "other"; ports: metrics 9090 of "main", metrics 15020 of "proxy" | set `target.container` to "main" or "proxy"',
    );
  });

  test("a port that no container has is told with what helps where one was named", () => {
    const world = { pods: { "web-0": { ports: [{ name: "metrics", containerPort: 9090 }] } } };
    const target = { kind: "pod", name: "web-0", container: "main" } as const;
    const found = resolve({ ...request("pod/web-0:web"), target }, snapshot(world), undefined);
    expect(found.kind === "none" && found.reason.hint).toBe(
      "say the port of the pod by its number, without `target.container`",
    );
  });

  test("hints name the near port, or say whose number it is", () => {
    const world = { services: { api: { ports: PORTS } } };
    expect(hint("svc/api:htp", world)).toBe('did you mean "http"?');
    expect(hint("svc/api:8080", world)).toBe(
      "8080 is the port of the pod: set `port: 80`, or `targetPort: 8080`",
    );
    expect(hint("svc/api:81", world)).toBe(
      "set `port` to one of these, or `targetPort: 81` if it is the port of the pod",
    );
    const dns = { services: { dns: { ports: [{ name: "dns", port: 53, protocol: "UDP" }] } } };
    expect(hint("svc/dns", dns)).toBe("set `protocol: udp` of this forward, or another port");
  });

  test("hints name what is there instead, or wonder about the namespace where there is nothing", () => {
    const world = { services: { api: { ports: PORTS } } };
    expect(hint("svc/apii", world)).toBe('did you mean "api"? services there: api');
    expect(hint("svc/api", {})).toBe("there are no services in that namespace: is it the right one?");
    expect(hint("pod/web-0", {})).toBe("there are no pods in that namespace: is it the right one?");
    expect(hint("sts/db", {})).toBe("there are no statefulsets in that namespace: is it the right one?");
    expect(hint("[app=web]:1", {})).toBe("kubectl --context kt -n shop get pods --show-labels");
  });

  test("a named port is looked up in each pod: during a rollout it may move", () => {
    const moved = {
      "web-1": { ports: [{ name: "http", containerPort: 9000 }], readySince: "2026-11-03T00:00:00Z" },
    };
    const services = { api: {} };
    expect(outcome("svc/api", { pods: { ...WEB, ...moved }, services }, "web-0")).toBe("web-0:8080");
    expect(outcome("svc/api", { pods: { "web-0": { deleting: true }, ...moved }, services }, "web-0")).toBe(
      "web-1:9000",
    );
  });

  test("a ready pod without the named port is passed over", () => {
    const pods = { "web-0": { ports: [] }, "web-1": { readySince: "2026-11-03T00:00:00Z" } };
    expect(outcome("svc/api", { pods, services: { api: {} } })).toBe("web-1:8080");
  });
});

describe("which pod", () => {
  test("never one that is not ready, or has been asked to end, or belongs to others", () => {
    const pods = {
      a: { ready: false },
      b: { deleting: true },
      c: { phase: "Pending", ready: false },
      d: { phase: "Succeeded", ready: false },
      e: { labels: { app: "other" } },
      f: {},
    };
    expect(outcome("svc/api", { pods, services: { api: {} } })).toBe("f:8080");
  });

  test("the one in use as long as it is ready, though another is older", () => {
    const pods = { a: { readySince: "2026-01-01T00:00:00Z" }, b: {} };
    expect(outcome("[app=web]:1", { pods }, "b")).toBe("b:1");
    expect(outcome("[app=web]:1", { pods: { ...pods, b: { ready: false } } }, "b")).toBe("a:1");
  });

  test("a new pod of the old name is another pod", () => {
    const pods = { a: { uid: "new" }, b: { readySince: "2026-01-01T00:00:00Z" } };
    expect(outcome("[app=web]:1", { pods }, "a")).toBe("b:1");
  });

  test.each<{ name: string; a: PodWish; b: PodWish; is: string }>([
    {
      name: "ready for longest",
      a: { readySince: "2026-11-02T00:00:00Z" },
      b: { readySince: "2026-11-01T23:00:00Z", restarts: 9 },
      is: "b:1",
    },
    { name: "fewest restarts", a: { restarts: 1 }, b: {}, is: "b:1" },
    { name: "oldest", a: { createdAt: "2026-11-02T00:00:00Z" }, b: {}, is: "b:1" },
    { name: "by name where all is equal", a: {}, b: {}, is: "a:1" },
  ])("$name", ({ a, b, is }) => {
    expect(outcome("[app=web]:1", { pods: { b, a } })).toBe(is);
    expect(outcome("[app=web]:1", { pods: { a, b } })).toBe(is);
  });

  test("tells its address in the cluster, once it has one", () => {
    const found = (pod: PodWish): unknown =>
      resolve(request("pod/a:1"), snapshot({ pods: { a: pod } }), undefined);
    expect(found({ ips: ["10.0.0.7", "fd00::7"] })).toMatchObject({ endpoint: { podIp: "10.0.0.7" } });
    expect(found({})).toHaveProperty("endpoint", {
      ...PLACE_OF_ENDPOINT,
      pod: "a",
      podUid: "uid-a",
      port: 1,
    });
  });

  describe("`pick`", () => {
    const pods = {
      a: { createdAt: "2026-11-01T00:00:00Z" },
      b: { createdAt: "2026-11-03T00:00:00Z" },
      c: { createdAt: "2026-11-02T00:00:00Z" },
    };
    const picked = (
      pick: "newest" | "random",
      {
        inUse,
        random = 0,
        all = pods,
      }: { inUse?: string; random?: number; all?: Record<string, PodWish> } = {},
    ): string => {
      const before =
        inUse === undefined ? undefined : { ...PLACE, pod: inUse, podUid: `uid-${inUse}`, port: 1 };
      const leaning = { random, shunned: new Map<string, number>() };
      const found = resolve({ ...request("[app=web]:1"), pick }, snapshot({ pods: all }), before, leaning);
      return found.kind === "found" ? found.endpoint.pod : found.reason.code;
    };

    test("newest: the latest made that is ready, also while another is in use", () => {
      expect(picked("newest")).toBe("b");
      expect(picked("newest", { inUse: "a" })).toBe("b");
      expect(picked("newest", { all: { ...pods, b: { ...pods.b, ready: false } } })).toBe("c");
      expect(picked("newest", { inUse: "d", all: { c: {}, d: {}, e: {} } })).toBe("d"); // made in the same second
    });

    test("random: any that is ready, and then the same as long as it is", () => {
      expect([0, 0.4, 0.99].map((random) => picked("random", { random }))).toEqual(["a", "c", "b"]);
      expect(picked("random", { inUse: "c", random: 0.99 })).toBe("c");
      const all = { ...pods, c: { ...pods.c, deleting: true } };
      expect(picked("random", { inUse: "c", random: 0.99, all })).toBe("b");
    });
  });

  test("one that could not be reached only where there is no other", () => {
    const shunned = new Map([
      ["uid-a", 5],
      ["uid-c", 3],
    ]);
    const before = { ...PLACE_OF_ENDPOINT, pod: "a", podUid: "uid-a", port: 1 };
    const chosen = (pods: Record<string, PodWish>): string => {
      const found = resolve(request("[app=web]:1"), snapshot({ pods }), before, { random: 0, shunned });
      return found.kind === "found" ? found.endpoint.pod : found.reason.code;
    };
    expect(chosen({ a: {}, b: {} })).toBe("b");
    expect(chosen({ a: {}, b: { ready: false } })).toBe("a");
    expect(chosen({ a: {}, c: {} })).toBe("c"); // it has been left alone for longer
  });

  test("a Service that publishes addresses of unready pods is given one when none is ready", () => {
    const services = { api: { publishNotReadyAddresses: true, clusterIP: "None" } };
    const unready = { ready: false, ips: ["10.0.0.1"] };
    expect(outcome("svc/api", { services, pods: { a: unready, b: {} } }, "a")).toBe("b:8080");
    expect(outcome("svc/api", { services, pods: { a: unready, b: { ...unready, deleting: true } } })).toBe(
      "a:8080",
    );
    expect(outcome("svc/api", { services, pods: { a: { ready: false } } })).toMatch(/^NoReadyPods/); // has no address
    expect(outcome("svc/api", { services: { api: {} }, pods: { a: unready } })).toMatch(/^NoReadyPods/);
  });

  const wish: fc.Arbitrary<PodWish> = fc.record({
    ready: fc.boolean(),
    deleting: fc.boolean(),
    phase: fc.constantFrom("Running", "Pending", "Succeeded"),
    restarts: fc.nat({ max: 3 }),
    labels: fc.constantFrom({ app: "web" }, { app: "web", tier: "x" }, { app: "db" }, {}),
  });

  test("whatever the pods: a chosen one serves and matches, and none is chosen only when none does", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-d]$/), wish),
        fc.constantFrom("a", "b", undefined),
        (pods, inUse) => {
          const good = Object.entries(pods).filter(
            ([, p]) =>
              p.ready &&
              !p.deleting &&
              p.phase === "Running" &&
              (p.labels as Record<string, string>)["app"] === "web",
          );
          const got = outcome("[app=web]:1", { pods }, inUse);
          if (good.length === 0) expect(got).toMatch(/^No(Ready)?Pods: /);
          else expect(good.map(([name]) => `${name}:1`)).toContain(got);
          if (good.some(([name]) => name === inUse)) expect(got).toBe(`${inUse}:1`);
        },
      ),
    );
  });
});

describe("workloads", () => {
  const workloads = {
    api: {
      selector: {
        matchLabels: { app: "web" },
        matchExpressions: [{ key: "track", operator: "DoesNotExist" }],
      },
    },
  };

  test("select by labels and expressions", () => {
    const pods = { a: { labels: { app: "web", track: "canary" } }, b: { owner: "rs-of-api" } };
    expect(outcome("deploy/api:http", { pods, workloads })).toBe("b:8080");
  });

  test.each(["sts", "ds", "rs", "job"])("%s takes only pods it owns", (kind) => {
    const pods = { a: { owner: "uid-else" }, b: { owner: "uid-api" } };
    expect(outcome(`${kind}/api:1`, { pods, workloads })).toBe("b:1");
    expect(outcome(`${kind}/api:1`, { pods: { a: pods.a }, workloads })).toMatch(/^NoPods: /);
  });

  test("scaled to 0 says so and how to undo it", () => {
    const world = { workloads: { api: { replicas: 0 } } };
    expect(outcome("deploy/api:1", world)).toBe('NoPods: deployment "api" is scaled to 0');
    expect(hint("deploy/api:1", world)).toBe("kubectl --context kt -n shop scale deploy/api --replicas=1");
  });

  test("whose pods are refused says in whose words", () => {
    const message =
      'pods "api-1-x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3';
    const conditions = [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message }];
    const workload = { status: { conditions } };
    expect(outcome("deploy/api:1", { workloads: { api: {} } })).toBe(
      'NoPods: deployment "api" has no pods yet',
    );
    expect(outcome("deploy/api:1", { workloads: { api: workload } })).toBe(
      `NoPods: deployment "api" has no pods: ${message}`,
    );
    expect(outcome("deploy/api:1", { workloads: { api: { ...workload, replicas: 0 } } })).toBe(
      'NoPods: deployment "api" is scaled to 0',
    );
  });

  test.each([
    ["deploy", 'DeploymentMissing: deployment "apii" not found in namespace "shop" (context "kt")'],
    ["sts", 'StatefulSetMissing: statefulset "apii" not found in namespace "shop" (context "kt")'],
    ["ds", 'DaemonSetMissing: daemonset "apii" not found in namespace "shop" (context "kt")'],
    ["rs", 'ReplicaSetMissing: replicaset "apii" not found in namespace "shop" (context "kt")'],
    ["job", 'JobMissing: job "apii" not found in namespace "shop" (context "kt")'],
  ])("%s that is not there", (kind, is) => {
    expect(outcome(`${kind}/apii:1`, { workloads })).toBe(is);
    expect(hint(`${kind}/apii:1`, { workloads })).toMatch(/^did you mean "api"\?/);
  });
});

describe("reasons", () => {
  const crash: PodWish = {
    ready: false,
    waiting: "CrashLoopBackOff",
    restarts: 4,
    lastExit: { exitCode: 137, reason: "OOMKilled" },
  };

  test.each<{ name: string; target: string; world: World; is: string }>([
    {
      name: "no such service",
      target: "svc/apii",
      world: { services: { api: {}, db: {} } },
      is: 'ServiceMissing: service "apii" not found in namespace "shop" (context "kt")',
    },
    {
      name: "ExternalName",
      target: "svc/rds",
      world: {
        services: { rds: { type: "ExternalName", externalName: "orders.example.com", selector: null } },
      },
      is: 'ExternalName: service "rds" is only a name for "orders.example.com", outside the cluster',
    },
    {
      name: "no selector",
      target: "svc/legacy",
      world: { services: { legacy: { selector: {} } } },
      is: 'NoSelector: service "legacy" has no selector, so it has no pods to forward to',
    },
    {
      name: "no pods behind a service",
      target: "svc/api",
      world: { services: { api: { selector: { app: "api", tier: "x" } } }, pods: WEB },
      is: 'NoPods: service "api" has no pods: none has the labels app=api, tier=x',
    },
    {
      name: "no pods for a selector",
      target: "[app=api]:80",
      world: { pods: WEB },
      is: 'NoPods: no pods match the selector "app=api" in namespace "shop" (context "kt")',
    },
    {
      name: "a selector nobody can read",
      target: "[app in web]:80",
      world: { pods: WEB },
      is: 'SelectorInvalid: cannot read the selector "app in web"',
    },
    {
      name: "no such pod",
      target: "pod/web-1:80",
      world: { pods: WEB },
      is: 'PodMissing: pod "web-1" not found in namespace "shop" (context "kt")',
    },
    {
      name: "a crashing pod",
      target: "pod/web-0:80",
      world: { pods: { "web-0": crash } },
      is: 'PodNotReady: pod "web-0" is not ready: CrashLoopBackOff (last exit 137 OOMKilled, 4 restarts)',
    },
    {
      name: "a pod that is not ready",
      target: "pod/web-0:80",
      world: { pods: { "web-0": { ready: false } } },
      is: 'PodNotReady: pod "web-0" is not ready',
    },
    {
      name: "a pod that has finished",
      target: "pod/web-0:80",
      world: { pods: { "web-0": { phase: "Succeeded" } } },
      is: 'PodNotReady: pod "web-0" has finished: Succeeded',
    },
    {
      name: "one pod, crashing",
      target: "svc/api",
      world: { services: { api: {} }, pods: { "redis-0": crash } },
      is: "NoReadyPods: 0 of 1 pod ready: redis-0 CrashLoopBackOff (last exit 137 OOMKilled, 4 restarts)",
    },
    {
      name: "several, the worst first, finished ones not counted",
      target: "svc/api",
      world: {
        services: { api: {} },
        pods: {
          a: { ready: false },
          b: { deleting: true },
          c: { ready: false, phase: "Pending", waiting: "ImagePullBackOff" },
          d: { phase: "Failed" },
        },
      },
      is: "NoReadyPods: 0 of 3 pods ready: c ImagePullBackOff, a not ready and 1 more",
    },
    {
      name: "only finished ones",
      target: "job/api:80",
      world: { workloads: { api: {} }, pods: { a: { phase: "Succeeded", owner: "uid-api" } } },
      is: "NoReadyPods: 0 of 1 pod ready: a Succeeded",
    },
  ])("$name", ({ target, world, is }) => {
    expect(outcome(target, world)).toBe(is);
    expect(hint(target, world) ?? "-").not.toMatch(/undefined/);
  });

  test("hints are commands that look at the same place", () => {
    expect(hint("svc/api", { services: { api: {} }, pods: { a: crash } })).toBe(
      "kubectl --context kt -n shop logs a --previous",
    );
    expect(hint("svc/api", { services: { api: {} }, pods: { a: { ready: false } } })).toBe(
      "kubectl --context kt -n shop describe pod a",
    );
    const odd = { ...request("pod/a:1"), place: { ...PLACE, context: "it's $HOME" } };
    const resolution = resolve(odd, snapshot({ pods: { a: { ready: false } } }), undefined);
    expect(resolution).toMatchObject({
      reason: { hint: "kubectl --context 'it'\\''s $HOME' -n shop describe pod a" },
    });
  });

  test("what a watch can mend is of the kind missing", () => {
    for (const text of ["svc/x", "pod/x:1", "[a=b]:1", "deploy/x:1"]) {
      expect(resolve(request(text), snapshot({}), undefined)).toMatchObject({ reason: { kind: "missing" } });
    }
  });
});
