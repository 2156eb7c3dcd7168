import { describe, expect, test } from "vitest";
import { FakeApiServer, until } from "../../../test/fakes/apiserver.ts";
import { FakeClock } from "../../../test/fakes/clock.ts";
import { podJson } from "../../../test/fakes/kubeobjects.ts";
import type { Log } from "../deps.ts";
import type { RenewableAccess } from "./access.ts";
import { PODS, type Pod } from "./objects.ts";
import { pollMs } from "./pollpace.ts";
import { RestClient } from "./rest.ts";
import { SharedReflectors, type Share } from "./share.ts";

const quiet = (): void => {};
const LOG: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const FOR_EVER = 1_000_000;

/** Within which an answer must come. */
const DEADLINE_MS = 10_000;

/** A server that refuses some verbs on pods, and shares of its pods. */
class Rig implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly server: FakeApiServer;
  readonly #shared = new SharedReflectors<Pod>(PODS);
  readonly #rest: RestClient;

  private constructor(server: FakeApiServer) {
    this.server = server;
    const credentials = { tls: {}, headers: {} };
    const access: RenewableAccess = {
      context: "kt",
      user: "ann",
      server: new URL(server.url),
      credentials: () => Promise.resolve(credentials),
      forget: quiet,
    };
    this.#rest = new RestClient(access, this.clock);
  }

  static async start(...refused: readonly ("list" | "watch" | "get")[]): Promise<Rig> {
    const server = await FakeApiServer.start();
    for (const name of ["a", "b"]) server.put("shop", "pods", podJson(name));
    const part = { list: "limit=", watch: "watch=", get: "/pods/" };
    for (const verb of refused) server.refuse(part[verb], 403, FOR_EVER);
    return new Rig(server);
  }

  share(name?: string): Share<Pod> {
    const around = { rest: this.#rest, clock: this.clock, random: () => 0.5, log: LOG };
    return this.#shared.share(around, "shop", quiet, name);
  }

  /** Something happened that a watch would have told. */
  look(): void {
    this.#shared.wake("look");
  }

  /** Waits until so much was asked and it rests. */
  async asked(count: number): Promise<void> {
    await until(() => {
      const [due = DEADLINE_MS, ...more] = this.clock.due;
      return this.server.asked.length >= count && more.length === 0 && due !== DEADLINE_MS;
    });
  }

  /** What was asked since the last time: `list`, `watch`, `a`. */
  get news(): readonly string[] {
    return this.server.asked.splice(0).map(({ path, query }) => {
      if (query.has("watch")) return "watch";
      return path.endsWith("/pods") ? "list" : (path.split("/").at(-1) ?? "");
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#shared[Symbol.asyncDispose]();
    this.#rest[Symbol.dispose]();
    await this.server[Symbol.asyncDispose]();
    expect(this.clock.pending).toBe(0);
  }
}

/** `synced a:ready b:unready`, `failing Forbidden -` */
function shown({ state, objects }: Share<Pod>): string {
  const kind = state.kind === "failing" ? `failing ${state.reason.code}` : state.kind;
  const pods = objects && [...objects.values()].map(({ name, stage }) => `${name}:${stage}`).join(" ");
  return `${kind} ${pods ?? "-"}`;
}

describe("where pods may be listed and not watched", () => {
  test("those who want them all get a list now and then, sooner while something changes", async () => {
    await using rig = await Rig.start("watch");
    const share = rig.share();
    await rig.asked(2);
    expect(rig.news).toEqual(["list", "watch"]);
    expect(shown(share)).toBe("synced a:ready b:ready");
    rig.server.put("shop", "pods", podJson("b", { ready: false }));
    await rig.clock.advance(5_000);
    await rig.asked(1);
    expect(shown(share)).toBe("synced a:ready b:unready");
    expect(rig.news).toEqual(["list"]);
    await rig.clock.advance(5_000);
    await rig.asked(1); // nothing new
    await rig.clock.advance(7_499);
    expect(rig.news).toEqual(["list"]);
    await rig.clock.advance(1);
    await rig.asked(1);
  });

  test("those who want one get that one, by its name", async () => {
    await using rig = await Rig.start("watch");
    const share = rig.share("a");
    await rig.asked(2);
    await rig.clock.advance(5_000);
    await rig.asked(3);
    expect(rig.news).toEqual(["list", "watch", "a"]);
    expect(shown(share)).toBe("synced a:ready");
    const all = rig.share(); // whoever comes to want them all does not take the one for all
    expect(shown(all)).toBe("syncing -");
    await rig.asked(1);
    expect(shown(all)).toBe("synced a:ready b:ready");
  });

  test("the watch is asked for again each minute, and used once it is granted", async () => {
    await using rig = await Rig.start();
    rig.server.refuse("watch=", 403, 2);
    const share = rig.share();
    await rig.asked(2);
    for (let s = 0; s < 59; s++) await rig.clock.advance(1_000);
    expect(rig.server.watched("pods")).toBe(1);
    while (rig.server.watched("pods") < 3) await rig.clock.advance(5_000);
    await until(() => rig.server.watches === 1);
    rig.server.put("shop", "pods", podJson("b", { ready: false }));
    await until(() => shown(share) === "synced a:ready b:unready");
  });

  test("it looks at once when there is word that something has changed", async () => {
    await using rig = await Rig.start("watch");
    rig.share();
    await rig.asked(2);
    rig.look();
    await rig.asked(3);
    expect(rig.news).toEqual(["list", "watch", "list"]);
  });
});

describe("where pods may neither be listed nor watched, but read", () => {
  test("those who name theirs are served, the others hear which right is missing", async () => {
    await using rig = await Rig.start("list", "watch");
    const [a, all, gone] = [rig.share("a"), rig.share(), rig.share("gone")];
    await rig.asked(3);
    expect(rig.news).toEqual(["list", "a", "gone"]);
    expect([a, gone].map(shown)).toEqual(["synced a:ready", "synced a:ready"]);
    expect(shown(all)).toBe("failing Forbidden -");
    expect(all.state).toMatchObject({ reason: { message: expect.stringMatching(/ list pods /) } });
    rig.server.put("shop", "pods", podJson("a", { deleting: true }));
    rig.server.put("shop", "pods", podJson("gone"));
    await rig.clock.advance(5_000);
    await rig.asked(2);
    expect(shown(gone)).toBe("synced a:terminating gone:ready");
  });

  test("one who comes later is served at once", async () => {
    await using rig = await Rig.start("list", "watch");
    const all = rig.share();
    await rig.asked(1);
    expect(shown(all)).toBe("failing Forbidden -");
    const a = rig.share("a");
    await rig.asked(2);
    expect([shown(a), shown(all)]).toEqual(["synced a:ready", "failing Forbidden -"]);
  });

  test("the list is asked for again after a minute", async () => {
    await using rig = await Rig.start();
    rig.server.refuse("limit=", 403, 1);
    const share = rig.share("a");
    await rig.asked(2);
    while (rig.server.watches === 0) await rig.clock.advance(5_000);
    expect(shown(share)).toBe("synced a:ready b:ready");
    expect(rig.server.lists("pods")).toBe(2);
  });
});

test("where nothing may be read the right to list is what is missing, and asked for each minute", async () => {
  await using rig = await Rig.start("list", "watch", "get");
  const share = rig.share("a");
  await rig.asked(2);
  expect(shown(share)).toBe("failing Forbidden -");
  expect(share.state).toMatchObject({ reason: { message: expect.stringMatching(/ list pods /) } });
  await rig.clock.advance(59_999);
  expect(rig.news).toEqual(["list", "a"]);
  await rig.clock.advance(1);
  await rig.asked(2);
});

test("looks come ever more seldom, down to one in half a minute, and never together", () => {
  expect([0, 1, 2, 3, 4, 5, 99].map((unchanged) => pollMs(unchanged, 0.5))).toEqual([
    5_000, 7_500, 11_250, 16_875, 25_313, 30_000, 30_000,
  ]);
  expect([pollMs(0, 0), pollMs(0, 1)]).toEqual([4_000, 6_000]);
});
