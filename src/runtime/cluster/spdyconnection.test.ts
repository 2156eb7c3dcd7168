import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settle, turnUntil } from "../../../test/fakes/clock.ts";
import { Ears, loopback, type Peer } from "../../../test/fakes/spdypeer.ts";
import type { PodStream } from "../deps.ts";
import type { Reason } from "../core/status.ts";
import { goAway, ping, resetStream, synStream } from "../wire/spdy.ts";
import { DEAD_AFTER_MS, PING_AFTER_MS } from "./keepalive.ts";
import { SpdyConnection } from "./spdyconnection.ts";

let peer: Peer;
let clock: FakeClock;
let connection: SpdyConnection;
let closed: Reason | undefined;
let streamEnds: number;
let flows: number;

beforeEach(async () => {
  clock = new FakeClock();
  closed = undefined;
  streamEnds = 0;
  flows = 0;
  const wire = await loopback();
  peer = wire.peer;
  connection = new SpdyConnection(wire.pipe, "api-1", clock, {
    onStreamEnd: () => streamEnds++,
    onFlow: () => flows++,
    onRetire: () => {},
    onSilence: () => {},
    onClose: (reason) => (closed = reason),
  });
});

afterEach(() => {
  connection[Symbol.dispose]();
  peer.socket.destroy();
  expect(clock.pending).toBe(0);
});

function open(port = 80): { stream: PodStream; ears: Ears } {
  const ears = new Ears();
  return { stream: connection.open(port, ears), ears };
}

describe("a stream", () => {
  test("goes out as error SYN, its FIN, data SYN and first bytes without waiting for an answer", async () => {
    const { stream } = open(8080);
    stream.write(Buffer.from("first"), 0);
    await peer.until("data 3 first");
    expect(peer.heard).toEqual(["syn 1 error 8080 0", "fin 1", "syn 3 data 8080 0", "data 3 first"]);
  });

  test("hears the pod speak first", async () => {
    const { ears } = open();
    await turnUntil(() => peer.heard.length >= 3);
    peer.data(3, "220 hello");
    await turnUntil(() => ears.heard.length > 0);
    expect(ears.heard).toEqual(["220 hello"]);
  });

  test("ends in order when the pod and the error stream have ended, and says FIN at once", async () => {
    const { ears } = open();
    peer.data(3, "all of it");
    peer.data(3, "", true);
    peer.data(1, "", true);
    await turnUntil(() => ears.end !== undefined);
    expect(ears.heard).toEqual(["all of it", "<end>", "<done>"]);
    await peer.until("fin 3");
    expect([connection.load, streamEnds]).toEqual([0, 1]);
  });

  test("waits a moment for the error stream, since the pod's FIN comes before the words", async () => {
    const { ears } = open();
    peer.data(3, "", true);
    await turnUntil(() => peer.heard.includes("fin 3"));
    await clock.advance(900);
    expect(ears.heard).toEqual([]);
    await clock.advance(100);
    expect(ears.heard).toEqual(["<end>", "<done>"]);
  });

  test("what another stream holds up on the wire is waited for", async () => {
    const { ears } = open();
    const other = open();
    peer.data(3, "half of the answer", true);
    await peer.until("fin 3");
    other.stream.pause();
    peer.data(1, "connection reset by peer", true);
    await clock.advance(3_000);
    expect(ears.heard).toEqual(["half of the answer"]);
    other.stream.resume();
    await turnUntil(() => ears.end !== undefined);
    expect(ears.heard).toEqual(["half of the answer", "<reset>"]);
  });

  test("a refused port is a refusal with words, wherever the text is cut", async () => {
    const { ears } = open(81);
    peer.data(3, "", true);
    peer.data(1, "dial tcp4 127.0.0.1:81: connect: conn");
    peer.data(1, "ection refused");
    peer.socket.write(resetStream(1, 5));
    await turnUntil(() => ears.end !== undefined);
    expect(ears.heard).toEqual(["<refused>"]);
    expect(ears.end).toMatchObject({ kind: "refused", reason: { code: "PodRefused" } });
  });

  test("error text after data is a break, never a clean end", async () => {
    const { ears } = open();
    peer.data(3, "half of");
    peer.data(1, "connection refused", true);
    await turnUntil(() => ears.end !== undefined);
    expect(ears.heard).toEqual(["half of", "<reset>"]);
  });

  test("a reset without words is a reset", async () => {
    const { ears } = open();
    peer.data(3, "half of");
    peer.socket.write(resetStream(3, 2));
    peer.socket.write(resetStream(1, 2));
    await turnUntil(() => ears.end !== undefined);
    expect(ears.heard).toEqual(["half of", "<reset>"]);
    expect(ears.end).toMatchObject({ reason: { code: "PodReset" } });
  });

  test("given up, it resets on the wire and hears no more", async () => {
    const { stream, ears } = open();
    stream.abort();
    await peer.until("reset 3 5");
    peer.data(3, "late");
    peer.data(3, "", true);
    peer.data(1, "", true);
    await connection.sweep();
    expect(ears.heard).toEqual([]);
    expect(connection.load).toBe(0);
  });

  test("sends nothing after the pod has finished: that would block a worker of the server for ever", async () => {
    const { stream } = open();
    peer.data(3, "", true);
    await peer.until("fin 3");
    stream.write(Buffer.from("late"), 0);
    stream.end();
    await connection.sweep();
    expect(peer.heard.filter((line) => line.includes("late") || line === "fin 3")).toEqual(["fin 3"]);
  });

  test("cuts large chunks to frames of 64 KiB", async () => {
    const { stream } = open();
    stream.write(Buffer.alloc(150_000, "a"), 0);
    stream.end();
    await peer.until("fin 3");
    expect(
      peer.heard
        .filter((line) => line.startsWith("data"))
        .join("")
        .match(/a/g)?.length,
    ).toBeGreaterThanOrEqual(150_000);
  });
});

describe("back-pressure", () => {
  test("a paused stream stops the wire, and says so", async () => {
    const { stream, ears } = open();
    await turnUntil(() => peer.heard.length >= 3);
    stream.pause();
    expect(connection.stalled).toBe(true);
    peer.data(3, "waits");
    for (let turn = 0; turn < 20; turn++) await settle();
    expect(ears.heard).toEqual([]);
    stream.resume();
    await turnUntil(() => ears.heard.length > 0);
    expect(ears.heard).toEqual(["waits"]);
  });

  test("a stream that is given up while paused lets the others go on", async () => {
    const stalled = open();
    const other = open();
    stalled.stream.pause();
    stalled.stream.abort();
    peer.data(7, "through");
    await turnUntil(() => other.ears.heard.length > 0);
    expect(connection.stalled).toBe(false);
    expect(flows).toBe(1);
  });

  test("a full wire makes write say no, and drains to every stream", async () => {
    peer.socket.pause();
    const { stream, ears } = open();
    while (stream.write(Buffer.alloc(1 << 20), 0)) await settle();
    expect(connection.stalled).toBe(true);
    peer.socket.resume();
    await turnUntil(() => ears.heard.includes("<drain>"));
  });

  test("a stuck upload that is given up takes its connection along: a reset would wait behind it", async () => {
    peer.socket.pause();
    const { stream } = open();
    while (stream.write(Buffer.alloc(1 << 20), 0)) await settle();
    stream.abort();
    expect(closed?.message).toContain("given up");
  });
});

describe("the connection", () => {
  test("numbers its streams and requests upwards", async () => {
    open(80);
    open(81);
    await peer.until("fin 1", "fin 5");
    expect(peer.heard.filter((line) => line.startsWith("syn"))).toEqual([
      "syn 1 error 80 0",
      "syn 3 data 80 0",
      "syn 5 error 81 1",
      "syn 7 data 81 1",
    ]);
  });

  test("a sweep proves all five workers, and fails when one is stuck", async () => {
    expect(await connection.sweep()).toBe(true);
    peer.answerPings = "fourOfFive";
    const sweep = connection.sweep();
    await turnUntil(() => peer.heard.length >= 10);
    await clock.advance(1_000);
    expect(await sweep).toBe(false);
  });

  test("after a sleep it goes on when it answers", async () => {
    await connection.prove();
    expect([closed, connection.usable]).toEqual([undefined, true]);
  });

  test("after a sleep it is closed when it does not answer", async () => {
    peer.answerPings = "none";
    const { ears } = open();
    const proof = connection.prove();
    await clock.advance(2_000);
    await proof;
    expect(ears.heard).toEqual(["<lost>"]);
    expect(closed?.message).toContain("after a sleep");
  });

  test("a sweep ends with the connection", async () => {
    peer.answerPings = "none";
    const sweep = connection.sweep();
    connection[Symbol.dispose]();
    expect(await sweep).toBe(false);
  });

  test("answers the server's pings and ignores its streams", async () => {
    peer.socket.write(ping(2));
    await peer.until("pong 2");
    peer.socket.write(synStream(2, Buffer.alloc(0)));
    await peer.until("reset 2 5");
    expect(connection.usable).toBe(true);
  });

  test("asks for a sign of life when it is quiet, and is dead after thirteen seconds without", async () => {
    const { ears } = open();
    await clock.advance(PING_AFTER_MS);
    await peer.until("ping");
    expect(closed).toBe(undefined);
    peer.answerPings = "none";
    await turnUntil(() => clock.pending > 0);
    await clock.advance(DEAD_AFTER_MS + PING_AFTER_MS);
    expect(closed?.message).toContain("no sign of life for 13 s");
    expect(ears.heard).toEqual(["<lost>"]);
  });

  test("is dead thirteen seconds after its last word, whenever that came", async () => {
    const { ears } = open();
    peer.answerPings = "none";
    await clock.advance(100);
    peer.data(3, "a word");
    await turnUntil(() => ears.heard.length === 1);
    await clock.advance(DEAD_AFTER_MS - 1);
    expect(closed).toBe(undefined);
    await clock.advance(1);
    expect(closed?.message).toContain("no sign of life for 13 s");
  });

  test("when this process could not run for a while, the server is asked before it is given up", async () => {
    clock.stalls(60_000);
    await clock.advance(0);
    await peer.until("ping");
    expect(await connection.sweep()).toBe(true);
    await clock.advance(PING_AFTER_MS - 1);
    expect(closed).toBe(undefined);
    peer.answerPings = "none";
    clock.stalls(60_000);
    await clock.advance(1_999);
    expect(closed).toBe(undefined);
    await clock.advance(1);
    expect(closed?.message).toContain("no sign of life for 13 s");
  });

  test("an upload that the app does not take is waited for: the server reads no PING behind it", async () => {
    const { stream } = open();
    peer.socket.pause();
    while (stream.write(Buffer.alloc(1 << 20), 0)) await settle();
    await clock.advance(60_000);
    expect(closed).toBe(undefined);
    peer.socket.resume();
    expect(await connection.sweep()).toBe(true);
  });

  test("so is one that has all left this machine", async () => {
    peer.answerPings = "none";
    const { stream } = open();
    stream.write(Buffer.alloc(100_000), 0);
    await peer.until("fin 1");
    await clock.advance(60_000);
    expect(closed).toBe(undefined);
    peer.socket.write(ping(1)); // at last
    await turnUntil(() => peer.heard.includes("ping"));
    for (let turn = 0; turn < 20; turn++) await settle();
    await clock.advance(DEAD_AFTER_MS + PING_AFTER_MS);
    expect(closed?.message).toContain("no sign of life for 13 s");
  });

  test("in doubt no upload is an excuse: thirteen seconds after its last word it is dead", async () => {
    peer.answerPings = "none";
    const { stream, ears } = open();
    stream.write(Buffer.alloc(100_000), 0);
    await peer.until("fin 1");
    await clock.advance(DEAD_AFTER_MS - 1_000);
    connection.doubt();
    expect(closed).toBe(undefined);
    await clock.advance(1_000);
    expect(closed?.message).toContain("no sign of life for 13 s");
    expect(ears.heard.at(-1)).toBe("<lost>");
  });

  test("nor is one that does not even leave this machine", async () => {
    const { stream } = open();
    peer.socket.pause();
    while (stream.write(Buffer.alloc(1 << 20), 0)) await settle();
    await clock.advance(60_000);
    expect(closed).toBe(undefined);
    connection.doubt();
    expect(closed?.message).toContain("no sign of life for 13 s");
  });

  test("a word is the end of the doubt", async () => {
    peer.answerPings = "none";
    const { stream, ears } = open();
    stream.write(Buffer.alloc(100_000), 0);
    await peer.until("fin 1");
    await clock.advance(DEAD_AFTER_MS - 1_000);
    connection.doubt();
    peer.data(3, "a word");
    await turnUntil(() => ears.heard.includes("a word"));
    stream.write(Buffer.alloc(100_000), 0);
    await clock.advance(60_000);
    expect(closed).toBe(undefined);
  });

  test("who does not read cannot be in doubt", async () => {
    peer.answerPings = "none";
    const { stream } = open();
    stream.pause();
    await clock.advance(60_000);
    connection.doubt();
    await clock.advance(60_000);
    expect(closed).toBe(undefined);
    stream.resume();
    await clock.advance(DEAD_AFTER_MS + PING_AFTER_MS);
    expect(closed?.message).toContain("no sign of life for 13 s");
  });

  test("after GOAWAY it carries what it has, then closes", async () => {
    const { ears } = open();
    peer.socket.write(goAway(3));
    await turnUntil(() => !connection.usable);
    peer.data(3, "last words", true);
    peer.data(1, "", true);
    await turnUntil(() => closed !== undefined);
    expect(ears.heard).toEqual(["last words", "<end>", "<done>"]);
  });

  test("when it breaks, every stream is lost", async () => {
    const first = open();
    const second = open();
    peer.socket.resetAndDestroy();
    await turnUntil(() => closed !== undefined);
    expect([first.ears.heard, second.ears.heard]).toEqual([["<lost>"], ["<lost>"]]);
    expect(first.ears.end).toMatchObject({ reason: { kind: "transient", code: "ConnectionLost" } });
  });

  test("bytes that are no SPDY end it with a name, not a crash", async () => {
    open();
    peer.socket.write(Buffer.from("8002000600000004", "hex"));
    await turnUntil(() => closed !== undefined);
    expect(closed?.message).toContain("malformed SPDY");
  });
});
