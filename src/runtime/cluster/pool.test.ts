import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settle, turnUntil } from "../../../test/fakes/clock.ts";
import { webSocketPair, type ChannelPeer } from "../../../test/fakes/channelpeer.ts";
import { Ears, loopback, type Peer } from "../../../test/fakes/spdypeer.ts";
import { KfwdError } from "../../errors.ts";
import type { PodStream } from "../deps.ts";
import { goAway } from "../wire/spdy.ts";
import type { Upgraded } from "./ladder.ts";
import { Pool, type PoolUse } from "./pool.ts";
import { DEAD_AFTER_MS, PING_AFTER_MS } from "./keepalive.ts";
import type { WebSocketPipe } from "./websocketpipe.ts";

const here = new AbortController().signal;

let clock: FakeClock;
let pool: Pool;
let peers: Peer[];
/** What the next upgrades do; empty: they succeed. */
let script: (KfwdError | Promise<void>)[];
let upgrades: number;
/** What upgrades come to. */
let kind: Upgraded["kind"];
/** The ports that were dialled for single streams, who answers there, and whether anybody does. */
let dialled: number[];
let channelPeers: ChannelPeer[];
let dials: "answered" | "refused";
let told: string[];
let leave: Disposable[];
let silences: number;
/** The pool's ear for the pod's end; undefined once it listens no more. */
let podGone: (() => void) | undefined;

beforeEach(() => {
  clock = new FakeClock();
  const ours: Peer[] = (peers = []); // an earlier test's pool may still be opening connections
  script = [];
  upgrades = 0;
  silences = 0;
  kind = "shared";
  [dialled, channelPeers, dials] = [[], [], "answered"];
  told = [];
  leave = [];
  pool = new Pool({
    pod: "api-1",
    clock,
    whenGone(tell) {
      podGone = tell;
      return {
        [Symbol.dispose]: () => {
          if (podGone === tell) podGone = undefined; // not that of the next test
        },
      };
    },
    onSilence: () => void silences++,
    async upgrade(_port, signal): Promise<Upgraded> {
      signal.throwIfAborted();
      if (ours === peers) upgrades++;
      const next = script.shift();
      if (next instanceof KfwdError) throw next;
      await next;
      if (kind === "perStream") {
        return { kind, dial: (port) => dial(port), standBy: () => ({ [Symbol.dispose]() {} }) };
      }
      const { pipe, peer } = await loopback();
      ours.push(peer);
      return { kind: "shared", pipe };
    },
  });
});

async function dial(port: number): Promise<WebSocketPipe> {
  dialled.push(port);
  if (dials === "refused") throw unreachable();
  const { pipe, peer } = await webSocketPair();
  channelPeers.push(peer);
  peer.ports(port);
  return pipe;
}

afterEach(() => {
  for (const user of leave) user[Symbol.dispose]();
  for (const peer of [...peers, ...channelPeers]) peer.socket.destroy();
});

function use(): PoolUse {
  const user = pool.use(80, {
    onOpen: () => told.push("open"),
    onLost: (reason) => told.push(`lost ${reason.code}`),
  });
  leave.push(user);
  return user;
}

async function standing(): Promise<PoolUse> {
  const user = use();
  await turnUntil(() => told.includes("open"));
  return user;
}

/** Eight streams, each with a connection to itself. */
async function eight(): Promise<PodStream[]> {
  return Promise.all(Array.from({ length: 8 }, () => pool.stream(80, new Ears(), here)));
}

const unreachable = (): KfwdError => new KfwdError("UNREACHABLE", "no route");

describe("a pool", () => {
  test("stands with one connection before anybody asks for a stream", async () => {
    await standing();
    await settle();
    expect([upgrades, told]).toEqual([1, ["open"]]);
  });

  test("tells a second user at once, and opens nothing for it", async () => {
    await standing();
    use();
    await settle();
    expect([upgrades, told]).toEqual([1, ["open", "open"]]);
  });

  test("gives the ready connection to a stream at once and prepares the next", async () => {
    await standing();
    await pool.stream(80, new Ears(), here);
    await turnUntil(() => upgrades === 2);
    await turnUntil(() => peers.length === 2);
    await pool.stream(80, new Ears(), here);
    await peers[1]?.until("fin 1");
    expect(peers[0]?.heard.filter((line) => line.startsWith("fin"))).toEqual(["fin 1"]);
  });

  test("a stream waits for a connection that is being opened", async () => {
    let release: () => void = () => {};
    script = [new Promise((resolve) => (release = resolve))];
    use();
    const stream = pool.stream(80, new Ears(), here);
    await settle();
    expect(peers.length).toBe(0);
    release();
    await stream;
    expect(told).toEqual(["open"]);
  });

  test("a stream that waits can be given up", async () => {
    script = [new Promise(() => {})];
    use();
    const client = new AbortController();
    const stream = pool.stream(80, new Ears(), client.signal);
    client.abort(new Error("client left"));
    await expect(stream).rejects.toThrow("client left");
  });

  test("opens at most eight, then shares the least loaded that is not stalled", async () => {
    await standing();
    const first = await eight();
    expect(upgrades).toBe(8);
    first[0]?.pause();
    await Promise.all(Array.from({ length: 7 }, () => pool.stream(80, new Ears(), here)));
    await Promise.all(peers.map((peer) => peer.until("fin 1")));
    await turnUntil(() => peers.filter((peer) => peer.heard.includes("fin 5")).length === 7);
    expect(upgrades).toBe(8);
  });

  test("probes a connection after its stream and uses it again", async () => {
    await standing();
    const [peer] = peers;
    const ears = new Ears();
    await pool.stream(80, ears, here);
    await turnUntil(() => peers.length === 2);
    await peer?.until("fin 1");
    peer?.data(3, "", true);
    peer?.data(1, "", true);
    await turnUntil(() => ears.end !== undefined);
    await turnUntil(() => peer?.heard.filter((line) => line === "ping").length === 5);
    for (let turn = 0; turn < 100; turn++) await settle(); // the last answer takes a few turns through the socket
    await Promise.all(Array.from({ length: 7 }, () => pool.stream(80, new Ears(), here)));
    await peer?.until("fin 5");
    expect(upgrades).toBe(8);
  });

  test("drops a connection with a stuck worker", async () => {
    await standing();
    const [peer] = peers;
    if (peer) peer.answerPings = "fourOfFive";
    const ears = new Ears();
    await pool.stream(80, ears, here);
    await turnUntil(() => peers.length === 2);
    peer?.data(3, "", true);
    peer?.data(1, "", true);
    await turnUntil(() => peer?.heard.filter((line) => line === "ping").length === 5);
    await clock.advance(1_000);
    await turnUntil(() => peer?.socket.destroyed ?? false);
    expect(told).toEqual(["open"]);
  });

  test("closes spare connections after a minute, and keeps one", async () => {
    await standing();
    const ears = [new Ears(), new Ears(), new Ears()];
    for (const each of ears) await pool.stream(80, each, here);
    await turnUntil(() => peers.length === 4);
    for (const peer of peers) {
      peer.data(3, "", true);
      peer.data(1, "", true);
    }
    await turnUntil(() => ears.every((each) => each.end !== undefined));
    for (let turn = 0; turn < 50; turn++) await settle();
    for (let minute = 0; minute < 12; minute++) {
      await clock.advance(5_000);
      for (let turn = 0; turn < 5; turn++) await settle();
    }
    await turnUntil(() => peers.filter((peer) => peer.socket.destroyed).length === 3);
  });
});

describe("a stream that waits while all connections are held up", () => {
  test("gets the first that flows again", async () => {
    await standing();
    const streams = await eight();
    for (const stream of streams) stream.pause();
    const ninth = pool.stream(80, new Ears(), here);
    await settle();
    streams[3]?.resume();
    await ninth;
    await peers[3]?.until("fin 5");
  });

  test("gets a new one in place of one that died", async () => {
    await standing();
    const [stuck, ...others] = await eight();
    for (const stream of others) stream.pause();
    await peers[0]?.until("fin 1");
    peers[0]?.socket.pause();
    while (stuck?.write(Buffer.alloc(1 << 20), 0)) await settle();
    const ninth = pool.stream(80, new Ears(), here);
    await settle();
    expect(upgrades).toBe(8);
    peers[0]?.socket.resetAndDestroy();
    await ninth;
    expect(upgrades).toBe(9);
  });

  test("is told when it took too long", async () => {
    await standing();
    for (const stream of await eight()) stream.pause();
    const ninth = pool.stream(80, new Ears(), here);
    ninth.catch(() => {});
    await clock.advance(10_000);
    await expect(ninth).rejects.toThrow('no connection to pod "api-1" was free within 10 s');
  });

  test("is told when its forward has gone on, and no connection comes", async () => {
    const user = await standing();
    user[Symbol.dispose]();
    await expect(pool.stream(80, new Ears(), here)).rejects.toThrow("moved on");
  });
});

describe("a connection that retires", () => {
  test("has a successor before it ends", async () => {
    await standing();
    await pool.stream(80, new Ears(), here);
    await turnUntil(() => peers.length === 2);
    for (const peer of peers) peer.socket.write(goAway(1));
    await turnUntil(() => peers.length === 3);
    expect(told.filter((word) => word !== "open")).toEqual([]);
  });

  test("does not count as standing", async () => {
    const user = await standing();
    await pool.stream(80, new Ears(), here);
    await turnUntil(() => peers.length === 2);
    script = [unreachable(), unreachable()];
    for (const peer of peers) peer.socket.write(goAway(1));
    await turnUntil(() => told.includes("lost Unreachable"));
    use();
    await turnUntil(() => told.length === 4);
    expect(told).toEqual(["open", "lost Unreachable", "lost Unreachable", "lost Unreachable"]);
    user.retry();
    await turnUntil(() => told.length === 6);
    expect(told.slice(4)).toEqual(["open", "open"]);
  });
});

describe("when no connection is to be had", () => {
  test("whoever asks while one stands is told that it does", async () => {
    const user = await standing();
    user.retry();
    await settle();
    expect([told, upgrades]).toEqual([["open", "open"], 1]);
  });

  test("its users learn why, and nothing is tried until somebody asks", async () => {
    script = [unreachable()];
    const user = use();
    await turnUntil(() => told.length > 0);
    expect([told, upgrades]).toEqual([["lost Unreachable"], 1]);
    user.retry();
    await turnUntil(() => told.includes("open"));
    expect(upgrades).toBe(2);
  });

  test("the server's return is a reason to try, unless a connection stands or nobody wants one", async () => {
    script = [unreachable()];
    const user = use();
    await turnUntil(() => told.length > 0);
    pool.revive();
    await turnUntil(() => told.includes("open"));
    pool.revive();
    user[Symbol.dispose]();
    pool.revive();
    await settle();
    expect(upgrades).toBe(2);
  });

  test("those who wait for a stream learn it too", async () => {
    script = [unreachable()];
    use();
    await expect(pool.stream(80, new Ears(), here)).rejects.toThrow("no route");
  });

  test("those who wait share one that stands and is not stalled", async () => {
    await standing();
    script = [unreachable(), unreachable()];
    const first = await pool.stream(80, new Ears(), here);
    await pool.stream(80, new Ears(), here);
    await peers[0]?.until("fin 5");
    first.pause();
    script = [unreachable(), unreachable()];
    await expect(pool.stream(80, new Ears(), here)).rejects.toThrow("no route");
    expect(told).toEqual(["open"]);
  });

  test("a lost connection is told, and two askers open one", async () => {
    const user = await standing();
    peers[0]?.socket.destroy();
    await turnUntil(() => told.length === 2);
    expect(told).toEqual(["open", "lost ConnectionLost"]);
    user.retry();
    user.retry();
    await turnUntil(() => told.length === 3);
    expect([told.at(-1), upgrades]).toEqual(["open", 2]);
  });
});

describe("the last user's leaving", () => {
  test("closes what is idle", async () => {
    const user = use();
    await turnUntil(() => told.includes("open"));
    user[Symbol.dispose]();
    await turnUntil(() => peers[0]?.socket.destroyed ?? false);
    expect(pool.unused).toBe(true);
  });

  test("lets a stream go on to its end, then closes", async () => {
    const user = use();
    await turnUntil(() => told.includes("open"));
    const ears = new Ears();
    await pool.stream(80, ears, here);
    await turnUntil(() => peers.length === 2);
    user[Symbol.dispose]();
    peers[0]?.data(3, "the rest", true);
    peers[0]?.data(1, "", true);
    await turnUntil(() => ears.end !== undefined);
    expect(ears.heard).toEqual(["the rest", "<end>", "<done>"]);
    await turnUntil(() => peers.every((peer) => peer.socket.destroyed));
  });
});

describe("after a sleep", () => {
  test("who comes does not wait to learn that the old connection is dead: a new one is made at once", async () => {
    await standing();
    await turnUntil(() => peers.length === 1);
    const [dead] = peers;
    if (dead) dead.answerPings = "none";
    pool.wake();
    await pool.stream(80, new Ears(), here);
    await peers[1]?.until("fin 1");
    await clock.advance(2_000);
    await turnUntil(() => dead?.socket.closed ?? false);
    expect(told).toEqual(["open"]);
  });

  test("connections that live are kept, and their streams go on", async () => {
    await standing();
    const ears = new Ears();
    await pool.stream(80, ears, here);
    await turnUntil(() => peers.length === 2);
    pool.wake();
    await peers[0]?.until("ping");
    await peers[1]?.until("ping");
    await clock.advance(2_000);
    expect(peers.map(({ socket }) => socket.destroyed)).not.toContain(true);
    expect([ears.end, told]).toEqual([undefined, ["open"]]);
  });

  test("nothing is made for nobody", async () => {
    const user = await standing();
    user[Symbol.dispose]();
    pool.wake();
    await settle();
    expect(upgrades).toBe(1);
  });
});

test("one that is back after it was out of reach: who lost their connection get another, who did not keep theirs", async () => {
  script = [unreachable()];
  use();
  await turnUntil(() => told.length === 1);
  pool.revive();
  await turnUntil(() => told.length === 2);
  pool.revive();
  await settle();
  expect([upgrades, told]).toEqual([2, ["lost Unreachable", "open"]]);
});

test("a connection that dies without a word is told, one that is closed is not", async () => {
  const user = await standing();
  peers[0]?.socket.destroy();
  await turnUntil(() => told.length === 2);
  expect(silences).toBe(0);
  user.retry();
  await turnUntil(() => told.length === 3);
  const [, peer] = peers;
  if (peer) peer.answerPings = "none";
  await clock.advance(DEAD_AFTER_MS + PING_AFTER_MS);
  await turnUntil(() => told.length === 4);
  expect([told.at(-1), silences]).toEqual(["lost ConnectionSilent", 1]);
});

test("when one goes silent, another that owes an answer is given up with it", async () => {
  await standing();
  const ears = new Ears();
  await pool.stream(80, ears, here);
  await turnUntil(() => peers.length === 2);
  const [first, second] = peers;
  if (first) first.answerPings = "none";
  await clock.advance(PING_AFTER_MS);
  await turnUntil(() => second?.heard.includes("ping") === true);
  await settle();
  if (second) second.answerPings = "none";
  await clock.advance(DEAD_AFTER_MS - PING_AFTER_MS);
  await turnUntil(() => told.length === 2); // by itself the second would have had five seconds more
  expect([told, silences]).toEqual([["open", "lost ConnectionSilent"], 1]);
});

describe("the end of the pod", () => {
  test("cuts streams that hear nothing more from it, and no others", async () => {
    const user = await standing();
    const [quiet, lively] = [new Ears(), new Ears()];
    await pool.stream(80, quiet, here);
    await turnUntil(() => peers.length === 2);
    await pool.stream(80, lively, here);
    user[Symbol.dispose]();
    podGone?.();
    podGone?.();
    await clock.advance(1_500);
    peers[1]?.data(3, "what was on its way");
    await turnUntil(() => lively.heard.length === 1);
    expect(quiet.end).toBeUndefined();
    await clock.advance(500);
    await turnUntil(() => quiet.end !== undefined);
    expect(quiet.end).toMatchObject({ kind: "lost", reason: { message: 'pod "api-1": the pod is gone' } });
    expect(lively.end).toBeUndefined();
    await clock.advance(2_000);
    await turnUntil(() => lively.end !== undefined);
    expect(podGone).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  test("is of no interest to a pool that nobody uses", async () => {
    const user = await standing();
    user[Symbol.dispose]();
    await turnUntil(() => podGone === undefined);
  });
});

describe("where each stream needs a connection of its own", () => {
  beforeEach(() => {
    kind = "perStream";
  });

  test("the pool stands after one upgrade, and dials for each stream, however many", async () => {
    await standing();
    const ears = Array.from({ length: 20 }, () => new Ears());
    await Promise.all(ears.map((each, index) => pool.stream(80 + index, each, new AbortController().signal)));
    expect([upgrades, dialled.length, told]).toEqual([1, 20, ["open"]]);
    channelPeers[19]?.say(0, "to the last");
    await turnUntil(() => ears[19]?.heard.length === 1);
    channelPeers[0]?.close(1000);
    await turnUntil(() => ears[0]?.end !== undefined);
    expect([upgrades, told]).toEqual([1, ["open"]]);
  });

  test("who came before it stood is dialled for, too", async () => {
    use();
    const ears = new Ears();
    await pool.stream(5432, ears, here);
    expect([upgrades, dialled]).toEqual([1, [5432]]);
  });

  test("a stream that cannot be dialled is told so, and a way is looked for anew", async () => {
    await standing();
    dials = "refused";
    kind = "shared";
    await expect(pool.stream(80, new Ears(), here)).rejects.toThrow("no route");
    await turnUntil(() => peers.length === 1);
    await pool.stream(80, new Ears(), here);
    await peers[0]?.until("fin 1");
    expect([upgrades, told]).toEqual([3, ["open", "open"]]);
  });

  test("its users learn when there is none", async () => {
    await standing();
    dials = "refused";
    script = [unreachable()];
    await expect(pool.stream(80, new Ears(), here)).rejects.toThrow("no route");
    await turnUntil(() => told.length === 2);
    expect(told).toEqual(["open", "lost Unreachable"]);
  });

  test("after a sleep a way is looked for anew, and streams that answer go on", async () => {
    await standing();
    const ears = new Ears();
    await pool.stream(80, ears, here);
    channelPeers[0]?.say(0, "before");
    await turnUntil(() => ears.heard.length === 1);
    pool.wake();
    await turnUntil(() => upgrades === 2);
    await channelPeers[0]?.until("ping");
    channelPeers[0]?.say(0, "after");
    await turnUntil(() => ears.heard.length === 2);
    expect([ears.heard, told]).toEqual([
      ["before", "after"],
      ["open", "open"],
    ]);
  });

  test("the last user's leaving lets a stream go on to its end", async () => {
    const user = await standing();
    const ears = new Ears();
    await pool.stream(80, ears, here);
    user[Symbol.dispose]();
    expect(podGone).toBeDefined();
    channelPeers[0]?.say(0, "the rest");
    channelPeers[0]?.close(1000);
    await turnUntil(() => ears.end !== undefined);
    expect(ears.heard).toEqual(["the rest", "<end>", "<done>"]);
    expect([podGone, clock.pending]).toEqual([undefined, 0]);
  });

  test("the end of the pod cuts what is quiet", async () => {
    const user = await standing();
    const ears = new Ears();
    await pool.stream(80, ears, here);
    user[Symbol.dispose]();
    podGone?.();
    await clock.advance(2_000);
    expect(ears.end).toMatchObject({ kind: "lost", reason: { message: 'pod "api-1": the pod is gone' } });
    expect([podGone, clock.pending]).toEqual([undefined, 0]);
  });
});

test("an upload is no excuse for silence once another connection to the pod has died of it", async () => {
  await standing();
  const [peer] = peers;
  if (peer) peer.answerPings = "none";
  const ears = new Ears();
  const stream = await pool.stream(80, ears, here);
  stream.write(Buffer.alloc(100_000), 0);
  await turnUntil(() => peers.length === 2); // the next one is prepared, and answers
  await clock.advance(60_000);
  expect(ears.end).toBe(undefined);
  for (const each of peers) each.answerPings = "none";
  for (let look = 0; look < 8 && ears.end === undefined; look++) await clock.advance(PING_AFTER_MS);
  await turnUntil(() => ears.end !== undefined);
  expect(ears.end).toMatchObject({ kind: "lost", reason: { code: "ConnectionSilent" } });
});

test("a way that is being opened is none: the loss of the last that stood is told after a second", async () => {
  await standing();
  let arrive: () => void = () => {};
  script = [new Promise((resolve) => (arrive = resolve))];
  const ears = new Ears();
  await pool.stream(80, ears, here); // the next one is being prepared
  peers[0]?.socket.destroy();
  await turnUntil(() => ears.end !== undefined);
  expect(told).toEqual(["open"]);
  await clock.advance(1_000);
  expect(told).toEqual(["open", "lost ConnectionLost"]);
  arrive();
  await turnUntil(() => told.length === 3);
  expect(told.at(-1)).toBe("open");
});
