import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { webSocketPair, type ChannelPeer } from "../../../test/fakes/channelpeer.ts";
import { FakeClock, settle, turnUntil } from "../../../test/fakes/clock.ts";
import { Ears } from "../../../test/fakes/spdypeer.ts";
import { ChannelStream } from "./channelstream.ts";
import { DEAD_AFTER_MS, PING_AFTER_MS } from "./keepalive.ts";

let peer: ChannelPeer;
let clock: FakeClock;
let ears: Ears;
let stream: ChannelStream;
let overs: number;
let silences: number;

beforeEach(async () => {
  clock = new FakeClock();
  ears = new Ears();
  [overs, silences] = [0, 0];
  const pair = await webSocketPair();
  peer = pair.peer;
  stream = new ChannelStream(
    pair.pipe,
    { pod: "api-1", port: 8080, clock, onSilence: () => silences++, onOver: () => overs++ },
    ears,
  );
});

afterEach(async () => {
  stream.abort();
  expect([overs, clock.pending]).toEqual([1, 0]);
  await peer.until("closed");
});

async function started(): Promise<void> {
  stream.start();
  peer.ports(8080);
  peer.say(0, "220 hello");
  await turnUntil(() => ears.heard.length > 0);
  expect(ears.heard.splice(0)).toEqual(["220 hello"]);
}

/** What may still come has come. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await settle();
}

describe("a stream with a WebSocket of its own", () => {
  test("says nothing before it is started, and loses nothing", async () => {
    peer.ports(8080);
    peer.say(0, "220 hello");
    await quiet();
    expect(ears.heard).toEqual([]);
    stream.write(Buffer.from("first"), 0);
    await peer.until("data first");
    stream.start();
    await turnUntil(() => ears.heard.length > 0);
    expect(ears.heard).toEqual(["220 hello"]);
  });

  test("sends each chunk in a message, masked, whether or not there is room for its headers", async () => {
    await started();
    stream.write(Buffer.from("tight"), 0);
    stream.write(Buffer.from(`${"x".repeat(32)}roomy`).subarray(32), 32);
    stream.write(Buffer.alloc(0), 0);
    stream.write(Buffer.alloc(100_000), 0);
    await turnUntil(() => peer.bytes === 100_010);
    expect(peer.heard.slice(0, 2)).toEqual(["data tight", "data roomy"]);
  });

  test.each([
    ["1000", 1000],
    ["no code", undefined],
  ])("ends in order when the server closes with %s", async (_what, code) => {
    await started();
    peer.say(0, "all of it");
    peer.close(code);
    await turnUntil(() => ears.end !== undefined);
    expect(ears.heard).toEqual(["all of it", "<end>", "<done>"]);
    stream.write(Buffer.from("late"), 0);
    stream.end();
    stream.pause();
    stream.resume();
  });

  test.each<[string, () => void, string]>([
    ["another code", () => peer.close(1011), "closed the connection (1011)"],
    ["no CLOSE", () => peer.socket.end(), "closed the connection"],
    ["a reset", () => peer.socket.resetAndDestroy(), "broke"],
    ["a message of no channel", () => peer.nonsense(), "unknown channel 9"],
  ])("is lost when it ends with %s: the answer may be cut", async (_what, end, words) => {
    await started();
    end();
    await turnUntil(() => ears.end !== undefined);
    expect(ears.heard).toEqual(["<lost>"]);
    expect(ears.end).toMatchObject({
      reason: { code: "ConnectionLost", message: expect.stringContaining(words) as string },
    });
  });

  test("is lost when the server answers for another port", async () => {
    stream.start();
    peer.ports(81);
    await turnUntil(() => ears.end !== undefined);
    expect(ears.end).toMatchObject({ kind: "lost", reason: { message: /port 81 in place of 8080/ } });
  });
});

describe("words on the error channel", () => {
  test("that refuse the port are a refusal, wherever they are cut", async () => {
    stream.start();
    peer.ports(8080);
    peer.say(1, "dial tcp4 127.0.0.1:8080: connect: conn");
    peer.say(1, "ection refused");
    peer.close(1000);
    await turnUntil(() => ears.end !== undefined);
    expect(ears.heard).toEqual(["<refused>"]);
    expect(ears.end).toMatchObject({ kind: "refused", reason: { code: "PodRefused" } });
  });

  test("after data are a break, never a clean end", async () => {
    await started();
    peer.say(0, "half of");
    peer.say(1, "read: connection reset by peer");
    peer.close(1000);
    await turnUntil(() => ears.end !== undefined);
    expect(ears.heard).toEqual(["half of", "<reset>"]);
    expect(ears.end).toMatchObject({ reason: { code: "PodReset" } });
  });

  test("count even if no end follows them", async () => {
    await started();
    peer.say(1, "read: connection reset by peer");
    await quiet();
    expect(ears.end).toBe(undefined);
    await clock.advance(1_000);
    expect(ears.heard).toEqual(["<reset>"]);
  });
});

describe("the client's end", () => {
  test("is CLOSE, behind all it has sent; what is on its way still comes", async () => {
    await started();
    stream.write(Buffer.from("last words"), 0);
    stream.end();
    stream.end();
    stream.write(Buffer.from("late"), 0);
    peer.say(0, "on its way");
    peer.ping(); // is not answered: nothing may follow a CLOSE
    await peer.until("close 1000");
    peer.close(1000);
    await turnUntil(() => ears.end !== undefined);
    expect(ears.heard).toEqual(["on its way", "<end>", "<done>"]);
    await peer.until("closed");
    expect(peer.heard.filter((word) => word !== "closed" && word !== "end")).toEqual([
      "data last words",
      "close 1000",
    ]);
  });

  test("is not waited for by a server that does not answer it, unless the client reads nothing", async () => {
    await started();
    stream.end();
    stream.pause();
    await clock.advance(10_000);
    expect(ears.heard).toEqual([]);
    stream.resume();
    await clock.advance(1_000);
    expect(ears.heard).toEqual(["<end>", "<done>"]);
  });

  test("given up, it is gone at once", async () => {
    await started();
    stream.abort();
    await peer.until("closed");
    expect(ears.heard).toEqual([]);
  });

  test("given up before it was started, it never says a word", async () => {
    peer.say(0, "hello");
    stream.abort();
    stream.start();
    await peer.until("closed");
    expect(ears.heard).toEqual([]);
  });
});

describe("back-pressure", () => {
  test("a paused stream stops its wire", async () => {
    await started();
    stream.pause();
    peer.say(0, "waits");
    await quiet();
    expect(ears.heard).toEqual([]);
    stream.resume();
    await turnUntil(() => ears.heard.length > 0);
    expect(ears.heard).toEqual(["waits"]);
  });

  test.each(["before", "after"])("a full wire makes write say no, and drains, %s the start", async (when) => {
    peer.socket.pause();
    if (when === "after") stream.start();
    while (stream.write(Buffer.alloc(1 << 20), 0)) await settle();
    peer.socket.resume();
    await quiet();
    stream.start();
    await turnUntil(() => ears.heard.includes("<drain>"));
  });
});

describe("life", () => {
  test("asks for a sign of it when it is quiet, and is lost after thirteen seconds without", async () => {
    await started();
    await clock.advance(PING_AFTER_MS);
    await peer.until("ping");
    await quiet(); // its PONG has come
    peer.answerPings = "none";
    await clock.advance(DEAD_AFTER_MS - 1);
    expect(ears.heard).toEqual([]);
    await clock.advance(PING_AFTER_MS);
    expect(ears.heard).toEqual(["<lost>"]);
    expect(ears.end).toMatchObject({
      reason: { code: "ConnectionSilent", message: 'pod "api-1": no sign of life for 13 s' },
    });
    expect(silences).toBe(1);
  });

  test("is not doubted while the client reads nothing, or the app does not take an upload", async () => {
    await started();
    peer.answerPings = "none";
    stream.pause();
    await clock.advance(60_000);
    stream.resume();
    stream.write(Buffer.alloc(100_000), 0);
    await clock.advance(60_000);
    expect(ears.heard).toEqual([]);
  });

  test("after a sleep it goes on when it answers", async () => {
    await started();
    stream.prove();
    await peer.until("ping");
    await quiet();
    await clock.advance(2_000);
    expect(ears.heard).toEqual([]);
  });

  test("after a sleep it is lost when it does not, whatever TCP believes", async () => {
    await started();
    peer.answerPings = "none";
    stream.prove();
    await clock.advance(2_000);
    expect(ears.heard).toEqual(["<lost>"]);
  });

  test("when the pod is gone it is lost as soon as it has been quiet for long", async () => {
    await started();
    await clock.advance(1_500);
    stream.abandon(2_000);
    stream.pause();
    await clock.advance(1_000);
    stream.abandon(2_000);
    stream.resume();
    stream.abandon(2_000);
    expect(ears.heard).toEqual([]);
    await clock.advance(2_000);
    stream.abandon(2_000);
    expect(ears.heard).toEqual(["<lost>"]);
  });
});
