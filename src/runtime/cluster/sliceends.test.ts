import { describe, expect, test } from "vitest";
import { podJson, serviceJson, sliceJson, type PodWish } from "../../../test/fakes/kubeobjects.ts";
import { PODS, SERVICES, type Pod } from "./objects.ts";
import { resolve } from "./resolve.ts";
import { SLICES } from "./slices.ts";

const PLACE = { kubeconfig: undefined, context: "kt", namespace: "shop" };
const SELECTORLESS = { selector: null };

type Slice = Parameters<typeof sliceJson>[2];
type Ports = Parameters<typeof sliceJson>[3];

interface Facts {
  readonly service?: Record<string, unknown>;
  readonly slices?: readonly { readonly ends: Slice; readonly ports?: Ports; readonly of?: string }[];
  readonly pods?: Readonly<Record<string, PodWish>>;
  readonly port?: { readonly via: "pod" | "service"; readonly port: number | string };
}

/** `db-0:5432`, or the reason's code, message and hint. */
function outcome({ service = SELECTORLESS, slices = [], pods = {}, port }: Facts): string {
  const known = <T>(of: readonly (readonly [string, T | undefined])[]): Map<string, T> =>
    new Map(of.flatMap(([name, one]) => (one === undefined ? [] : [[name, one] as const])));
  const snapshot = {
    pods: known<Pod>(Object.entries(pods).map(([name, wish]) => [name, PODS.read(podJson(name, wish))])),
    services: known([["db", SERVICES.read(serviceJson("db", service))]]),
    workloads: new Map(),
    slices: known(
      slices.map(({ ends, ports, of = "db" }, i) => [
        `${of}-${i}`,
        SLICES.read(sliceJson(`${of}-${i}`, of, ends, ports)),
      ]),
    ),
  };
  const request = { place: PLACE, target: { kind: "svc" as const, name: "db" }, remotePort: port };
  const resolution = resolve(request, snapshot, undefined);
  if (resolution.kind === "found") return `${resolution.endpoint.pod}:${resolution.endpoint.port}`;
  const { code, message, hint = "-" } = resolution.reason;
  return `${code}: ${message} (${hint})`;
}

const NAMED = { targetRef: { kind: "Pod", name: "db-0", uid: "uid-db-0" }, addresses: ["10.0.0.7"] };
const BARE = { addresses: ["10.0.0.7"] };
const DB = { "db-0": { ips: ["10.0.0.7"] }, other: { ips: ["10.0.0.8"] } };

describe("a Service without a selector", () => {
  test("leads to the pods that its slices name, on the port that they say", () => {
    expect(outcome({ slices: [{ ends: [NAMED] }], pods: DB })).toBe("db-0:8080");
    const ports = [{ name: "http", port: 9000, protocol: "TCP" }];
    expect(outcome({ slices: [{ ends: [NAMED], ports }], pods: DB })).toBe("db-0:9000");
    const byNumber = { via: "service", port: 80 } as const;
    expect(outcome({ slices: [{ ends: [NAMED], ports }], pods: DB, port: byNumber })).toBe("db-0:9000");
    expect(outcome({ slices: [{ ends: [NAMED], ports }], pods: DB, port: { via: "pod", port: 5432 } })).toBe(
      "db-0:5432",
    );
  });

  test("leads to the pods that have the addresses in its slices, whichever of theirs it is", () => {
    expect(outcome({ slices: [{ ends: [BARE] }], pods: DB })).toBe("db-0:8080");
    const dual = { "db-0": { ips: ["10.0.0.7", "fd00::7"] } };
    expect(outcome({ slices: [{ ends: [{ addresses: ["fd00::7"] }] }], pods: dual })).toBe("db-0:8080");
  });

  test("its ports without names go together", () => {
    const service = { ...SELECTORLESS, ports: [{ port: 5432 }] };
    const ports = [{ name: "", port: 15432, protocol: "TCP" }];
    expect(outcome({ service, slices: [{ ends: [BARE], ports }], pods: DB })).toBe("db-0:15432");
  });

  test("slices of others do not count, nor do pods that are not ready, in their own eyes or its keeper's", () => {
    expect(outcome({ slices: [{ ends: [NAMED], of: "cache" }], pods: DB })).toMatch(/^NoSelector: /);
    const closed = { ...NAMED, conditions: { ready: false } };
    expect(outcome({ slices: [{ ends: [closed] }], pods: DB })).toBe(
      'NoReadyPods: 0 of 1 endpoints of service "db" are ready (-)',
    );
    const ending = { ...NAMED, conditions: { ready: true, terminating: true } };
    expect(outcome({ slices: [{ ends: [ending] }], pods: DB })).toMatch(/^NoReadyPods: /);
    const pods = { "db-0": { ips: ["10.0.0.7"], ready: false } };
    expect(outcome({ slices: [{ ends: [NAMED] }], pods })).toMatch(/^NoReadyPods: 0 of 1 pod ready/);
    const service = { ...SELECTORLESS, publishNotReadyAddresses: true };
    expect(outcome({ service, slices: [{ ends: [closed] }], pods })).toBe("db-0:8080");
  });

  test("a pod that only has the name of the one that is meant is another", () => {
    const pods = { "db-0": { uid: "another", ips: ["10.0.0.9"] } };
    expect(outcome({ slices: [{ ends: [NAMED] }], pods })).toMatch(/^NoSelector: /);
  });

  test("what leads to no pod is told, and that the relay goes there", () => {
    const ends = [{ addresses: ["192.0.2.1"] }, { addresses: ["192.0.2.2"] }, { addresses: ["192.0.2.3"] }];
    expect(outcome({ slices: [{ ends }], pods: DB })).toBe(
      'NoSelector: service "db" has no selector and leads to 192.0.2.1, 192.0.2.2 and 1 more, which is no pod in namespace "shop" (`target: host/db.shop.svc` goes there through the relay)',
    );
    expect(outcome({ pods: DB })).toBe(
      'NoSelector: service "db" has no selector, so it has no pods to forward to (name the pods behind it with `target: {selector: …}`)',
    );
  });

  test("a port that its slices do not have is told", () => {
    const ports = [{ name: "metrics", port: 9090, protocol: "TCP" }];
    expect(outcome({ slices: [{ ends: [NAMED], ports }], pods: DB })).toBe(
      'PortMissing: no EndpointSlice of service "db" has its port "http" (-)',
    );
  });
});

test("a name outside the cluster is told with the way there", () => {
  const service = { type: "ExternalName", externalName: "orders.example.com", selector: null };
  expect(outcome({ service })).toBe(
    'ExternalName: service "db" is only a name for "orders.example.com", outside the cluster (`target: host/orders.example.com` goes there through the relay)',
  );
});
