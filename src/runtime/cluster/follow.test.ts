import { describe, expect, test } from "vitest";
import { FakeApiServer, until } from "../../../test/fakes/apiserver.ts";
import { FakeClock, settle } from "../../../test/fakes/clock.ts";
import { podJson, serviceJson, sliceJson, workloadJson } from "../../../test/fakes/kubeobjects.ts";
import type { Log, Resolution } from "../deps.ts";
import type { RenewableAccess } from "./access.ts";
import { Followers } from "./follow.ts";
import type { FollowRequest } from "./resolve.ts";
import { RestClient } from "./rest.ts";

const quiet = (): void => {};
const LOG: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

type Target = FollowRequest["target"];
const SVC: Target = { kind: "svc", name: "api" };
const POD: Target = { kind: "pod", name: "a" };

/** Followers of one server, and what each was told: `a:8080`, `NoReadyPods`. */
class Rig implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly followers = new Followers(this.clock);
  readonly rest: RestClient;
  readonly server: FakeApiServer;

  constructor(server: FakeApiServer, context = "kt") {
    this.server = server;
    const credentials = { tls: {}, headers: {} };
    const access: RenewableAccess = {
      context,
      user: "ann",
      server: new URL(server.url),
      credentials: () => Promise.resolve(credentials),
      forget: quiet,
    };
    this.rest = new RestClient(access, this.clock);
  }

  static async start(): Promise<Rig> {
    const server = await FakeApiServer.start();
    server.put("shop", "services", serviceJson("api"));
    server.put("shop", "pods", podJson("a"));
    return new Rig(server);
  }

  follow(
    target: Target = SVC,
    namespace = "shop",
    rest = this.rest,
    more: Pick<FollowRequest, "pick" | "entry"> & { readonly random?: () => number } = {},
  ): { told: string[]; follower: Disposable } {
    const told: string[] = [];
    const remotePort = target.kind === "svc" ? undefined : ({ via: "pod", port: 1 } as const);
    const { context } = rest.access;
    const { random = () => 0.5, ...wishes } = more;
    const request = { place: { kubeconfig: undefined, context, namespace }, target, remotePort, ...wishes };
    const around = { rest, clock: this.clock, random, log: LOG };
    let phase: "asking" | "following" = "asking";
    const follower = this.followers.follow(around, request, (resolution) => {
      expect(phase).toBe("following"); // never told from within the call
      told.push(short(resolution));
    });
    phase = "following";
    return { told, follower };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.followers[Symbol.asyncDispose]();
    this.rest[Symbol.dispose]();
    await this.server[Symbol.asyncDispose]();
    expect(this.clock.pending).toBe(0);
  }
}

function short(resolution: Resolution): string {
  if (resolution.kind === "none") return resolution.reason.code;
  return `${resolution.endpoint.pod}:${resolution.endpoint.port}`;
}

describe("sharing", () => {
  test("ten forwards of one namespace cost two lists and two watches", async () => {
    await using rig = await Rig.start();
    const all = Array.from({ length: 10 }, () => rig.follow());
    await until(() => all.every(({ told }) => told.length === 1) && rig.server.watches === 2);
    expect(all.map(({ told }) => told)).toEqual(Array.from({ length: 10 }, () => ["a:8080"]));
    expect(rig.server.asked.length).toBe(4);
    expect(rig.server.lists("pods") + rig.server.lists("services")).toBe(2);
  });

  test("pods and selectors need only pods, a workload one kind more", async () => {
    await using rig = await Rig.start();
    rig.server.put("shop", "deployments", workloadJson("api"));
    const pods = [rig.follow(POD), rig.follow({ kind: "selector", selector: "app=web" })];
    await until(() => pods.every(({ told }) => told.length === 1));
    expect(rig.server.lists("services")).toBe(0);
    const { told } = rig.follow({ kind: "deploy", name: "api" });
    await until(() => told.length === 1);
    expect(told).toEqual(["a:1"]);
    expect(
      rig.server.asked.filter((a) => a.path === "/apis/apps/v1/namespaces/shop/deployments").length,
    ).toBeGreaterThan(0);
    expect(rig.server.lists("pods")).toBe(1);
  });

  test("a later follower is told at once from what is known, but not before follow returned", async () => {
    await using rig = await Rig.start();
    const first = rig.follow();
    await until(() => first.told.length === 1 && rig.server.watches === 2);
    const asked = rig.server.asked.length;
    const second = rig.follow();
    expect(second.told).toEqual([]);
    await settle();
    expect(second.told).toEqual(["a:8080"]);
    expect(rig.server.asked.length).toBe(asked);
  });

  test("the last one that leaves ends the watches; the others do not", async () => {
    await using rig = await Rig.start();
    const [first, second] = [rig.follow(), rig.follow()];
    await until(() => rig.server.watches === 2);
    first.follower[Symbol.dispose]();
    first.follower[Symbol.dispose]();
    await settle();
    expect(rig.server.watches).toBe(2);
    second.follower[Symbol.dispose]();
    await until(() => rig.server.watches === 0);
    expect(rig.clock.pending).toBe(0);
    const again = rig.follow();
    await until(() => again.told.length === 1);
    expect(rig.server.lists("pods")).toBe(2);
  });

  test("namespaces of one name in two contexts are two", async () => {
    await using one = await Rig.start();
    await using other = new Rig(await FakeApiServer.start(), "other");
    other.server.put("shop", "pods", podJson("z"));
    const here = one.follow({ kind: "selector", selector: "app=web" });
    const there = one.follow({ kind: "selector", selector: "app=web" }, "shop", other.rest);
    await until(() => here.told.length === 1 && there.told.length === 1);
    expect([here.told, there.told]).toEqual([["a:1"], ["z:1"]]);
    await one.followers[Symbol.asyncDispose]();
  });

  test("namespaces of one context are two as well", async () => {
    await using rig = await Rig.start();
    rig.server.put("team", "pods", podJson("t"));
    const all = [rig.follow(POD), rig.follow({ kind: "pod", name: "t" }, "team")];
    await until(() => all.every(({ told }) => told.length === 1));
    expect(all.map(({ told }) => told)).toEqual([["a:1"], ["t:1"]]);
  });
});

describe("telling", () => {
  test("a replaced pod, a vanished one, a new port, a deleted service, each once", async () => {
    await using rig = await Rig.start();
    const { told } = rig.follow();
    await until(() => rig.server.watches === 2 && told.length === 1);
    rig.server.put("shop", "pods", podJson("b"));
    rig.server.put("shop", "pods", podJson("a", { deleting: true }));
    await until(() => told.at(-1) === "b:8080");
    rig.server.remove("shop", "pods", "a");
    rig.server.put("shop", "pods", podJson("b", { ready: false }));
    await until(() => told.at(-1) === "NoReadyPods");
    rig.server.put("shop", "pods", podJson("b"));
    await until(() => told.at(-1) === "b:8080");
    rig.server.put("shop", "services", serviceJson("api", { ports: [{ port: 80, targetPort: 9000 }] }));
    await until(() => told.at(-1) === "b:9000");
    rig.server.put(
      "shop",
      "services",
      serviceJson("api", { selector: { app: "none" }, ports: [{ port: 80 }] }),
    );
    await until(() => told.at(-1) === "NoPods");
    rig.server.remove("shop", "services", "api");
    await until(() => told.at(-1) === "ServiceMissing");
    rig.server.put("shop", "services", serviceJson("api"));
    await until(() => told.at(-1) === "b:8080");
    expect(told).toEqual([
      "a:8080",
      "b:8080",
      "NoReadyPods",
      "b:8080",
      "b:9000",
      "NoPods",
      "ServiceMissing",
      "b:8080",
    ]);
  });

  test("EndpointSlices are asked for as long as the Service has no selector, and followed", async () => {
    await using rig = await Rig.start();
    const { told } = rig.follow();
    await until(() => rig.server.watches === 2 && told.length === 1);
    expect(rig.server.lists("endpointslices")).toBe(0);
    rig.server.put("shop", "services", serviceJson("api", { selector: null }));
    await until(() => rig.server.watches === 3 && told.at(-1) === "NoSelector");
    const end = { addresses: [], targetRef: { kind: "Pod", name: "a", uid: "uid-a" } };
    rig.server.put("shop", "endpointslices", sliceJson("api-1", "api", [end]));
    await until(() => told.at(-1) === "a:8080");
    rig.server.put("shop", "services", serviceJson("api"));
    await until(() => rig.server.watches === 2);
    expect(told).toEqual(["a:8080", "NoSelector", "a:8080"]);
  });

  test("changes that do not concern the target are not told, nor is a restart of the watch", async () => {
    await using rig = await Rig.start();
    const { told } = rig.follow();
    await until(() => rig.server.watches === 2 && told.length === 1);
    rig.server.put("shop", "pods", podJson("other", { labels: { app: "db" } }));
    rig.server.put("shop", "pods", podJson("b", { readySince: "2020-01-01T00:00:00Z" })); // older, but a is in use
    await rig.clock.advance(20_000);
    rig.server.compact();
    rig.server.reset();
    await until(() => rig.server.lists("pods") === 2 && rig.server.watches === 2);
    rig.server.remove("shop", "pods", "a");
    await until(() => told.length > 1);
    expect(told).toEqual(["a:8080", "b:8080"]);
  });

  test("a new pod of the old name is news", async () => {
    await using rig = await Rig.start();
    const { told } = rig.follow(POD);
    await until(() => rig.server.watches === 1 && told.length === 1);
    rig.server.put("shop", "pods", podJson("a", { uid: "another" }));
    await until(() => told.length === 2);
    expect(told).toEqual(["a:1", "a:1"]);
  });

  test("nothing after it was disposed", async () => {
    await using rig = await Rig.start();
    const early = rig.follow();
    early.follower[Symbol.dispose]();
    const { told, follower } = rig.follow(POD);
    const witness = rig.follow(POD);
    await until(() => told.length === 1);
    follower[Symbol.dispose]();
    rig.server.remove("shop", "pods", "a");
    await until(() => witness.told.at(-1) === "PodMissing");
    expect(told).toEqual(["a:1"]);
    expect(early.told).toEqual([]);
  });
});

describe("a wake", () => {
  test("of one namespace tries its lists again, and the same trouble is told again", async () => {
    await using rig = await Rig.start();
    rig.server.refuse("pods", 403, 9);
    const here = rig.follow(POD);
    const there = rig.follow(POD, "team");
    await until(() => here.told.length === 1 && there.told.length === 1);
    rig.followers.wake("asked", { rest: rig.rest, namespace: "shop" });
    await until(() => here.told.length === 2);
    expect([here.told, there.told]).toEqual([["Forbidden", "Forbidden"], ["Forbidden"]]);
    expect(rig.server.lists("pods")).toBe(3);
  });

  test("of all makes every watch anew, and nobody is told what they know", async () => {
    await using rig = await Rig.start();
    const all = [rig.follow(), rig.follow(POD)];
    await until(() => all.every(({ told }) => told.length === 1) && rig.server.watches === 2);
    rig.followers.wake("slept");
    await until(() => rig.server.watched("pods") + rig.server.watched("services") === 4);
    expect(all.map(({ told }) => told)).toEqual([["a:8080"], ["a:1"]]);
  });
});

describe("trouble", () => {
  test("one list that is refused is told though the other has come", async () => {
    await using rig = await Rig.start();
    rig.server.refuse("services", 403, 9);
    const { told } = rig.follow();
    const pod = rig.follow(POD);
    await until(() => told.length === 1 && pod.told.length === 1);
    expect([told, pod.told]).toEqual([["Forbidden"], ["a:1"]]);
  });

  test("an endpoint stands while the API does not answer; a missing one is told with what keeps us from knowing", async () => {
    await using rig = await Rig.start();
    const found = rig.follow();
    const missing = rig.follow({ kind: "pod", name: "x" });
    await until(() => rig.server.watches === 2 && found.told.length === 1 && missing.told.length === 1);
    rig.server.script("watch", (_, response) => response.socket?.destroy(), 4);
    rig.server.reset();
    while (missing.told.length < 3) await rig.clock.advance(100);
    expect(found.told).toEqual(["a:8080"]);
    expect(missing.told).toEqual(["PodMissing", "Unreachable", "PodMissing"]);
  });
});

describe("forwards of one entry", () => {
  /** Two that would go to different pods by themselves. */
  const two = (rig: Rig, entry: string | undefined) => {
    const pick = "random" as const;
    const first = rig.follow(SVC, "shop", rig.rest, { pick, entry, random: () => 0.99 });
    const second = rig.follow(SVC, "shop", rig.rest, { pick, entry, random: () => 0 });
    return { first, second };
  };

  test("lead to one pod, which the first of them has chosen, and to the next one together", async () => {
    await using rig = await Rig.start();
    for (const name of ["b", "c", "d"]) rig.server.put("shop", "pods", podJson(name));
    const { first, second } = two(rig, "kafka");
    await until(() => first.told.length + second.told.length === 2);
    expect(first.told).toEqual(second.told);
    const [pod = ""] = (first.told[0] ?? "").split(":");
    rig.server.put("shop", "pods", podJson(pod, { ready: false }));
    await until(() => first.told.length + second.told.length === 4);
    expect(first.told[1]).not.toBe(first.told[0]);
    expect(first.told).toEqual(second.told);
    for (const { follower } of [first, second]) follower[Symbol.dispose]();
  });

  test("that come later join them; others go where they like", async () => {
    await using rig = await Rig.start();
    for (const name of ["b", "c"]) rig.server.put("shop", "pods", podJson(name));
    const { first, second } = two(rig, undefined);
    await until(() => first.told.length + second.told.length === 2);
    expect(first.told).not.toEqual(second.told);
    const one = rig.follow(SVC, "shop", rig.rest, { pick: "random", entry: "kafka", random: () => 0.99 });
    await until(() => one.told.length === 1);
    const late = rig.follow(SVC, "shop", rig.rest, { entry: "kafka" });
    await until(() => late.told.length === 1);
    expect(late.told).toEqual(one.told);
    for (const { follower } of [first, second, one, late]) follower[Symbol.dispose]();
  });
});
