import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { webSocketPair, type ChannelPeer } from "../../../test/fakes/channelpeer.ts";
import { FakeClock, settle, turnUntil } from "../../../test/fakes/clock.ts";
import { Ears } from "../../../test/fakes/spdypeer.ts";
import { KfwdError } from "../../errors.ts";
import { DEAD_AFTER_MS } from "./keepalive.ts";
import { MAX_STREAMS, PerStream } from "./perstream.ts";

let clock: FakeClock;
let peers: ChannelPeer[];
/** What the next dials do; empty: they succeed. */
let script: (KfwdError | "never")[];
let dials: number[];
let told: string[];
let way: PerStream;
/** Says that the server is out of reach; undefined once nobody wants to know. */
let outOfReach: (() => void) | undefined;

const unreachable = (): KfwdError => new KfwdError("UNREACHABLE", "no route");

beforeEach(() => {
  clock = new FakeClock();
  peers = [];
  script = [];
  dials = [];
  told = [];
  way = new PerStream(
    {
      pod: "api-1",
      clock,
      async dial(port, signal) {
        dials.push(port);
        const next = script.shift();
        if (next instanceof KfwdError) throw next;
        if (next === "never") {
          await new Promise((_, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason as Error)),
          );
        }
        const { pipe, peer } = await webSocketPair();
        peers.push(peer);
        peer.ports(port);
        return pipe;
      },
      standBy(tell) {
        outOfReach = tell;
        return { [Symbol.dispose]: () => (outOfReach = undefined) };
      },
    },
    {
      onStreamEnd: () => told.push("stream end"),
      onFlow: () => told.push("flow"),
      onRetire: () => told.push("retire"),
      onSilence: () => told.push("silence"),
      onClose: ({ message }) => told.push(`close ${message}`),
    },
  );
});

afterEach(async () => {
  way[Symbol.dispose]();
  expect([clock.pending, told.at(-1)?.slice(0, 5), outOfReach]).toEqual([0, "close", undefined]);
  for (const peer of peers) await peer.until("closed");
});

async function open(port = 80): Promise<Ears> {
  const ears = new Ears();
  await way.open(port, ears, new AbortController().signal);
  return ears;
}

describe("a way that dials for each stream", () => {
  test("dials nothing before it is asked, then the port that is asked for", async () => {
    expect([dials, way.usable, way.load, way.stalled]).toEqual([[], true, 0, false]);
    const [first, second] = [await open(80), await open(81)];
    peers[0]?.say(0, "one");
    peers[1]?.say(0, "two");
    await turnUntil(() => first.heard.length + second.heard.length === 2);
    expect([dials, first.heard, second.heard]).toEqual([[80, 81], ["one"], ["two"]]);
    expect([await way.sweep(), way.usable]).toEqual([true, true]);
  });

  test("calls nobody before the stream has been handed over", async () => {
    const ears = new Ears();
    const opening = way.open(80, ears, new AbortController().signal);
    await turnUntil(() => peers.length === 1);
    peers[0]?.say(0, "hello");
    await opening;
    expect(ears.heard).toEqual([]);
    await turnUntil(() => ears.heard.length === 1);
  });

  test("is usable as before when a stream ends, however it does", async () => {
    const [done, lost] = [await open(), await open()];
    peers[0]?.close(1000);
    peers[1]?.socket.resetAndDestroy();
    await turnUntil(() => done.end !== undefined && lost.end !== undefined);
    expect([done.heard, lost.heard, way.usable, told]).toEqual([["<end>", "<done>"], ["<lost>"], true, []]);
  });

  test("retires when a dial fails, and closes when its last stream has ended", async () => {
    const ears = await open();
    script = [unreachable()];
    await expect(open()).rejects.toThrow("no route");
    expect([way.usable, told]).toEqual([false, ["retire"]]);
    peers[0]?.close(1000);
    await turnUntil(() => ears.end !== undefined);
    expect(told).toEqual(["retire", 'close pod "api-1": retired']);
  });

  test("retires when the server is out of reach", async () => {
    const ears = await open();
    outOfReach?.();
    expect([way.usable, told, outOfReach]).toEqual([false, ["retire"], undefined]);
    peers[0]?.close(1000);
    await turnUntil(() => ears.end !== undefined);
  });

  test("retires when a stream goes dead without a word, and says so", async () => {
    const ears = await open();
    for (const peer of peers) peer.answerPings = "none";
    peers[0]?.say(0, "a word");
    await turnUntil(() => ears.heard.length === 1);
    await clock.advance(DEAD_AFTER_MS);
    expect([ears.heard, told.slice(0, 2)]).toEqual([
      ["a word", "<lost>"],
      ["silence", "retire"],
    ]);
  });

  test("a dial that is under way when it retires is waited for", async () => {
    const opening = open();
    way.retire();
    const ears = await opening;
    peers[0]?.say(0, "through");
    await turnUntil(() => ears.heard.length === 1);
    expect(told).toEqual(["retire"]);
  });

  test("a client that leaves ends its dial, and says nothing of the way", async () => {
    script = ["never"];
    const client = new AbortController();
    const opening = way.open(80, new Ears(), client.signal);
    opening.catch(() => {});
    await settle();
    client.abort(new Error("client left"));
    await expect(opening).rejects.toThrow("client left");
    await expect(way.open(80, new Ears(), client.signal)).rejects.toThrow("client left");
    expect([way.usable, dials.length]).toEqual([true, 1]);
  });

  test("a dial that takes ten seconds is given up", async () => {
    script = ["never"];
    const opening = open();
    opening.catch(() => {});
    await clock.advance(10_000);
    await expect(opening).rejects.toThrow("no connection came about within 10 s");
    expect(told[0]).toBe("retire");
  });

  test("has a limit, beyond which streams are refused and nothing else changes", async () => {
    script = Array.from({ length: MAX_STREAMS }, () => "never" as const);
    const waiting = Array.from({ length: MAX_STREAMS }, () => open().catch(() => {}));
    await expect(open()).rejects.toThrow(`has ${MAX_STREAMS} connections`);
    expect([way.usable, dials.length]).toEqual([true, MAX_STREAMS]);
    way[Symbol.dispose]();
    await Promise.all(waiting);
  });

  test("closed, it ends its streams and its dials", async () => {
    const ears = await open();
    script = ["never"];
    const opening = open();
    opening.catch(() => {});
    way[Symbol.dispose]();
    await expect(opening).rejects.toThrow('pod "api-1": closed');
    expect(ears.heard).toEqual(["<lost>"]);
    await expect(open()).rejects.toThrow("closed");
  });

  test("after a sleep it gives way to a new one, with the streams that answer", async () => {
    const [alive, dead] = [await open(), await open()];
    for (const peer of peers) peer.say(0, "hello");
    await turnUntil(() => alive.heard.length + dead.heard.length === 2);
    const [, silent] = peers;
    if (silent) silent.answerPings = "none";
    await way.prove();
    expect(told).toEqual(["retire"]);
    await Promise.all(peers.map((peer) => peer.until("ping")));
    for (let turn = 0; turn < 20; turn++) await settle();
    await clock.advance(2_000);
    expect([alive.heard, dead.heard]).toEqual([["hello"], ["hello", "<lost>"]]);
  });

  test("when the pod is gone, streams that are quiet are cut and the way retires", async () => {
    const [quiet, lively] = [await open(), await open()];
    await clock.advance(2_000);
    peers[1]?.say(0, "on its way");
    await turnUntil(() => lively.heard.length === 1);
    way.abandon(2_000);
    expect([quiet.heard, lively.heard, told]).toEqual([["<lost>"], ["on its way"], ["retire"]]);
    await clock.advance(2_000);
    way.abandon(2_000);
    expect(told.length).toBe(2);
  });
});
