import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settle, turnUntil } from "../../../test/fakes/clock.ts";
import { Ears, loopback, type Peer } from "../../../test/fakes/spdypeer.ts";
import { KfwdError } from "../../errors.ts";
import { Pool } from "./pool.ts";
import type { Upgraded } from "./upgrade.ts";

const here = new AbortController().signal;

let clock: FakeClock;
let pool: Pool;
let peers: Peer[];
/** What the next upgrades do; empty: they succeed. */
let script: (KfwdError | Promise<void>)[];
let upgrades: number;
let told: string[];
let leave: Disposable[];

beforeEach(() => {
  clock = new FakeClock();
  const ours: Peer[] = (peers = []); // an earlier test's pool may still be opening connections
  script = [];
  upgrades = 0;
  told = [];
  leave = [];
  pool = new Pool({
    pod: "api-1",
    clock,
    async upgrade(): Promise<Upgraded> {
      if (ours === peers) upgrades++;
      const next = script.shift();
      if (next instanceof KfwdError) throw next;
      await next;
      const { socket, peer } = await loopback();
      ours.push(peer);
      return { socket, early: Buffer.alloc(0) };
    },
  });
});

afterEach(() => {
  for (const user of leave) user[Symbol.dispose]();
  for (const peer of peers) peer.socket.destroy();
});

function use(): Disposable {
  const user = pool.use({
    onOpen: () => told.push("open"),
    onLost: (reason) => told.push(`lost ${reason.code}`),
  });
  leave.push(user);
  return user;
}

async function standing(): Promise<void> {
  use();
  await turnUntil(() => told.includes("open"));
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
    const opened = Array.from({ length: 8 }, () => pool.stream(80, new Ears(), here));
    const first = await Promise.all(opened);
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

describe("when no connection is to be had", () => {
  test("its users learn why, and nothing is tried until somebody asks", async () => {
    script = [unreachable()];
    use();
    await turnUntil(() => told.length > 0);
    expect([told, upgrades]).toEqual([["lost Unreachable"], 1]);
    pool.open();
    await turnUntil(() => told.includes("open"));
    expect(upgrades).toBe(2);
  });

  test("those who wait for a stream learn it too", async () => {
    script = [unreachable()];
    use();
    await expect(pool.stream(80, new Ears(), here)).rejects.toThrow("no route");
  });

  test("a lost connection is told, and two askers open one", async () => {
    await standing();
    peers[0]?.socket.destroy();
    await turnUntil(() => told.length === 2);
    expect(told).toEqual(["open", "lost ConnectionLost"]);
    pool.open();
    pool.open();
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
