import { describe, expect, test } from "vitest";
import { newMetadata, type Service } from "./objects.ts";
import { Store, type Change } from "./store.ts";

function service(name: string, namespace = "shop"): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: newMetadata(name, namespace),
    spec: { type: "ClusterIP" },
    status: { loadBalancer: {} },
  };
}

describe("versions", () => {
  test("rise with every change, deletions included, and stand in the object", () => {
    const store = new Store();
    const first = store.put(service("api"));
    const second = store.put(service("db"));
    expect(Number(second.metadata.resourceVersion)).toBe(Number(first.metadata.resourceVersion) + 1);
    store.remove("Service", "shop", "api");
    expect(store.version).toBe(Number(second.metadata.resourceVersion) + 1);
  });

  test("removing what is not there changes nothing", () => {
    const store = new Store();
    const { version } = store;
    store.remove("Service", "shop", "api");
    expect(store.version).toBe(version);
  });
});

describe("changes", () => {
  test("are told as they happen, with what was there before", () => {
    const store = new Store();
    const heard: Change[] = [];
    const subscription = store.subscribe((change) => heard.push(change));
    const api = store.put(service("api"));
    const changed = store.put({ ...api, spec: { type: "ClusterIP", clusterIP: "None" } });
    store.remove("Service", "shop", "api");
    subscription[Symbol.dispose]();
    store.put(service("later"));
    expect(heard.map(({ type, before }) => [type, before])).toEqual([
      ["ADDED", undefined],
      ["MODIFIED", api],
      ["DELETED", changed],
    ]);
  });

  test("can be had from any version that is still known", () => {
    const store = new Store();
    const { version } = store.put(service("a")) && store;
    store.put(service("b"));
    store.put(service("c"));
    expect(store.since(version)?.map(({ object }) => object.metadata.name)).toEqual(["b", "c"]);
    expect(store.since(store.version)).toEqual([]);
  });

  test("are unknown from before a compaction, even for who has seen all of them", () => {
    const store = new Store();
    store.put(service("a"));
    const seen = store.version;
    store.compact();
    expect(store.since(seen)).toBeUndefined();
    expect(store.since(store.version)).toEqual([]);
  });

  test("are forgotten from the oldest on when there are too many, and the kept ones have no gap", () => {
    const store = new Store();
    const start = store.version;
    for (let i = 0; i < 2500; i++) store.put(service(`s${i}`));
    expect(store.since(start)).toBeUndefined();
    const oldest = Array.from({ length: 2501 }, (_, i) => start + i).find(
      (v) => store.since(v) !== undefined,
    )!;
    expect(oldest).toBeLessThanOrEqual(store.version - 1000);
    expect(store.since(oldest)?.map(({ version }) => version)).toEqual(
      Array.from({ length: store.version - oldest }, (_, i) => oldest + 1 + i),
    );
  });
});

test("a list is sorted by namespace and name, and may be of one namespace", () => {
  const store = new Store();
  for (const [name, namespace] of [
    ["b", "shop"],
    ["a", "shop"],
    ["c", "bank"],
  ] as const) {
    store.put(service(name, namespace));
  }
  const names = (namespace?: string) => store.list("Service", namespace).map(({ metadata }) => metadata.name);
  expect(names()).toEqual(["c", "a", "b"]);
  expect(names("shop")).toEqual(["a", "b"]);
});
