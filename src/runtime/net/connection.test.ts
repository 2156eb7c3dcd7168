import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settle, turnUntil } from "../../../test/fakes/clock.ts";
import type { Reason } from "../core/status.ts";
import type { CarryEnd, PodStream, StreamEnd, StreamEnds, StreamHandler } from "../deps.ts";
import type { ClientEnd } from "./clientend.ts";
import { ClientConnection } from "./connection.ts";

/** A pod stream in memory: what was sent is kept, what comes back is up to the test. */
class FakeStream implements PodStream {
  readonly handler: StreamHandler;
  readonly sent: string[] = [];
  readonly calls: string[] = [];
  flowing = true;

  constructor(handler: StreamHandler) {
    this.handler = handler;
  }

  write(chunk: Buffer): boolean {
    this.sent.push(chunk.toString());
    return this.flowing;
  }
  end(): void {
    this.#call("end");
  }
  abort(): void {
    this.#call("abort");
  }
  pause(): void {
    this.#call("pause");
  }
  resume(): void {
    this.#call("resume");
  }

  #call(name: string): void {
    if (this.calls.at(-1) !== name) this.calls.push(name);
  }
}

const refusedReason: Reason = { code: "PodRefused", kind: "transient", message: "nothing listens" };
const refused: StreamEnd = { kind: "refused", reason: refusedReason };
const lost: StreamEnd = {
  kind: "lost",
  reason: { code: "ConnectionLost", kind: "transient", message: "lost" },
};

let server: Server;
let clock: FakeClock;
let client: Socket;
/** Destroyed with the connection's own socket. */
/** Of the accepted socket, whoever reads from it. */
let handle: { readonly fd: number };
let connection: ClientConnection;
/** What a look at the client tells. */
let clientEnd: ClientEnd;

beforeEach(async () => {
  clock = new FakeClock();
  clientEnd = "unknown";
  server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const accepting = once(server, "connection");
  client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const [socket] = (await accepting) as [Socket];
  handle = Reflect.get(socket, "_handle");
  connection = new ClientConnection(socket, clock, async () => clientEnd);
});

afterEach(async () => {
  client.destroy();
  connection.reset();
  server.close();
  await once(server, "close");
});

/** Carries the connection over a fake stream; `ended` resolves with how it went. */
async function carry(ends: StreamEnds = "cuts"): Promise<{ stream: FakeStream; ended: Promise<CarryEnd> }> {
  let stream: FakeStream | undefined;
  const ended = connection.carry(async (handler) => (stream = new FakeStream(handler)), ends);
  await settle();
  return { stream: stream!, ended };
}

async function read(bytes: number): Promise<string> {
  let text = "";
  while (text.length < bytes) text += String((await once(client, "data"))[0]);
  return text;
}

describe("a carried connection", () => {
  test("passes bytes both ways and counts them", async () => {
    const { stream } = await carry();
    client.write("question");
    await turnUntil(() => stream.sent.join("") === "question");
    stream.handler.onData(Buffer.from("answer"));
    expect(await read(6)).toBe("answer");
    expect(connection.traffic).toEqual({ bytesIn: 6, bytesOut: 8 });
  });

  test("ends the client's side when the pod has finished, after all its bytes", async () => {
    const { stream, ended } = await carry();
    stream.handler.onData(Buffer.from("bye"));
    stream.handler.onEnd();
    stream.handler.onClose({ kind: "done" });
    expect(await read(3)).toBe("bye");
    await once(client, "end");
    expect(await ended).toEqual({ end: { kind: "done" }, replayable: false });
    expect(stream.calls).toContain("end");
  });

  test("holds the client's half-close back until the pod has been quiet for five seconds", async () => {
    const { stream } = await carry();
    client.end("request");
    await turnUntil(() => stream.sent.length > 0);
    await turnUntil(() => clock.pending > 0);
    await clock.advance(4_000);
    stream.handler.onData(Buffer.from("part of the answer"));
    await clock.advance(4_999);
    expect(stream.calls).not.toContain("end");
    await clock.advance(5_000);
    expect(stream.calls).toContain("end");
  });

  test("passes the half-close of a client that asked for nothing on after half a second", async () => {
    const { stream } = await carry();
    client.end();
    await turnUntil(() => clock.pending > 0);
    await clock.advance(499);
    expect(stream.calls).toEqual([]);
    await clock.advance(1);
    expect(stream.calls).toContain("end");
  });

  describe("whose client is gone", () => {
    /** The client is gone, and its socket let go of. */
    async function abandoned(stream: FakeStream): Promise<void> {
      clientEnd = "gone";
      client.end("fire and forget");
      await turnUntil(() => handle.fd < 0);
      expect(stream.calls).not.toContain("abort");
    }

    test("passes the FIN on at once, after all its bytes, and ends with the stream", async () => {
      const { stream, ended } = await carry();
      await abandoned(stream);
      expect(stream.calls).toContain("end");
      expect(stream.sent.join("")).toBe("fire and forget");
      expect(stream.handler.onData(Buffer.from("to nobody"))).toBe("taken");
      stream.handler.onEnd();
      stream.handler.onClose({ kind: "done" });
      expect(await ended).toEqual({ end: { kind: "done" }, replayable: false });
      expect([connection.traffic.bytesIn, connection.closed.aborted, clock.pending]).toEqual([0, true, 0]);
    });

    test("lets the pod go on that it had stopped", async () => {
      const { stream } = await carry();
      client.pause();
      while (!stream.calls.includes("pause")) stream.handler.onData(Buffer.alloc(1 << 20));
      await abandoned(stream);
      expect(stream.calls.at(-1)).toBe("resume");
    });

    test("gives a pod up that goes on for half a minute", async () => {
      const { stream, ended } = await carry();
      await abandoned(stream);
      await clock.advance(29_999);
      expect(stream.calls).not.toContain("abort");
      await clock.advance(1);
      expect(stream.calls).toContain("abort");
      expect(await ended).toEqual({ end: { kind: "done" }, replayable: false });
    });

    test("ends its stream when it is reset", async () => {
      const { stream, ended } = await carry();
      await abandoned(stream);
      connection.reset();
      expect(stream.calls).toContain("abort");
      await ended;
      expect(clock.pending).toBe(0);
    });

    test("may be replayed when the pod refused it", async () => {
      const { stream, ended } = await carry();
      await abandoned(stream);
      stream.handler.onClose(refused);
      expect(await ended).toEqual({ end: refused, replayable: true });
      expect(connection.closed.aborted).toBe(false);
      const second = await carry();
      expect(second.stream.sent).toEqual(["fire and forget"]);
      expect(second.stream.calls).toContain("end");
      connection.reset();
      expect(await second.ended).toEqual({ end: { kind: "done" }, replayable: false });
      expect([connection.closed.aborted, clock.pending]).toEqual([true, 0]);
    });
  });

  test("notices within half a second that a half-closed client has left", async () => {
    const { stream } = await carry();
    clientEnd = "reading";
    client.end("request");
    await turnUntil(() => clock.pending > 0);
    await clock.advance(1_100);
    expect(stream.calls).not.toContain("end");
    clientEnd = "gone";
    await clock.advance(500);
    expect(stream.calls).toContain("end");
  });

  test("knows a reset that comes together with data, which Node 20 shows as an end", async () => {
    const { stream, ended } = await carry();
    client.write("last words");
    client.resetAndDestroy();
    await ended;
    await turnUntil(() => stream.calls.includes("abort"));
    expect(connection.closed.aborted).toBe(true);
  });

  test("gives the stream up when the client resets", async () => {
    const { stream, ended } = await carry();
    client.resetAndDestroy();
    await turnUntil(() => stream.calls.includes("abort"));
    expect(await ended).toEqual({ end: { kind: "done" }, replayable: false });
    expect(connection.closed.aborted).toBe(true);
  });

  test("stops reading the client while the pod takes no more, and goes on when it does", async () => {
    const { stream } = await carry();
    stream.flowing = false;
    client.write("a".repeat(200_000));
    await turnUntil(() => stream.sent.length > 0);
    const before = stream.sent.join("").length;
    expect(before).toBeLessThan(200_000);
    await settle();
    expect(stream.sent.join("").length).toBe(before);
    stream.flowing = true;
    stream.handler.onDrain();
    await turnUntil(() => stream.sent.join("").length === 200_000);
  });

  test("stops the pod while the client does not read", async () => {
    const { stream } = await carry();
    client.pause();
    while (!stream.calls.includes("pause")) stream.handler.onData(Buffer.alloc(1 << 20));
    expect(stream.calls.at(-1)).toBe("pause");
    client.resume();
    await turnUntil(() => stream.calls.at(-1) === "resume");
  });
});

describe("a connection that is not carried yet", () => {
  test("keeps the client's first bytes and sends them first", async () => {
    client.write("early ");
    for (let turn = 0; turn < 20; turn++) await settle();
    const { stream } = await carry();
    client.write("late");
    await turnUntil(() => stream.sent.join("") === "early late");
  });

  test("reads no more than about 64 KiB ahead", async () => {
    client.write(Buffer.alloc(8 << 20));
    const { stream } = await carry().then(async (carried) => {
      await settle();
      return carried;
    });
    expect(stream.sent.join("").length).toBeLessThanOrEqual(256 * 1024);
  });

  test("knows when the client has left", async () => {
    client.resetAndDestroy();
    await once(connection.closed, "abort");
    await expect(connection.carry(async (handler) => new FakeStream(handler), "cuts")).resolves.toMatchObject(
      {
        end: { kind: "done" },
        replayable: false,
      },
    );
  });
});

describe("a stream that took nothing", () => {
  test("may be replayed with the same bytes when it was refused", async () => {
    const first = await carry();
    client.write("request");
    await turnUntil(() => first.stream.sent.length > 0);
    first.stream.handler.onClose(refused);
    expect(await first.ended).toEqual({ end: refused, replayable: true });
    const second = await carry();
    await turnUntil(() => second.stream.sent.join("") === "request");
    expect(connection.traffic.bytesOut).toBe(7);
  });

  test("may not be replayed once a byte of the answer was passed on", async () => {
    const { stream, ended } = await carry();
    stream.handler.onData(Buffer.from("x"));
    stream.handler.onClose(refused);
    expect((await ended).replayable).toBe(false);
  });

  test("may not be replayed when the connection was lost with bytes under way: the pod may have them", async () => {
    const { stream, ended } = await carry();
    client.write("request");
    await turnUntil(() => stream.sent.length > 0);
    stream.handler.onClose(lost);
    expect((await ended).replayable).toBe(false);
  });

  test("may be replayed when it was lost before the client said anything", async () => {
    const { stream, ended } = await carry();
    stream.handler.onClose(lost);
    expect((await ended).replayable).toBe(true);
  });

  test("may not be replayed when the client had sent more than is kept", async () => {
    const { stream, ended } = await carry();
    client.write(Buffer.alloc(200_000, "a"));
    await turnUntil(() => stream.sent.join("").length === 200_000);
    stream.handler.onClose(refused);
    expect((await ended).replayable).toBe(false);
  });
});

test("a client that pauses for minutes gets the whole answer", async () => {
  const { stream, ended } = await carry();
  client.pause();
  const answer = Buffer.alloc(16 << 20, "a");
  stream.handler.onData(answer);
  stream.handler.onEnd();
  stream.handler.onClose({ kind: "done" });
  await ended;
  await clock.advance(120_000);
  let received = 0;
  client.on("data", (chunk: Buffer) => (received += chunk.length)).resume();
  await once(client, "end");
  expect(received).toBe(answer.length);
});

test("reset leaves no socket open when its end is under way", async () => {
  const { stream } = await carry();
  stream.handler.onData(Buffer.from("bye"));
  stream.handler.onEnd();
  connection.reset();
  await turnUntil(() => handle.fd < 0);
});

test("reset reaches the client as a reset, not as an end", async () => {
  connection.reset();
  const [error] = (await once(client, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
});

describe("through a relay, which keeps what goes the other way", () => {
  test("the client's half-close is passed on at once, and the answer after it arrives whole", async () => {
    const { stream, ended } = await carry("keeps");
    client.end("request");
    await turnUntil(() => stream.calls.includes("end"));
    await clock.advance(5_000);
    stream.handler.onData(Buffer.from("answer"));
    stream.handler.onEnd();
    stream.handler.onClose({ kind: "done" });
    expect(await read(6)).toBe("answer");
    await once(client, "end");
    expect(await ended).toEqual({ end: { kind: "done" }, replayable: false });
    expect(stream.calls).not.toContain("abort");
  });

  test("the pod's half-close ends one direction alone", async () => {
    const { stream, ended } = await carry("keeps");
    client.write("one ");
    stream.handler.onEnd();
    client.resume();
    await once(client, "end");
    client.write("two ");
    await turnUntil(() => stream.sent.join("") === "one two ");
    expect(stream.calls).not.toContain("end");
    client.end("three");
    await turnUntil(() => stream.calls.includes("end"));
    expect(stream.sent.join("")).toBe("one two three");
    stream.handler.onClose({ kind: "done" });
    expect((await ended).end).toEqual({ kind: "done" });
    expect(stream.calls).not.toContain("abort"); // its bytes may be under way yet
  });

  test("a client that resets is told to the pod at once", async () => {
    const { stream, ended } = await carry("keeps");
    client.write("half a que");
    await turnUntil(() => stream.sent.length > 0);
    client.resetAndDestroy();
    expect((await ended).end).toEqual({ kind: "done" });
    expect(stream.calls).toContain("abort");
  });

  test("a stream that never ends after both sides have is given up", async () => {
    const { stream, ended } = await carry("keeps");
    stream.handler.onEnd();
    client.resume();
    client.end("the rest");
    await turnUntil(() => handle.fd < 0);
    await clock.advance(30_000);
    await ended;
    expect(stream.calls).toContain("abort");
  });
});

describe("an end that the runtime keeps for a second", () => {
  test.each([
    ["that long after the last byte is late", 1_000, true],
    ["right after it is not", 10, undefined],
    ["of an idle connection is not", 5_000, undefined],
  ])("%s", async (_name, ms, late) => {
    const { stream, ended } = await carry();
    stream.handler.onData(Buffer.from("bye"));
    await clock.advance(ms);
    stream.handler.onEnd();
    stream.handler.onClose({ kind: "done" });
    expect((await ended).lateEnd).toBe(late);
  });

  test("is none for a client that has ended first", async () => {
    const { stream, ended } = await carry();
    client.end("request");
    await turnUntil(() => stream.sent.length > 0 && clock.pending > 0);
    stream.handler.onData(Buffer.from("bye"));
    await clock.advance(1_000);
    stream.handler.onEnd();
    stream.handler.onClose({ kind: "done" });
    expect((await ended).lateEnd).toBe(undefined);
  });
});
