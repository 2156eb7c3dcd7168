import { beforeEach, describe, expect, test } from "vitest";
import { settle } from "../../test/fakes/clock.ts";
import { FakeWorld } from "../../test/fakes/world.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { readinessOf } from "./core/readiness.ts";
import type { ForwardStatus, SupervisorEvent } from "./core/status.ts";
import { HOLD_MAX } from "./forwards/serve.ts";
import { Supervisor } from "./supervisor.ts";

const self = { pid: 1, mode: "detached", version: "0.0.0", startedAt: "", log: "" } as const;

const gone = { code: "PodGone", kind: "gone", message: "pod is gone" } as const;

function spec(name: string, local: number, change: Partial<ForwardSpec> = {}): ForwardSpec {
  return {
    name,
    target: { kind: "svc", name },
    remotePort: { via: "service", port: 80 },
    protocol: "tcp",
    local,
    bind: ["localhost"],
    required: true,
    source: { file: "forwards.yaml", line: 1, column: 1 },
    ...change,
  };
}

let world: FakeWorld;
let supervisor: Supervisor;
let events: SupervisorEvent[];

beforeEach(async () => {
  world = new FakeWorld();
  supervisor = new Supervisor(world, self);
  events = [];
  await supervisor.follow((event) => events.push(event));
});

async function apply(
  forwards: readonly ForwardSpec[],
  names: readonly string[] | null = null,
  allowContexts: readonly string[] = [],
): Promise<string[]> {
  const config = { path: "/shop/forwards.yaml", sha256: "0" };
  const { changes } = await supervisor.apply({ project: "shop", config, forwards, names, allowContexts });
  await settle();
  return changes.map(({ name, action }) => `${action} ${name}`);
}

async function statusOf(name: string): Promise<ForwardStatus> {
  const { entries } = await supervisor.status();
  const status = entries.find((entry) => entry.name === name);
  if (!status) throw new Error(`no forward ${name}`);
  return status;
}

/** One forward, ready on a pod. */
async function readyForward(): Promise<void> {
  world.cluster.podIsReady("api-1");
  await apply([spec("api", 8080)]);
  world.cluster.tunnelNow.opens();
  await settle();
}

describe("a login", () => {
  test("comes before anything is started, once for each cluster, and nothing ends meanwhile", async () => {
    const done = world.cluster.asksForLogin();
    const applied = apply([spec("a", 1), spec("b", 2), spec("c", 3, { context: "other" })]);
    await settle();
    expect(world.net.bound.size).toBe(0);
    supervisor.endIfIdle();
    done();
    expect(await applied).toEqual(["start a", "start b", "start c"]);
    expect(world.cluster.logins).toEqual(["kt", "other"]);
  });

  test("that is under way while all is stopped starts nothing any more", async () => {
    const done = world.cluster.asksForLogin();
    const applied = expect(apply([spec("a", 1)])).rejects.toMatchObject({ code: "NOT_RUNNING" });
    await settle();
    await supervisor.stop({ names: null, drainMs: 0 });
    done();
    await applied;
    expect(world.net.bound.size).toBe(0);
  });
});

describe("a forward that follows the current context", () => {
  const following = (name: string, local: number, more: Partial<ForwardSpec> = {}) =>
    spec(name, local, { followContext: true, ...more });

  /** Long enough to be noticed. */
  const switchTo = async (context: string): Promise<void> => {
    world.cluster.currentContext = context;
    await world.clock.advance(5_000);
  };

  test("moves: same port, other cluster, its clients reset; one that does not follow stays", async () => {
    world.cluster.podIsReady("api-1");
    await apply([following("api", 8080), spec("pinned", 8081)]);
    for (const tunnel of world.cluster.tunnels) tunnel.opens();
    const [moving, staying] = [world.net.connect(8080), world.net.connect(8081)];
    await settle();
    const [old] = world.cluster.tunnels;
    events.length = 0;

    await switchTo("staging");
    expect([moving.stage, staying.stage]).toEqual(["reset", "carried"]);
    expect(old?.disposed).toBe(true);
    world.cluster.tunnelNow.opens();
    expect(await statusOf("api")).toMatchObject({ state: "ready", context: "staging", localPort: 8080 });
    expect(await statusOf("pinned")).toMatchObject({ state: "ready", context: "kt" });
    expect((await supervisor.status()).notes?.map(({ code }) => code)).toEqual(["ContextMoved"]);
    expect(world.log.lines).toContain("context changed");
    const contexts = events.map((event) => (event.type === "forward" ? event.status.context : ""));
    expect(new Set(contexts)).toEqual(new Set(["staging"]));
    expect(world.cluster.followers.size).toBe(2);
  });

  test("is kept by a later `up` where it has moved to, and its note has served", async () => {
    await apply([following("api", 8080)]);
    await switchTo("staging");
    expect(await apply([following("api", 8080)])).toEqual(["keep api"]);
    expect((await supervisor.status()).notes).toBeUndefined();
  });

  test("stays out of a protected context until somebody allows it", async () => {
    const file = [following("api", 8080, { protect: ["*prod*"] })];
    await apply(file);
    await switchTo("prod-eu");
    expect(await statusOf("api")).toMatchObject({ context: "kt" });
    expect((await supervisor.status()).notes).toMatchObject([
      { code: "ContextKept", hint: "kfwd up --allow-context prod-eu" },
    ]);
    await expect(apply(file)).rejects.toMatchObject({ code: "PROTECTED_CONTEXT" });
    expect(await statusOf("api")).toMatchObject({ context: "kt" });
    expect(await apply(file, null, ["prod-eu"])).toEqual(["replace api"]);
    expect(await statusOf("api")).toMatchObject({ context: "prod-eu" });
  });

  test("is looked after no more when all ends", async () => {
    await apply([following("api", 8080)]);
    await supervisor.stop({ names: null, drainMs: 0 });
    expect(world.clock.pending).toBe(0);
  });
});

test("nothing changes when a forward would go to a protected context, unless that is allowed", async () => {
  await apply([spec("a", 1)]);
  world.cluster.currentContext = "prod-eu";
  const file = [spec("a", 1, { context: "kt" }), spec("b", 2, { protect: ["*prod*"] })];
  await expect(apply(file)).rejects.toMatchObject({
    code: "PROTECTED_CONTEXT",
    message: 'context "prod-eu" matches protect "*prod*"',
    hint: "--allow-context prod-eu",
  });
  expect([...world.net.bound.keys()]).toEqual([1]);
  expect(await apply(file, null, ["prod-eu"])).toEqual(["keep a", "start b"]);
  expect(await apply([spec("a", 1, { context: "kt" }), spec("b", 2)])).toEqual(["keep a", "update b"]);
});

test("status has the notes of the clusters in use, each once", async () => {
  const note = { code: "TlsNotVerified", message: "not checked" };
  world.cluster.notesOf.set("kt", [note]).set("unused", [{ code: "X", message: "of nobody" }]);
  await apply([spec("a", 1), spec("b", 2)]);
  expect((await supervisor.status()).notes).toEqual([note]);
});

describe("a forward", () => {
  test("binds its port at once and is ready when its tunnel is proven", async () => {
    await apply([spec("api", 8080)]);
    expect(world.net.bound.has(8080)).toBe(true);
    expect((await statusOf("api")).state).toBe("resolving");
    world.cluster.podIsReady("api-1");
    expect((await statusOf("api")).state).toBe("connecting");
    world.cluster.tunnelNow.opens();
    expect(await statusOf("api")).toMatchObject({
      state: "ready",
      pod: "api-1",
      podPort: 8080,
      context: "kt",
    });
  });

  test("holds connections while no pod is ready, and keeps its port", async () => {
    await readyForward();
    world.cluster.noPodIsReady();
    expect(await statusOf("api")).toMatchObject({ state: "waiting", reason: { code: "NoReadyPods" } });
    const client = world.net.connect(8080);
    await settle();
    expect([client.stage, (await statusOf("api")).traffic.held]).toEqual(["waiting", 1]);
    world.cluster.podIsReady("api-2");
    world.cluster.tunnelNow.opens();
    await settle();
    expect(client.stage).toBe("carried");
    expect(await statusOf("api")).toMatchObject({
      pod: "api-2",
      restarts: 1,
      traffic: { held: 0, connections: 1 },
    });
  });

  test("lets its connections go on when it moves to another pod", async () => {
    await readyForward();
    const client = world.net.connect(8080);
    await settle();
    const [first] = world.cluster.tunnels;
    world.cluster.podIsReady("api-2");
    expect([client.stage, first?.disposed]).toEqual(["carried", true]);
  });

  test("refuses the connection one too many", async () => {
    await apply([spec("api", 8080)]);
    const clients = Array.from({ length: HOLD_MAX + 1 }, () => world.net.connect(8080));
    await settle();
    expect(clients.filter(({ stage }) => stage === "reset").length).toBe(1);
    expect((await statusOf("api")).traffic).toMatchObject({ held: HOLD_MAX, refused: 1 });
  });

  test("refuses at once while nothing is ready, where the file wants it so", async () => {
    await apply([spec("api", 8080, { whenUnavailable: "refuse" })]);
    const early = world.net.connect(8080);
    await settle();
    expect(early.stage).toBe("reset");
    expect(await statusOf("api")).toMatchObject({
      lastError: { message: "no pod was ready" },
      traffic: { held: 0, waited: 0, refused: 1 },
    });
    world.cluster.podIsReady("api-1");
    world.cluster.tunnelNow.opens();
    const client = world.net.connect(8080);
    await settle();
    expect(client.stage).toBe("carried");
  });

  test("holds a connection no longer than the file says, and counts who had to wait", async () => {
    await apply([spec("api", 8080, { holdMs: 500 })]);
    const client = world.net.connect(8080);
    await world.clock.advance(499);
    expect(client.stage).toBe("waiting");
    await world.clock.advance(1);
    expect(client.stage).toBe("reset");
    expect((await statusOf("api")).traffic).toMatchObject({ held: 0, waited: 1, refused: 1 });
  });

  test("where nobody is to wait, the way to a pod that is ready is waited for, a second at most", async () => {
    await apply([spec("api", 8080, { whenUnavailable: "refuse" })]);
    world.cluster.podIsReady("api-1");
    await settle();
    const [early, unlucky] = [world.net.connect(8080), world.net.connect(8080)];
    world.cluster.tunnelNow.opens();
    await settle();
    expect([early.stage, unlucky.stage]).toEqual(["carried", "carried"]);

    world.cluster.podIsReady("api-2"); // as in a rollout
    unlucky.ends({ end: { kind: "refused", reason: gone }, replayable: true });
    const late = world.net.connect(8080);
    await settle();
    expect([unlucky.stage, late.stage]).toEqual(["carried", "waiting"]);
    await world.clock.advance(1_000);
    expect([unlucky.stage, late.stage]).toEqual(["reset", "reset"]);

    world.cluster.noPodIsReady();
    await settle();
    const nobody = world.net.connect(8080);
    await settle();
    expect(nobody.stage).toBe("reset");
    expect((await statusOf("api")).lastError?.message).toBe("no pod was ready");
  });

  test("an application that fails its probe holds clients until it passes, and status has its words", async () => {
    const probe = { type: "http", path: "/ready", status: [200, 399], failures: 2 } as const;
    await apply([spec("api", 8080, { probe: { ...probe, intervalMs: 10_000, timeoutMs: 1_000 } })]);
    const answers = ["HTTP/1.1 503 Busy\r\n", "HTTP/1.1 200 OK\r\n"];
    world.cluster.answer = () => answers.shift() ?? "HTTP/1.1 500 Oops\r\n";
    world.cluster.podIsReady("api-1");
    world.cluster.tunnelNow.opens();
    await settle();
    expect(await statusOf("api")).toMatchObject({
      state: "waiting",
      pod: "api-1",
      attempt: 1,
      reason: {
        code: "ProbeFailed",
        message: "the probe failed: GET /ready: answered 503, wanted 200 to 399",
      },
    });
    const client = world.net.connect(8080);
    await settle();
    expect(client.stage).toBe("waiting");
    await world.clock.advance(500);
    expect(await statusOf("api")).toMatchObject({ state: "ready", reason: null });
    expect(client.stage).toBe("carried");
    await world.clock.advance(10_000);
    expect(await statusOf("api")).toMatchObject({
      state: "ready",
      lastError: { message: "the probe failed: GET /ready: answered 500, wanted 200 to 399" },
    });
    await world.clock.advance(10_000);
    expect(await statusOf("api")).toMatchObject({ state: "waiting", attempt: 2 });
    expect(client.stage).toBe("carried");
    await supervisor.stop({ names: ["api"], drainMs: 0 });
    expect(world.clock.pending).toBe(0);
  });

  test("counts clients for whom there is no room, and logs them now and then", async () => {
    await readyForward();
    for (let client = 0; client < 100; client++) world.net.refuse(8080, `no room for ${client}`);
    expect(await statusOf("api")).toMatchObject({
      state: "ready",
      lastError: { message: "no room for 99" },
      traffic: { refused: 100, connections: 0, held: 0 },
    });
    const logged = (): number => world.log.lines.filter((line) => line === "connection failed").length;
    expect(logged()).toBe(1);
    await world.clock.advance(10_000);
    world.net.refuse(8080, "no room");
    expect(logged()).toBe(2);
  });

  test("tries a lost tunnel again, later each time, even when timers fire a little early", async () => {
    await readyForward();
    const tunnel = world.cluster.tunnelNow;
    tunnel.breaks();
    expect(tunnel.retries).toBe(1); // at once
    tunnel.breaks();
    expect((await statusOf("api")).state).toBe("waiting");
    await world.clock.advance(99.7);
    expect(tunnel.retries).toBe(1);
    await world.clock.advance(1);
    expect(tunnel.retries).toBe(2);
    tunnel.opens();
    expect((await statusOf("api")).state).toBe("ready");
  });

  test("does not wait for its timer when the machine wakes", async () => {
    await readyForward();
    const tunnel = world.cluster.tunnelNow;
    tunnel.breaks();
    tunnel.breaks("denied");
    supervisor.wake();
    expect(tunnel.retries).toBe(2);
  });

  test("goes on when the machine wakes with what the cluster tells then", async () => {
    world.cluster.says({ kind: "none", reason: { code: "Forbidden", kind: "denied", message: "may not" } });
    await apply([spec("api", 8080)]);
    supervisor.wake();
    expect(world.cluster.woken).toEqual([undefined]);
    expect((await statusOf("api")).state).toBe("resolving");
    world.cluster.podIsReady("api-1");
    expect((await statusOf("api")).state).toBe("connecting");
  });

  test("lives on when something it does throws, and the log has it", async () => {
    await apply([spec("api", 8080)]);
    world.cluster.tunnel = () => {
      throw new Error("out of order");
    };
    world.cluster.podIsReady("api-1");
    expect(world.log.lines).toContain("effect failed");
    expect(await statusOf("api")).toMatchObject({
      state: "waiting",
      reason: { message: "internal error: out of order" },
    });
    delete (world.cluster as Partial<typeof world.cluster>).tunnel;
    await world.clock.advance(200);
    expect((await statusOf("api")).state).toBe("connecting");
    world.cluster.tunnelNow.opens();
    expect((await statusOf("api")).state).toBe("ready");
  });

  test("whose port is taken fails alone, and says so", async () => {
    world.net.taken.add(8080);
    await apply([spec("api", 8080), spec("web", 8081)]);
    expect(await statusOf("api")).toMatchObject({
      state: "failed",
      reason: { code: "PortBusy", kind: "local" },
    });
    expect((await statusOf("web")).state).toBe("resolving");
  });

  test("whose port is taken has it as soon as it is free, by itself", async () => {
    world.net.taken.add(8080);
    world.cluster.podIsReady("api-1");
    await apply([spec("api", 8080)]);
    const { retryAt, since } = await statusOf("api");
    expect(Date.parse(retryAt ?? "")).toBe(world.clock.wall() + 5_000);
    await world.clock.advance(5_000);
    expect(await statusOf("api")).toMatchObject({ state: "failed", since });
    expect(world.log.lines.filter((line) => line === "failed").length).toBe(1);
    world.net.taken.delete(8080);
    await world.clock.advance(5_000);
    world.cluster.tunnelNow.opens();
    expect(await statusOf("api")).toMatchObject({ state: "ready", retryAt: null, reason: null });
    const client = world.net.connect(8080);
    await settle();
    expect(client.stage).toBe("carried");
  });

  test("whose port is taken can be stopped, also while it tries again", async () => {
    world.net.taken.add(8080);
    await apply([spec("api", 8080)]);
    world.net.taken.delete(8080);
    world.net.slowly = true;
    await world.clock.advance(5_000);
    const stopped = supervisor.stop({ names: ["api"], drainMs: 0 });
    await settle();
    world.net.goOn();
    expect(await stopped).toEqual({ stopped: ["api"] });
    expect(world.net.bound.size).toBe(0);
    expect(world.clock.pending).toBe(0);
  });

  test("remembers what went wrong with one connection, and stays ready", async () => {
    await readyForward();
    const client = world.net.connect(8080);
    await settle();
    const reason = { code: "PodReset", kind: "transient", message: "the pod reset it" } as const;
    client.ends({ end: { kind: "reset", reason }, replayable: false });
    await settle();
    expect(await statusOf("api")).toMatchObject({
      state: "ready",
      lastError: { message: "the pod reset it" },
      traffic: { connections: 0, served: 1 },
    });
  });
});

describe("apply, again", () => {
  test("keeps what is unchanged with its connections, replaces what changed, removes what left", async () => {
    world.cluster.podIsReady("pod-1");
    expect(await apply([spec("a", 1), spec("b", 2), spec("c", 3)])).toEqual([
      "start a",
      "start b",
      "start c",
    ]);
    for (const tunnel of world.cluster.tunnels) tunnel.opens();
    const [toA, toB] = [world.net.connect(1), world.net.connect(2)];
    await settle();
    expect(await apply([spec("a", 1), spec("b", 22)])).toEqual(["remove c", "keep a", "replace b"]);
    expect([toA.stage, toB.stage]).toEqual(["carried", "reset"]);
    expect([...world.net.bound.keys()].sort((x, y) => x - y)).toEqual([1, 22]);
    expect(events).toContainEqual({ type: "removed", name: "c" });
  });

  test("replaces a forward that is still binding, once its port is free again", async () => {
    world.net.slowly = true;
    const first = supervisor.apply({
      project: "shop",
      config: { path: null, sha256: "" },
      forwards: [spec("api", 8080)],
      names: null,
    });
    await settle();
    const second = apply([spec("api", 8080, { target: { kind: "svc", name: "other" } })]);
    await settle();
    world.net.goOn(); // the first one binds, and lets go
    world.net.goOn(); // a second one must not be there yet
    await settle();
    world.net.goOn();
    await Promise.all([first, second]);
    expect(await statusOf("api")).toMatchObject({ state: "resolving", targetText: "svc/other:80" });
  });

  test("a port that one forward gives up can be another's in the same step", async () => {
    await apply([spec("a", 1)]);
    await apply([spec("b", 1)]);
    expect((await statusOf("b")).state).toBe("resolving");
  });

  test("with recreate all replaces what is unchanged, with none keeps what has changed and says so", async () => {
    await apply([spec("api", 8080), spec("db", 5432)]);
    const config = { path: "/shop/forwards.yaml", sha256: "1" };
    const request = { project: "shop", config, forwards: [spec("api", 8081), spec("db", 5432)], names: null };
    const planned = await supervisor.plan({ ...request, recreate: "all" });
    expect(planned.changes).toEqual([
      { name: "api", action: "replace" },
      { name: "db", action: "replace" },
    ]);
    expect((await statusOf("api")).localPort).toBe(8080); // nothing was done
    const kept = await supervisor.apply({ ...request, recreate: "none" });
    expect(kept.changes.map(({ action }) => action)).toEqual(["keep", "keep"]);
    expect((await statusOf("api")).localPort).toBe(8080);
    expect((await supervisor.status()).config.sha256).toBe(""); // so that `status` tells of the difference
    await supervisor.apply({ ...request, recreate: "all" });
    await settle();
    expect((await statusOf("api")).localPort).toBe(8081);
    expect((await supervisor.status()).config.sha256).toBe("1");
  });

  test("tries a failed forward again", async () => {
    world.net.taken.add(8080);
    await apply([spec("api", 8080)]);
    world.net.taken.clear();
    expect(await apply([spec("api", 8080)])).toEqual(["start api"]);
    expect((await statusOf("api")).state).toBe("resolving");
  });

  test("with names touches only these", async () => {
    await apply([spec("a", 1), spec("b", 2)]);
    expect(await apply([spec("b", 22), spec("c", 3)], ["c"])).toEqual(["start c"]);
    expect([...world.net.bound.keys()]).toEqual([1, 2, 3]);
  });

  test("shows forwards in the order of the file", async () => {
    await apply([spec("b", 2), spec("a", 1)]);
    await apply([spec("a", 1), spec("c", 3), spec("b", 2)]);
    expect((await supervisor.status()).entries.map(({ name }) => name)).toEqual(["a", "c", "b"]);
  });

  test("moves to the context that is current now, since the user ran it now", async () => {
    await apply([spec("a", 1)]);
    world.cluster.currentContext = "other";
    expect(await apply([spec("a", 1)])).toEqual(["replace a"]);
    expect((await statusOf("a")).context).toBe("other");
  });

  test("changes nothing when a context is unknown", async () => {
    await apply([spec("a", 1)]);
    await expect(apply([spec("b", 2), spec("c", 3, { context: "unknown" })])).rejects.toThrow("not found");
    expect([...world.net.bound.keys()]).toEqual([1]);
  });
});

describe("a context that is unknown", () => {
  const source = { file: "forwards.yaml", line: 4, column: 3 };
  const lost = { context: "unknown", source };

  test("to one forward: the error names it and its place", async () => {
    await expect(apply([spec("api", 8080), spec("db", 5432, lost)])).rejects.toMatchObject({
      code: "CONTEXT_UNKNOWN",
      message: 'forward "db": context "unknown" not found',
      place: source,
    });
  });

  test("to the one that was chosen, of others that go elsewhere: the same", async () => {
    await expect(apply([spec("api", 8080), spec("db", 5432, lost)], ["db"])).rejects.toMatchObject({
      place: source,
    });
  });

  test("to all of the file: no single one is at fault", async () => {
    await expect(apply([spec("api", 8080, lost), spec("db", 5432, lost)])).rejects.toMatchObject({
      message: 'context "unknown" not found',
      place: undefined,
    });
  });
});

describe("apply, after something was mended", () => {
  const forbidden = { code: "Forbidden", kind: "denied", message: "may not" } as const;

  test("tries a tunnel again that the cluster refused, and `stuck` is said of the new try alone", async () => {
    await readyForward();
    const tunnel = world.cluster.tunnelNow;
    tunnel.breaks("denied");
    expect(await verdict()).toBe("stuck");
    expect(await apply([spec("api", 8080)])).toEqual(["keep api"]);
    expect([tunnel.retries, await verdict()]).toEqual([1, "pending"]);
    tunnel.breaks("denied");
    expect(await verdict()).toBe("stuck");
  });

  test("has the cluster's lists tried again of the places it touches, and waits for what they say", async () => {
    world.cluster.says({ kind: "none", reason: forbidden });
    await apply([spec("api", 8080), spec("web", 8081, { namespace: "team" })]);
    expect(await verdict()).toBe("stuck");
    await apply([spec("api", 8080), spec("web", 8081, { namespace: "team" })], ["api"]);
    expect(world.cluster.woken.map((place) => place?.namespace)).toEqual(["default"]);
    expect((await statusOf("api")).state).toBe("resolving");
    expect((await statusOf("web")).state).toBe("waiting");
    expect(await verdict()).toBe("pending");
    world.cluster.says({ kind: "none", reason: forbidden });
    expect(await verdict()).toBe("stuck");
  });

  async function verdict(): Promise<string> {
    return readinessOf((await supervisor.status()).entries).verdict;
  }
});

describe("which text of the file runs", () => {
  const applyText = (sha256: string, forwards: readonly ForwardSpec[], names: readonly string[] | null) =>
    supervisor.apply({ project: "shop", config: { path: "/shop/forwards.yaml", sha256 }, forwards, names });
  const shaOf = async (): Promise<string> => (await supervisor.status()).config.sha256;

  test("is that of the last apply, when the forwards it left alone are in it as they run", async () => {
    await applyText("one", [spec("a", 1), spec("b", 2)], null);
    await applyText("two", [spec("a", 11), spec("b", 2)], ["a"]);
    expect(await shaOf()).toBe("two");
    await supervisor.stop({ names: ["b"], drainMs: 0 });
    await applyText("three", [spec("a", 11), spec("b", 22)], ["a"]);
    expect(await shaOf()).toBe("three"); // b does not run
  });

  test.each([
    { name: "changed", forwards: [spec("a", 11), spec("b", 22)] },
    { name: "left the file", forwards: [spec("a", 11)] },
  ])("is none when a forward that was left alone has $name", async ({ forwards }) => {
    await applyText("one", [spec("a", 1), spec("b", 2)], null);
    await applyText("two", forwards, ["a"]);
    expect(await shaOf()).toBe("");
    await applyText("two", forwards, null);
    expect(await shaOf()).toBe("two");
  });
});

describe("forwards that are stopped one at a time", () => {
  const three = [spec("a", 1), spec("b", 2), spec("c", 3)];
  const states = async (): Promise<string[]> =>
    (await supervisor.status()).entries.map(({ name, state }) => `${name} ${state}`);

  beforeEach(async () => {
    world.cluster.podIsReady("pod-1");
    await apply(three);
    for (const tunnel of world.cluster.tunnels) tunnel.opens();
    await settle();
    events.length = 0;
  });

  test("stay in their place, free their ports, reset their clients, and leave the others alone", async () => {
    const [toA, toB] = [world.net.connect(1), world.net.connect(2)];
    await settle();
    expect(await supervisor.halt({ names: ["b"], drainMs: 0 })).toEqual({ names: ["b"] });
    expect(await states()).toEqual(["a ready", "b stopped", "c ready"]);
    expect([...world.net.bound.keys()]).toEqual([1, 3]);
    expect([toA.stage, toB.stage]).toEqual(["carried", "reset"]);
    expect(await statusOf("b")).toMatchObject({ local: [], localPort: 2, pod: null, reason: null });
    expect(events.at(-1)).toEqual({ type: "halted", name: "b" });
    expect(world.cluster.followers.size).toBe(2);
  });

  test("give their clients the time that they are given", async () => {
    const client = world.net.connect(2);
    await settle();
    const halted = supervisor.halt({ names: ["b"], drainMs: 1_000 });
    await world.clock.advance(999);
    expect([(await statusOf("b")).state, client.stage]).toEqual(["stopping", "carried"]);
    await world.clock.advance(1);
    expect([await halted, client.stage]).toEqual([{ names: ["b"] }, "reset"]);
  });

  test("hold up nobody while their clients go on; to start one resets those, and to stop it again hurries", async () => {
    const [toA, toB] = [world.net.connect(1), world.net.connect(2)];
    await settle();
    const slow = supervisor.halt({ names: ["a", "b"], drainMs: 60_000 });
    expect(await apply(three, ["c"])).toEqual(["keep c"]);
    expect(await supervisor.restart({ names: null })).toEqual({ names: ["c"] });
    expect([toA.stage, toB.stage]).toEqual(["carried", "carried"]);
    expect(await supervisor.start({ names: null })).toEqual({ names: ["a", "b"] });
    await slow;
    expect([toA.stage, toB.stage]).toEqual(["reset", "reset"]);
    expect([...world.net.bound.keys()].toSorted((x, y) => x - y)).toEqual([1, 2, 3]);

    for (const tunnel of world.cluster.tunnels) if (!tunnel.disposed) tunnel.opens();
    const again = world.net.connect(1);
    await settle();
    const patient = supervisor.halt({ names: ["a"], drainMs: 60_000 });
    const hurried = supervisor.halt({ names: ["a"], drainMs: 0 });
    await Promise.all([patient, hurried]);
    expect([again.stage, (await statusOf("a")).state]).toEqual(["reset", "stopped"]);
  });

  test("can all be stopped: the supervisor lives on, with nothing under way", async () => {
    await supervisor.halt({ names: ["c"], drainMs: 0 });
    expect(await supervisor.halt({ names: null, drainMs: 0 })).toEqual({ names: ["a", "b"] });
    expect(await supervisor.halt({ names: null, drainMs: 0 })).toEqual({ names: [] });
    supervisor.endIfIdle();
    expect(supervisor.drainLeftMs).toBeUndefined();
    expect([world.net.bound.size, world.clock.pending]).toEqual([0, 0]);
  });

  test("are started again where they led, without a look at the file, and serve", async () => {
    await supervisor.halt({ names: ["b", "c"], drainMs: 0 });
    world.cluster.currentContext = "other";
    expect(await supervisor.start({ names: ["a", "b"] })).toEqual({ names: ["b"] });
    await settle();
    world.cluster.tunnelNow.opens();
    expect(await states()).toEqual(["a ready", "b ready", "c stopped"]);
    expect((await statusOf("b")).context).toBe("kt");
    const client = world.net.connect(2);
    await settle();
    expect(client.stage).toBe("carried");
    expect(await supervisor.start({ names: null })).toEqual({ names: ["c"] });
  });

  test("are left alone by the `up` of others, and started by that of all", async () => {
    await supervisor.halt({ names: ["a", "b"], drainMs: 0 });
    expect(await apply(three, ["c"])).toEqual(["keep c"]);
    expect(await apply(three, ["b"])).toEqual(["start b"]);
    expect((await statusOf("a")).state).toBe("stopped");
    expect(await apply(three)).toEqual(["start a", "keep b", "keep c"]);
    expect((await states()).map((text) => text.split(" ")[0])).toEqual(["a", "b", "c"]);
  });

  test("leave with the file, and with `down`, after which nothing is kept", async () => {
    await supervisor.halt({ names: null, drainMs: 0 });
    expect(await apply([spec("a", 1), spec("b", 2)], null)).toEqual(["remove c", "start a", "start b"]);
    await supervisor.halt({ names: ["a"], drainMs: 0 });
    expect(await supervisor.stop({ names: ["a"], drainMs: 0 })).toEqual({ stopped: ["a"] });
    await supervisor.stop({ names: ["b"], drainMs: 0 });
    expect(await supervisor.ended).toBe("stopped");
  });

  test("do not count when everything is stopped", async () => {
    await supervisor.halt({ names: ["a"], drainMs: 0 });
    expect(await supervisor.stop({ names: null, drainMs: 0 })).toEqual({ stopped: ["b", "c"] });
  });

  test("show whoever listens from then on that somebody has stopped them", async () => {
    await supervisor.halt({ names: ["b"], drainMs: 0 });
    const heard: SupervisorEvent[] = [];
    await supervisor.follow((event) => heard.push(event));
    expect(heard.filter(({ type }) => type === "halted")).toEqual([{ type: "halted", name: "b" }]);
  });

  test("are not looked for by whoever watches the current context, until they are started", async () => {
    await apply([spec("a", 1, { followContext: true })]);
    await supervisor.halt({ names: ["a"], drainMs: 0 });
    world.cluster.currentContext = "staging";
    await world.clock.advance(10_000);
    expect(world.clock.pending).toBe(0);
    expect((await statusOf("a")).context).toBe("kt");
    await supervisor.start({ names: ["a"] });
    await world.clock.advance(5_000);
    expect((await statusOf("a")).context).toBe("staging");
  });

  test("can be on their way out with everything: whoever asks then is told", async () => {
    world.net.connect(1);
    await settle();
    const ending = supervisor.stop({ names: null, drainMs: 1_000 });
    for (const call of [
      supervisor.halt({ names: null, drainMs: 0 }),
      supervisor.start({ names: null }),
      supervisor.restart({ names: null }),
    ])
      await expect(call).rejects.toMatchObject({ code: "NOT_RUNNING" });
    await world.clock.advance(1_000);
    await ending;
  });

  test("are not started any more when everything is stopped meanwhile", async () => {
    world.net.connect(1);
    await settle();
    const halting = supervisor.halt({ names: ["a"], drainMs: 60_000 });
    await settle();
    const starting = supervisor.start({ names: ["a"] });
    await Promise.resolve();
    await Promise.allSettled([supervisor.stop({ names: null, drainMs: 0 }), halting, starting]);
    await settle();
    expect([world.net.bound.size, world.clock.pending, await states()]).toEqual([
      0,
      0,
      ["a stopped", "b stopped", "c stopped"],
    ]);
    await expect(starting).rejects.toMatchObject({ code: "NOT_RUNNING" });
  });

  test("must be there", async () => {
    for (const call of [
      supervisor.halt({ names: ["a", "x"], drainMs: 0 }),
      supervisor.start({ names: ["x"] }),
      supervisor.restart({ names: ["a", "x"] }),
    ])
      await expect(call).rejects.toMatchObject({ code: "UNKNOWN_FORWARD", hint: "running: a, b, c" });
    expect(await states()).toEqual(["a ready", "b ready", "c ready"]);
  });
});

describe("a restart", () => {
  test("keeps the port, resets clients, and chooses the endpoint anew", async () => {
    await readyForward();
    const old = world.cluster.tunnelNow;
    const client = world.net.connect(8080);
    await settle();
    expect(await supervisor.restart({ names: null })).toEqual({ names: ["api"] });
    expect([client.stage, old.disposed, world.net.bound.has(8080)]).toEqual(["reset", true, true]);
    const late = world.net.connect(8080);
    await settle();
    expect([late.stage, (await statusOf("api")).state]).toEqual(["waiting", "connecting"]);
    expect(world.cluster.followers.size).toBe(1);
    world.cluster.tunnelNow.opens();
    await settle();
    expect(late.stage).toBe("carried");
    expect(await statusOf("api")).toMatchObject({ state: "ready", restarts: 1 });
    expect(world.log.lines.filter((line) => line === "ready" || line === "restarted")).toEqual([
      "ready",
      "restarted",
      "ready",
    ]);
  });

  test("tries again what was refused, and a port that was taken", async () => {
    world.cluster.says({ kind: "none", reason: { code: "Forbidden", kind: "denied", message: "may not" } });
    world.net.taken.add(8081);
    await apply([spec("api", 8080), spec("web", 8081)]);
    world.net.taken.delete(8081);
    world.cluster.podIsReady("api-1");
    await supervisor.restart({ names: null });
    expect(world.cluster.woken.map((place) => place?.namespace)).toEqual(["default"]);
    await settle();
    for (const tunnel of world.cluster.tunnels) if (!tunnel.disposed) tunnel.opens();
    expect([(await statusOf("api")).state, (await statusOf("web")).state]).toEqual(["ready", "ready"]);
  });

  test("starts what is stopped where that was named, and leaves it alone otherwise", async () => {
    await apply([spec("a", 1), spec("b", 2)]);
    await supervisor.halt({ names: ["b"], drainMs: 0 });
    expect(await supervisor.restart({ names: null })).toEqual({ names: ["a"] });
    expect((await statusOf("b")).state).toBe("stopped");
    expect(await supervisor.restart({ names: ["b"] })).toEqual({ names: ["b"] });
    expect(world.net.bound.has(2)).toBe(true);
  });
});

describe("the end", () => {
  test("of one forward frees its port and leaves the others", async () => {
    await apply([spec("a", 1), spec("b", 2)]);
    expect(await supervisor.stop({ names: ["a"], drainMs: 0 })).toEqual({ stopped: ["a"] });
    expect([...world.net.bound.keys()]).toEqual([2]);
  });

  test("of one forward holds up nobody while its clients go on; who starts it meanwhile has it", async () => {
    await readyForward();
    const both = [spec("api", 8080), spec("b", 2)];
    const client = world.net.connect(8080);
    await settle();
    const slow = supervisor.stop({ names: ["api"], drainMs: 60_000 });
    expect(await apply(both, ["b"])).toEqual(["start b"]);
    expect(client.stage).toBe("carried");
    expect(await apply(both)).toEqual(["start api", "keep b"]);
    expect([await slow, client.stage]).toEqual([{ stopped: ["api"] }, "reset"]);
    expect(events).not.toContainEqual({ type: "removed", name: "api" });

    await supervisor.stop({ names: ["b"], drainMs: 0 });
    world.cluster.tunnelNow.opens();
    const other = world.net.connect(8080);
    await settle();
    const last = supervisor.stop({ names: ["api"], drainMs: 60_000 });
    await settle();
    expect(await supervisor.start({ names: ["api"] })).toEqual({ names: ["api"] });
    await last;
    expect(other.stage).toBe("reset");
    expect([world.net.bound.has(8080), supervisor.drainLeftMs]).toEqual([true, undefined]);
    await Promise.all([
      supervisor.stop({ names: ["api"], drainMs: 5_000 }),
      supervisor.stop({ names: ["api"], drainMs: 0 }),
    ]);
    expect(events.filter(({ type }) => type === "removed").length).toBe(2);
    expect(await supervisor.ended).toBe("stopped");
  });

  test("of a forward that is not there is refused", async () => {
    await apply([spec("a", 1)]);
    await expect(supervisor.stop({ names: ["x"], drainMs: 0 })).rejects.toMatchObject({
      code: "UNKNOWN_FORWARD",
    });
  });

  test("of everything waits for connections, but not longer than it was told", async () => {
    await readyForward();
    const client = world.net.connect(8080);
    await settle();
    const stopped = supervisor.stop({ names: null, drainMs: 5_000 });
    await world.clock.advance(4_999);
    expect([world.net.bound.size, client.stage]).toEqual([0, "carried"]);
    await world.clock.advance(1);
    expect(client.stage).toBe("reset");
    await stopped;
    expect(await supervisor.ended).toBe("stopped");
    expect(world.clock.pending).toBe(0);
    expect(world.cluster.followers.size).toBe(0);
  });

  test("comes sooner when connections end, or when it is asked for again with less patience", async () => {
    await readyForward();
    const client = world.net.connect(8080);
    await settle();
    const slow = supervisor.stop({ names: null, drainMs: 60_000 });
    const quick = supervisor.stop({ names: null, drainMs: 0 });
    await world.clock.advance(0);
    await Promise.all([slow, quick]);
    expect(client.stage).toBe("reset");
  });

  test("resets connections that wait for a pod", async () => {
    await apply([spec("api", 8080)]);
    const client = world.net.connect(8080);
    await settle();
    await supervisor.stop({ names: null, drainMs: 5_000 });
    expect(client.stage).toBe("reset");
  });

  test("comes by itself when the first file is refused, since nothing is kept then", async () => {
    await expect(apply([spec("a", 1, { context: "unknown" })])).rejects.toThrow("not found");
    expect(await supervisor.ended).toBe("stopped");
  });

  test("refuses a file that comes while it ends, and cuts no connection short for it", async () => {
    await readyForward();
    const client = world.net.connect(8080);
    await settle();
    const stopped = supervisor.stop({ names: null, drainMs: 1_000 });
    for (const forwards of [[spec("b", 2)], [spec("api", 8080)]]) {
      await expect(apply(forwards)).rejects.toMatchObject({ code: "NOT_RUNNING" });
    }
    expect(client.stage).toBe("carried");
    await world.clock.advance(1_000);
    await stopped;
    expect(world.net.bound.size).toBe(0);
  });

  test("is shown from its first moment on, with the time that connections have left", async () => {
    await readyForward();
    world.net.connect(8080);
    await settle();
    expect(supervisor.drainLeftMs).toBeUndefined();
    const stopped = supervisor.stop({ names: null, drainMs: 5_000 });
    expect(supervisor.drainLeftMs).toBe(5_000);
    await world.clock.advance(1_000);
    expect(supervisor.drainLeftMs).toBe(4_000);
    const patient = supervisor.stop({ names: null, drainMs: 60_000 });
    expect(supervisor.drainLeftMs).toBe(4_000);
    const hurried = supervisor.stop({ names: null, drainMs: 1_000 });
    expect(supervisor.drainLeftMs).toBe(1_000);
    await world.clock.advance(2_000);
    await Promise.all([stopped, patient, hurried]);
    expect(supervisor.drainLeftMs).toBe(0);
  });
});
