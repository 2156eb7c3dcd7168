import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeApiServer, until } from "../../../test/fakes/apiserver.ts";
import { FakeClock, settle } from "../../../test/fakes/clock.ts";
import { podJson } from "../../../test/fakes/kubeobjects.ts";
import type { Log } from "../deps.ts";
import { KubeApi } from "./kubeapi.ts";

const quiet = (): void => {};
const LOG: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kfwd-api-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A kubeconfig with a context per server URL; `current` is the first one. */
function kubeconfig(servers: Readonly<Record<string, string>>, namespace = "shop"): string {
  const names = Object.keys(servers);
  const config = {
    "current-context": names[0],
    contexts: names.map((name) => ({ name, context: { cluster: name, user: name, namespace } })),
    clusters: names.map((name) => ({ name, cluster: { server: servers[name] } })),
    users: names.map((name) => ({ name, user: { token: `token-of-${name}` } })),
  };
  const path = join(folder, "config");
  writeFileSync(path, JSON.stringify(config));
  return path;
}

function apiOf(clock = new FakeClock()): KubeApi {
  return new KubeApi({ clock, random: () => 0.5, log: LOG, env: {}, home: folder, version: "1" });
}

describe("pin", () => {
  test.each([
    { name: "nothing said", wanted: {}, is: { context: "one", namespace: "shop" } },
    { name: "a context", wanted: { context: "two" }, is: { context: "two", namespace: "shop" } },
    { name: "a namespace", wanted: { namespace: "team" }, is: { context: "one", namespace: "team" } },
  ])("$name", async ({ wanted, is }) => {
    const path = kubeconfig({ one: "https://one.test", two: "https://two.test" });
    await using api = apiOf();
    const open = { kubeconfig: path, context: undefined, namespace: undefined };
    expect(api.pin({ ...open, ...wanted })).toEqual({ kubeconfig: path, ...is });
  });

  test("without a namespace anywhere it is default", async () => {
    const path = kubeconfig({ one: "https://one.test" }, "");
    await using api = apiOf();
    const place = api.pin({ kubeconfig: path, context: undefined, namespace: undefined });
    expect(place.namespace).toBe("default");
  });

  test.each(["../../secrets", "Shop", "a/b", "-a", "x".repeat(64)])(
    "the namespace %j is refused",
    async (namespace) => {
      const path = kubeconfig({ one: "https://one.test" }, namespace);
      await using api = apiOf();
      expect(() => api.pin({ kubeconfig: path, context: undefined, namespace: undefined })).toThrow(
        `context "one" of the kubeconfig names namespace "${namespace}", which cannot be one`,
      );
    },
  );

  test("gives one access per kubeconfig and context", async () => {
    const path = kubeconfig({ one: "https://one.test", two: "https://two.test" });
    await using api = apiOf();
    const place = { kubeconfig: path, context: "one", namespace: "a" };
    expect(api.access(place)).toBe(api.access({ ...place, namespace: "b" }));
    expect(api.access(place)).not.toBe(api.access({ ...place, context: "two" }));
    expect(api.access(place)).toMatchObject({ context: "one", user: "one" });
  });
});

describe("wake", () => {
  test("of a place tries its lists again; of everything those of all contexts", async () => {
    await using one = await FakeApiServer.start();
    await using two = await FakeApiServer.start();
    const path = kubeconfig({ one: one.url, two: two.url });
    const clock = new FakeClock();
    await using api = apiOf(clock);
    for (const server of [one, two]) server.refuse("pods", 403, 99);
    const told: string[] = [];
    const places = ["one", "two"].map((context) =>
      api.pin({ kubeconfig: path, context, namespace: undefined }),
    );
    for (const place of places) {
      const request = { place, target: { kind: "pod", name: "a" }, remotePort: undefined } as const;
      api.follow(request, (resolution) => {
        told.push(`${place.context} ${resolution.kind === "none" ? resolution.reason.code : "found"}`);
      });
    }
    await until(() => told.length === 2);
    told.length = 0;
    api.wake(places[0]);
    await until(() => told.length === 1);
    expect([told, one.lists("pods"), two.lists("pods")]).toEqual([["one Forbidden"], 2, 1]);
    api.wake();
    await until(() => told.length === 3);
    expect([one.lists("pods"), two.lists("pods")]).toEqual([3, 2]);
    api.wake({ kubeconfig: path, context: "never pinned", namespace: "shop" });
  });
});

describe("the return of a server", () => {
  test("is told once, and its other lists go on at once", async () => {
    const server = await FakeApiServer.start();
    server.put("shop", "pods", podJson("a"));
    const path = kubeconfig({ one: server.url });
    const clock = new FakeClock();
    const api = apiOf(clock);
    const backs: string[] = [];
    api.whenBack(({ context }) => backs.push(context));
    const place = api.pin({ kubeconfig: path, context: "one", namespace: undefined });
    server.script("/pods", (_, response) => response.socket?.destroy(), 4);
    const told: string[] = [];
    for (const namespace of ["shop", "team"]) {
      const request = {
        place: { ...place, namespace },
        target: { kind: "pod", name: "a" },
        remotePort: undefined,
      };
      api.follow(request as Parameters<typeof api.follow>[0], (resolution) =>
        told.push(`${namespace} ${resolution.kind === "none" ? resolution.reason.code : "found"}`),
      );
    }
    await until(() => told.length === 2);
    expect(backs).toEqual([]);
    while (backs.length === 0) await clock.advance(5);
    await until(() => server.watches === 2);
    expect(new Set(told)).toEqual(
      new Set(["shop Unreachable", "team Unreachable", "shop found", "team PodMissing"]),
    );
    expect(backs).toEqual(["one"]);
    await api[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
});

describe("doubt", () => {
  test("of a server asks it again on behalf of all its namespaces, and of no other; once in five seconds", async () => {
    await using one = await FakeApiServer.start();
    await using two = await FakeApiServer.start();
    const path = kubeconfig({ one: one.url, two: two.url });
    const clock = new FakeClock();
    await using api = apiOf(clock);
    for (const server of [one, two]) server.refuse("pods", 403, 99);
    let told = 0;
    const follow = (context: string, namespace: string) => {
      const place = api.pin({ kubeconfig: path, context, namespace });
      api.follow({ place, target: { kind: "pod", name: "a" }, remotePort: undefined }, () => void told++);
      return place;
    };
    const doubted = follow("one", "shop");
    follow("one", "team");
    follow("two", "shop");
    await until(() => told === 3);
    api.doubt(doubted);
    api.doubt(doubted);
    await until(() => told === 5);
    expect([one.lists("pods"), two.lists("pods")]).toEqual([4, 1]);
    await clock.advance(4_999);
    api.doubt(doubted);
    await settle();
    expect(one.lists("pods")).toBe(4);
    await clock.advance(1);
    api.doubt(doubted);
    await until(() => told === 7);
    expect([one.lists("pods"), two.lists("pods")]).toEqual([6, 1]);
  });
});

describe("follow", () => {
  test("goes to the context's server with its token; two contexts with one namespace are two", async () => {
    await using one = await FakeApiServer.start();
    await using two = await FakeApiServer.start();
    one.put("shop", "pods", podJson("a", { uid: "1" }));
    two.put("shop", "pods", podJson("a", { uid: "2" }));
    const path = kubeconfig({ one: one.url, two: `${two.url}/prefix` });
    const clock = new FakeClock();
    {
      await using api = apiOf(clock);
      const told: unknown[] = [];
      for (const context of ["one", "two"]) {
        const place = api.pin({ kubeconfig: path, context, namespace: undefined });
        const request = {
          place,
          target: { kind: "pod", name: "a" },
          remotePort: { via: "pod", port: 1 },
        } as const;
        api.follow(request, (resolution) => told.push(resolution));
      }
      await until(() => told.length === 2 && one.watches + two.watches === 2);
      expect(told).toEqual(
        expect.arrayContaining([
          { kind: "found", endpoint: { context: "one", namespace: "shop", pod: "a", podUid: "1", port: 1 } },
          { kind: "found", endpoint: { context: "two", namespace: "shop", pod: "a", podUid: "2", port: 1 } },
        ]),
      );
      expect(one.asked[0]).toMatchObject({
        headers: { authorization: "Bearer token-of-one", "user-agent": "kfwd/1" },
      });
      expect(two.asked[0]?.path).toBe("/prefix/api/v1/namespaces/shop/pods");
    }
    await until(() => one.connections + two.connections === 0);
    expect(clock.pending).toBe(0);
  });

  test("in a place that was never pinned and does not exist tells why, once, unless disposed first", async () => {
    await using api = apiOf();
    const place = { kubeconfig: join(folder, "none"), context: "x", namespace: "shop" };
    const request = { place, target: { kind: "pod", name: "a" }, remotePort: undefined } as const;
    const told: unknown[] = [];
    api.follow(request, (resolution) => told.push(resolution));
    api.follow(request, () => expect.unreachable())[Symbol.dispose]();
    expect(told).toEqual([]);
    await settle();
    expect(told).toMatchObject([{ kind: "none", reason: { code: "KubeconfigMissing", kind: "denied" } }]);
  });

  test("goes on with what was pinned when the kubeconfig vanishes", async () => {
    await using server = await FakeApiServer.start();
    server.put("shop", "pods", podJson("a"));
    const path = kubeconfig({ one: server.url });
    await using api = apiOf();
    const place = api.pin({ kubeconfig: path, context: undefined, namespace: undefined });
    rmSync(path);
    const told: unknown[] = [];
    const target = { kind: "pod", name: "a" } as const;
    api.follow({ place, target, remotePort: { via: "pod", port: 1 } }, (resolution) => told.push(resolution));
    await until(() => told.length === 1);
    expect(told).toMatchObject([{ kind: "found" }]);
  });
});
