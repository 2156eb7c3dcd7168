import { describe, expect, test } from "vitest";
import { FakeApiServer, until } from "../../../test/fakes/apiserver.ts";
import { FakeClock } from "../../../test/fakes/clock.ts";
import { podJson } from "../../../test/fakes/kubeobjects.ts";
import type { Log } from "../deps.ts";
import type { RenewableAccess } from "./access.ts";
import { PODS, type Pod } from "./objects.ts";
import { Reflector } from "./reflector.ts";
import { RestClient } from "./rest.ts";

/** A reflector of the pods in "shop", and the names it had after each change. */
class Rig implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly seen: string[] = [];
  readonly lines: string[] = [];
  readonly server: FakeApiServer;
  readonly reflector: Reflector<Pod>;
  readonly #rest: RestClient;

  constructor(server: FakeApiServer) {
    this.server = server;
    const credentials = { tls: {}, headers: {} };
    const access: RenewableAccess = {
      context: "kt",
      user: "ann",
      server: new URL(server.url),
      credentials: () => Promise.resolve(credentials),
      forget: () => {},
    };
    this.#rest = new RestClient(access, this.clock);
    const note = (event: string): void => void this.lines.push(event);
    const log: Log = { debug: note, info: note, warn: note, error: note };
    const around = { rest: this.#rest, clock: this.clock, random: () => 0.5, log };
    this.reflector = new Reflector(around, PODS, "shop", () => this.seen.push(this.now));
  }

  static async start(...pods: readonly string[]): Promise<Rig> {
    const server = await FakeApiServer.start();
    for (const pod of pods) server.put("shop", "pods", podJson(pod));
    return new Rig(server);
  }

  /** `synced a b`, `failing Unreachable a`, `syncing -` */
  get now(): string {
    const { state, objects } = this.reflector;
    const kind = state.kind === "failing" ? `failing ${state.reason.code}` : state.kind;
    return `${kind} ${objects === undefined ? "-" : [...objects.keys()].sort().join(" ")}`.trim();
  }

  async becomes(now: string): Promise<void> {
    await until(() => this.now === now);
  }

  /** Lets the watch live for a while, then ends it in order. */
  async endWatch(): Promise<void> {
    await this.clock.advance(20_000);
    this.server.endWatches();
  }

  /** Waits until it has failed so often, and waits for the next try. */
  async failed(times: number): Promise<void> {
    await until(
      () => this.lines.filter((line) => line === "watch lost").length === times && this.clock.pending === 1,
    );
  }

  /** Waits until the watch stands, the so manieth since the start. */
  async watching(count = 1): Promise<void> {
    await until(() => this.server.watched("pods") >= count && this.server.watches === 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reflector[Symbol.asyncDispose]();
    this.#rest[Symbol.dispose]();
    await this.server[Symbol.asyncDispose]();
    expect(this.clock.pending).toBe(0);
  }
}

describe("a reflector", () => {
  test("lists, then watches from the list's version with bookmarks and a time limit", async () => {
    await using rig = await Rig.start("a", "b");
    expect(rig.now).toBe("syncing -");
    await rig.watching();
    expect(rig.now).toBe("synced a b");
    const { query } = rig.server.asked.at(-1) ?? { query: new URLSearchParams() };
    expect(Object.fromEntries(query)).toEqual({
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: "3",
      timeoutSeconds: "1800",
    });
  });

  test("follows what comes, changes and goes", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.server.put("shop", "pods", podJson("b", { ready: false }));
    await rig.becomes("synced a b");
    expect(rig.reflector.objects?.get("b")?.stage).toBe("unready");
    rig.server.put("shop", "pods", podJson("b"));
    await until(() => rig.reflector.objects?.get("b")?.stage === "ready");
    rig.server.remove("shop", "pods", "a");
    await rig.becomes("synced b");
    expect(rig.server.lists("pods")).toBe(1);
  });

  test("reads a long list in pages", async () => {
    const server = await FakeApiServer.start();
    for (let i = 0; i < 1203; i++) server.put("shop", "pods", podJson(`p${i}`));
    await using rig = new Rig(server);
    await until(() => rig.reflector.objects !== undefined);
    expect(rig.reflector.objects?.size).toBe(1203);
    expect(server.lists("pods")).toBe(3);
    expect(server.asked.map((a) => a.query.get("limit")).slice(0, 3)).toEqual(["500", "500", "500"]);
    expect(rig.seen.length).toBe(1); // nobody sees half a list
  });

  test("an empty namespace is synced", async () => {
    await using rig = await Rig.start();
    await rig.watching();
    expect(rig.now).toBe("synced");
  });

  test("tells once of events that came together", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.seen.length = 0;
    const event = (name: string, version: number): string => {
      const pod = podJson(name);
      const object = { ...pod, metadata: { ...pod.metadata, resourceVersion: String(version) } };
      return `${JSON.stringify({ type: "ADDED", object })}\n`;
    };
    rig.server.sendRaw(event("b", 10) + event("c", 11) + event("d", 12));
    await rig.becomes("synced a b c d");
    expect(rig.seen).toEqual(["synced a b c d"]);
  });

  test("tells of what came before an error in the same batch", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.seen.length = 0;
    const pod = podJson("b");
    const object = { ...pod, metadata: { ...pod.metadata, resourceVersion: "10" } };
    const lines = [
      { type: "ADDED", object },
      { type: "ERROR", object: { code: 500, message: "storage is (re)initializing" } },
    ];
    rig.server.sendRaw(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    await until(() => rig.seen.length > 0);
    expect(rig.seen[0]).toBe("synced a b");
  });

  test("skips and counts what it cannot read, and goes on", async () => {
    const server = await FakeApiServer.start();
    server.put("shop", "pods", { metadata: { name: "odd" }, spec: 1 });
    server.put("shop", "pods", podJson("a"));
    await using rig = new Rig(server);
    await rig.watching();
    expect(rig.now).toBe("synced a");
    server.put("shop", "pods", { metadata: { name: "a", uid: 7 } });
    await rig.becomes("synced");
    expect(rig.reflector.skipped).toBe(2);
    expect(rig.lines.filter((line) => line === "object skipped").length).toBe(2);
  });
});

describe("when the watch ends", () => {
  test("in order, it goes on from the last version without a list", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.server.put("shop", "pods", podJson("b"));
    await rig.becomes("synced a b");
    rig.server.endWatches();
    await rig.watching(2);
    expect(rig.server.asked.at(-1)?.query.get("resourceVersion")).toBe("3");
    expect(rig.server.lists("pods")).toBe(1);
  });

  test("it goes on from a bookmark", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.server.bookmark();
    rig.server.bookmark();
    rig.server.endWatches();
    await rig.watching(2);
    expect(rig.server.asked.at(-1)?.query.get("resourceVersion")).toBe("4");
  });

  test("at once and without an event, it backs off instead of spinning", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.server.script("watch", (_, response) => response.end(), 3);
    await rig.endWatch();
    await rig.failed(2); // the first one was tried again at once
    const before = rig.server.asked.length;
    await rig.clock.advance(49);
    expect(rig.server.asked.length).toBe(before);
    await rig.clock.advance(1);
    await rig.failed(3);
    await rig.clock.advance(100);
    await rig.watching();
    expect(rig.now).toBe("synced a");
    expect(rig.server.lists("pods")).toBe(1);
  });

  test("again and again with nothing but a bookmark, it backs off too", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    const bookmark = `${JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion: "9" } } })}\n`;
    rig.server.script("watch", (_, response) => response.end(bookmark), 3);
    await rig.endWatch();
    await rig.failed(2);
    const before = rig.server.asked.length;
    await rig.clock.advance(49);
    expect(rig.server.asked.length).toBe(before);
    await rig.clock.advance(1);
    await rig.failed(3);
  });

  test.each([500, 504])("by an error event of %d, it lists again", async (code) => {
    await using rig = await Rig.start("a");
    await rig.watching();
    const error = { type: "ERROR", object: { kind: "Status", code, message: "etcd event without a value" } };
    rig.server.sendRaw(`${JSON.stringify(error)}\n`);
    await rig.watching(2);
    expect(rig.server.lists("pods")).toBe(2);
  });

  test("by an error event of 429, it goes on from the last version", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.server.sendRaw(`${JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 429 } })}\n`);
    await rig.watching(2);
    expect(rig.server.lists("pods")).toBe(1);
  });

  test("by a lost connection, it goes on from the last version and nobody hears of it", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.seen.length = 0;
    rig.server.reset();
    await rig.watching(2);
    rig.server.put("shop", "pods", podJson("b"));
    await rig.becomes("synced a b");
    expect(rig.seen).toEqual(["synced a b"]);
    expect(rig.server.lists("pods")).toBe(1);
  });

  test("by silence of 90 s, it is made anew", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    await until(() => rig.clock.pending === 1);
    await rig.clock.advance(90_000);
    await rig.watching(2);
    expect(rig.now).toBe("synced a");
  });

  test.each([
    {
      name: "a line that is cut short",
      break: (server: FakeApiServer) => {
        server.sendRaw('{"type":"ADDED","obj');
        server.endWatches();
      },
    },
    { name: "a line that is no JSON", break: (server: FakeApiServer) => server.sendRaw("<html>\n") },
    { name: "an event that is none", break: (server: FakeApiServer) => server.sendRaw('{"type":1}\n') },
    {
      name: "an object without a version",
      break: (server: FakeApiServer) => server.sendRaw('{"type":"ADDED","object":{}}\n'),
    },
  ])("by $name, it lists again", async ({ break: breakIt }) => {
    await using rig = await Rig.start("a");
    await rig.watching();
    breakIt(rig.server);
    await rig.watching(2);
    expect(rig.server.lists("pods")).toBe(2);
    expect(rig.now).toBe("synced a");
  });
});

describe("410", () => {
  test("inside the watch: lists again and tells what is different, and nothing else", async () => {
    await using rig = await Rig.start("a", "b");
    await rig.watching();
    rig.seen.length = 0;
    await rig.clock.advance(20_000);
    rig.server.reset();
    rig.server.remove("shop", "pods", "a");
    rig.server.put("shop", "pods", podJson("c"));
    rig.server.compact();
    await rig.watching(3);
    expect(rig.server.lists("pods")).toBe(2);
    expect(rig.seen).toEqual(["synced b c"]);
  });

  test("as an HTTP status", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.server.refuse("watch", 410);
    await rig.endWatch();
    await rig.watching(3);
    expect(rig.server.lists("pods")).toBe(2);
  });

  test("after an outage: lists at once, without waiting or telling of the 410", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.seen.length = 0;
    await rig.clock.advance(20_000);
    rig.server.script("watch", (_, response) => response.socket?.destroy(), 2);
    rig.server.reset();
    await rig.failed(2);
    rig.server.compact();
    await rig.clock.advance(50);
    await rig.failed(3);
    await rig.clock.advance(100);
    await rig.watching();
    await until(() => rig.server.lists("pods") === 2);
    expect(rig.seen).toEqual(["failing Unreachable a", "synced a", "synced a"]); // the watch stands, the list is new
  });

  test("between two pages: begins again", async () => {
    const server = await FakeApiServer.start();
    for (let i = 0; i < 600; i++) server.put("shop", "pods", podJson(`p${i}`));
    server.refuse("continue=", 410);
    await using rig = new Rig(server);
    await rig.watching();
    expect(rig.reflector.objects?.size).toBe(600);
    expect(server.lists("pods")).toBe(4);
    expect(rig.seen.map((now) => now.split(" ")[0])).toEqual(["synced"]); // nobody hears of it
  });

  test("to every second page: backs off", async () => {
    const server = await FakeApiServer.start();
    for (let i = 0; i < 600; i++) server.put("shop", "pods", podJson(`p${i}`));
    server.refuse("continue=", 410, 99);
    await using rig = new Rig(server);
    await rig.failed(2);
    await rig.clock.advance(9_000);
    await rig.failed(3);
    await rig.clock.advance(5_000); // a list of just now would be younger than this
    await until(() => rig.lines.length === 4);
    expect(new Set(rig.lines)).toEqual(new Set(["watch lost"]));
  });

  test("again and again: backs off", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.server.refuse("watch", 410, 4);
    await rig.endWatch();
    await rig.failed(2); // of three: an old version is no failure, and the first real one was tried again at once
    const before = rig.server.asked.length;
    await rig.clock.advance(49);
    expect(rig.server.asked.length).toBe(before);
    await rig.clock.advance(1);
    await rig.failed(3);
  });
});

describe("trouble", () => {
  test.each([
    { status: 403, code: "Forbidden" },
    { status: 401, code: "Unauthorized" },
  ])("$status is told and tried again each minute, not sooner", async ({ status, code }) => {
    const server = await FakeApiServer.start();
    server.refuse("pods", status, 2);
    await using rig = new Rig(server);
    await rig.failed(1);
    expect(rig.now).toBe(`failing ${code} -`);
    await rig.clock.advance(59_999);
    expect(server.asked.length).toBe(1);
    await rig.clock.advance(1);
    await rig.failed(2);
    await rig.clock.advance(60_000);
    await rig.watching();
    expect(rig.now).toBe("synced");
  });

  test("rights that are taken away while watching are told; what is known stays", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.server.refuse("watch", 403, 1, 'User "system:anonymous" cannot watch resource "pods"');
    rig.server.refuse("limit", 403, 1, 'User "system:anonymous" cannot list resource "pods"');
    await rig.endWatch();
    await until(() => rig.lines.includes("watch refused") && rig.clock.pending === 1);
    expect(rig.now).toBe("synced a");
    await rig.clock.advance(5_000);
    await rig.becomes("failing Forbidden a");
    expect(rig.reflector.state).toMatchObject({
      reason: {
        kind: "denied",
        message: 'user "system:anonymous" may not list pods in namespace "shop" (context "kt")',
      },
    });
    await rig.clock.advance(2_000); // a server that has just come up may think better of it
    await rig.becomes("synced a");
  });

  test.each([500, 503, 429])("%d backs off, grows, and is told when it lasts", async (status) => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.seen.length = 0;
    rig.server.refuse("watch", status, 4);
    await rig.endWatch();
    for (const [failures, waitMs] of [
      [2, 50],
      [3, 100],
      [4, 200],
    ] as const) {
      await rig.failed(failures); // the first one was tried again at once
      const before = rig.server.asked.length;
      await rig.clock.advance(waitMs - 1);
      expect(rig.server.asked.length).toBe(before);
      await rig.clock.advance(1);
    }
    await rig.watching();
    await rig.becomes("synced a");
    expect(rig.seen.slice(0, 2)).toEqual(["failing ClusterAnswer a", "synced a"]);
    expect(rig.server.lists("pods")).toBe(status === 429 ? 1 : 2); // a third refusal puts the version in doubt
  });

  test.each([400, 404, 422])(
    "%d to a watch: lists again, the version may be what is wrong",
    async (status) => {
      await using rig = await Rig.start("a");
      await rig.watching();
      rig.server.refuse("watch", status);
      await rig.endWatch();
      await until(() => rig.server.lists("pods") === 2);
      await rig.watching(3);
      expect(rig.now).toBe("synced a");
    },
  );

  test("Retry-After is honoured, within a minute", async () => {
    const server = await FakeApiServer.start();
    server.script("pods", (_, response) => response.writeHead(429, { "Retry-After": "7" }).end());
    server.script("pods", (_, response) => response.writeHead(429, { "Retry-After": "86400" }).end());
    await using rig = new Rig(server);
    await rig.failed(1);
    expect(rig.now).toBe("failing ClusterAnswer -");
    await rig.clock.advance(7_499); // half a second of it so that not all come back at once
    expect(server.asked.length).toBe(1);
    await rig.clock.advance(1);
    await rig.failed(2);
    await rig.clock.advance(61_000);
    await rig.watching();
  });

  test("a server that is not there is told, and found when it comes", async () => {
    const server = await FakeApiServer.start();
    server.put("shop", "pods", podJson("a"));
    server.script("pods", (_, response) => response.socket?.destroy(), 5);
    await using rig = new Rig(server);
    await rig.becomes("failing Unreachable -");
    while (rig.now !== "synced a") await rig.clock.advance(1_000);
    await rig.watching();
    expect(rig.seen).toEqual(["failing Unreachable -", "synced a"]);
  });

  test("a kubeconfig that comes to name another server means a new list", async () => {
    await using other = await FakeApiServer.start();
    other.put("shop", "pods", podJson("z"));
    const server = await FakeApiServer.start();
    server.put("shop", "pods", podJson("a"));
    let url = server.url;
    const clock = new FakeClock();
    const access: RenewableAccess = {
      context: "kt",
      user: "ann",
      get server() {
        return new URL(url);
      },
      credentials: () => Promise.resolve({ tls: {}, headers: {} }),
      forget: () => {},
    };
    using rest = new RestClient(access, clock);
    const quiet = (): void => {};
    const log: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    await using reflector = new Reflector({ rest, clock, random: () => 0.5, log }, PODS, "shop", quiet);
    await until(() => server.watches === 1);
    url = other.url;
    await server[Symbol.asyncDispose]();
    await until(() => other.watches === 1);
    expect([...(reflector.objects?.keys() ?? [])]).toEqual(["z"]);
  });
});

describe("a wake", () => {
  test.each([
    { name: "refused", status: 403, retryAfter: undefined },
    { name: "asked to wait", status: 429, retryAfter: "60" },
  ])("ends the wait of one that was $name, also for a person who asks", async ({ status, retryAfter }) => {
    const server = await FakeApiServer.start();
    const headers = retryAfter === undefined ? {} : { "Retry-After": retryAfter };
    server.script("pods", (_, response) => response.writeHead(status, headers).end("{}"), 2);
    await using rig = new Rig(server);
    await rig.failed(1);
    rig.reflector.wake("asked");
    expect(rig.now).toBe("syncing -"); // what it said before says nothing any more
    await rig.failed(2);
    expect(rig.now).toMatch(/^failing/);
    rig.reflector.wake("slept");
    await rig.watching();
    expect(rig.now).toBe("synced");
  });

  test("after a sleep makes the watch anew, which may have died with nobody knowing", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.seen.length = 0;
    rig.reflector.wake("slept");
    await rig.watching(2);
    rig.server.put("shop", "pods", podJson("b"));
    await rig.becomes("synced a b");
    expect([rig.seen, rig.server.lists("pods")]).toEqual([["synced a b"], 1]);
  });

  test("after a sleep gives up a request that is under way", async () => {
    const server = await FakeApiServer.start();
    server.script("pods", () => {});
    await using rig = new Rig(server);
    await until(() => server.asked.length === 1);
    rig.reflector.wake("slept");
    await rig.watching();
    expect(rig.now).toBe("synced");
  });

  test("by a person leaves a watch alone that stands", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    rig.seen.length = 0;
    rig.reflector.wake("asked");
    rig.server.put("shop", "pods", podJson("b"));
    await rig.becomes("synced a b");
    expect([rig.seen, rig.server.watched("pods")]).toEqual([["synced a b"], 1]);
  });

  test("after the end does nothing", async () => {
    await using rig = await Rig.start("a");
    await rig.watching();
    await rig.reflector[Symbol.asyncDispose]();
    const before = rig.server.asked.length;
    rig.reflector.wake("slept");
    await rig.clock.advance(1_000);
    expect(rig.server.asked.length).toBe(before);
  });
});

test("disposing ends the watch and leaves nothing behind", async () => {
  await using rig = await Rig.start("a");
  await rig.watching();
  await rig.reflector[Symbol.asyncDispose]();
  await until(() => rig.server.watches === 0);
  expect(rig.clock.pending).toBe(0);
});

test("disposing while it waits for the next try ends the wait", async () => {
  const server = await FakeApiServer.start();
  server.refuse("pods", 403);
  await using rig = new Rig(server);
  await rig.failed(1);
  await rig.reflector[Symbol.asyncDispose]();
  expect(rig.clock.pending).toBe(0);
});
