import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { dialLocal, openTunnel, startRelay, type RelayProcess } from "../../test/rig/relay.ts";
import { realClock } from "../runtime/clock.ts";
import { RelayKey } from "../runtime/cluster/relaykey.ts";
import type { RelayTunnel } from "../runtime/cluster/relaytunnel.ts";
import type { FlowHandler, PodStream, StreamEnd, StreamHandler } from "../runtime/deps.ts";

let relay: RelayProcess;
let tunnel: RelayTunnel;
let closed: Promise<string>;
const cleanup: (() => unknown)[] = [];

beforeEach(async () => {
  relay = await startRelay();
  ({ tunnel, closed } = await openTunnel(relay, realClock));
});

afterEach(async () => {
  tunnel[Symbol.dispose]();
  for (const each of cleanup.splice(0)) await each();
  await relay[Symbol.asyncDispose]();
});

// --- datagrams ---

async function udpApp(
  onMessage: (message: Buffer, reply: (answer: Buffer) => void) => void,
): Promise<number> {
  // Of a thousand datagrams at once the default buffer holds a fourth, and this process is busy.
  const socket = createSocket({ type: "udp4", recvBufferSize: 4 * 1024 * 1024 });
  socket.on("message", (message, { port, address }) =>
    onMessage(message, (answer) => socket.send(answer, port, address)),
  );
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  cleanup.push(() => closeUdp(socket));
  return socket.address().port;
}

function closeUdp(socket: UdpSocket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}

const echo = () => udpApp((message, reply) => reply(message));

interface Heard {
  readonly datagrams: Buffer[];
  readonly drops: string[];
  ended: number;
}

/** A flow and all that is heard on it; `until` resolves when `look` is true. */
function flowTo(target: { host: string; port: number }) {
  const heard: Heard = { datagrams: [], drops: [], ended: 0 };
  let look = (): void => {};
  const handler: FlowHandler = {
    onDatagram: (datagram) => {
      heard.datagrams.push(Buffer.from(datagram));
      look();
    },
    onDropped: (count, why) => {
      for (let i = 0; i < count; i++) heard.drops.push(why);
      look();
    },
    onEnd: () => {
      heard.ended++;
      look();
    },
  };
  const flow = tunnel.flow(target, handler);
  if (flow === undefined) throw new Error("the tunnel is not open");
  const until = (isTrue: () => boolean) =>
    new Promise<void>((resolve) => {
      look = () => void (isTrue() && resolve());
      look();
    });
  return { flow, heard, until };
}

const local = (port: number) => ({ host: "127.0.0.1", port });

test("datagrams of every size come back whole and in order", async () => {
  const { flow, heard, until } = flowTo(local(await echo()));
  const sizes = [0, 1, 1472, 1473, 9216, 65_507];
  for (const [i, size] of sizes.entries()) expect(flow.send(Buffer.alloc(size, i + 1))).toBe(true);
  await until(() => heard.datagrams.length === sizes.length);
  expect(heard.datagrams.map(({ length }) => length)).toEqual(sizes);
  expect(heard.datagrams[4]).toEqual(Buffer.alloc(9216, 5));
});

test("a thousand clients each get their own answers", async () => {
  const port = await echo();
  const flows = Array.from({ length: 1000 }, () => flowTo(local(port)));
  for (const [i, { flow }] of flows.entries()) flow.send(Buffer.from(`client ${i}`));
  await Promise.all(flows.map(({ heard, until }) => until(() => heard.datagrams.length === 1)));
  expect(flows.map(({ heard }) => heard.datagrams.map(String))).toEqual(flows.map((_, i) => [`client ${i}`]));
});

test("a burst of a thousand of one client arrives", async () => {
  const { flow, heard, until } = flowTo(local(await echo()));
  for (let i = 0; i < 1000; i++) flow.send(Buffer.alloc(100, i));
  await until(() => heard.datagrams.length + heard.drops.length >= 1000);
  expect(heard.drops).toEqual([]);
});

test("an application may speak as often as it likes, long after it was asked", async () => {
  const replies: ((answer: Buffer) => void)[] = [];
  const port = await udpApp((_message, reply) => replies.push(reply));
  const { flow, heard, until } = flowTo(local(port));
  flow.send(Buffer.from("subscribe"));
  await expect.poll(() => replies.length).toBe(1);
  for (const word of ["one", "two", "three"]) replies[0]?.(Buffer.from(word));
  await until(() => heard.datagrams.length === 3);
  expect(heard.datagrams.map(String)).toEqual(["one", "two", "three"]);
});

test("what is refused is counted, and stops neither this flow nor others", async () => {
  const dead = createSocket("udp4");
  dead.bind(0, "127.0.0.1");
  await once(dead, "listening");
  const { port } = dead.address();
  await closeUdp(dead);
  const refused = flowTo(local(port));
  const fine = flowTo(local(await echo()));
  refused.flow.send(Buffer.from("x"));
  await refused.until(() => refused.heard.drops.length > 0);
  expect(refused.heard.drops).toEqual(["refused"]);
  expect(refused.heard.ended).toBe(0);

  const late = createSocket("udp4");
  cleanup.push(() => closeUdp(late));
  late.on("message", (message, from) => late.send(message, from.port, from.address));
  late.bind(port, "127.0.0.1");
  await once(late, "listening");
  refused.flow.send(Buffer.from("again"));
  fine.flow.send(Buffer.from("y"));
  await refused.until(() => refused.heard.datagrams.length === 1);
  await fine.until(() => fine.heard.datagrams.length === 1);
});

test("a name without address ends the flow and says why", async () => {
  const { flow, heard, until } = flowTo({ host: "no-such-name.invalid", port: 53 });
  flow.send(Buffer.from("x"));
  await until(() => heard.ended === 1);
  expect(heard.drops).toEqual(["unresolved"]);
  expect(flow.send(Buffer.from("y"))).toBe(false);
});

test("an impossible target ends its flow alone", async () => {
  const { heard, until, flow } = flowTo({ host: "255.255.255.255", port: 9 });
  flow.send(Buffer.from("x"));
  await until(() => heard.ended === 1 || heard.drops.length > 0);
  const fine = flowTo(local(await echo()));
  fine.flow.send(Buffer.from("y"));
  await fine.until(() => fine.heard.datagrams.length === 1);
});

test("a flow that was given up gets nothing more, and its socket is closed", async () => {
  let replies: ((answer: Buffer) => void)[] = [];
  const port = await udpApp((_message, reply) => replies.push(reply));
  const { flow, heard } = flowTo(local(port));
  flow.send(Buffer.from("x"));
  await expect.poll(() => replies.length).toBe(1);
  flow[Symbol.dispose]();
  const other = flowTo(local(await echo()));
  other.flow.send(Buffer.from("y"));
  await other.until(() => other.heard.datagrams.length === 1); // what was sent before has been read by then
  replies[0]?.(Buffer.from("late"));
  replies = [];
  other.flow.send(Buffer.from("z"));
  await other.until(() => other.heard.datagrams.length === 2);
  expect(heard.datagrams).toEqual([]);
});

// --- connections ---

async function tcpApp(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanup.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A connection through the relay and all that is heard on it. */
function connectTo(target: { host: string; port: number }) {
  const parts: Buffer[] = [];
  const log: string[] = [];
  let finish = (_end: StreamEnd): void => {};
  let drained = (): void => {};
  const end = new Promise<StreamEnd>((resolve) => (finish = resolve));
  let heardEnd = (): void => {};
  const theirEnd = new Promise<void>((resolve) => (heardEnd = resolve));
  const handler: StreamHandler = {
    onData: (chunk) => {
      parts.push(Buffer.from(chunk));
      return "taken";
    },
    onEnd: () => {
      log.push("end");
      heardEnd();
    },
    onDrain: () => drained(),
    onClose: (how) => {
      log.push("close");
      finish(how);
    },
  };
  const stream = tunnel.connect(target, handler);
  if (stream === undefined) throw new Error("the tunnel is not open");
  return {
    stream,
    parts,
    log,
    end,
    theirEnd,
    text: () => Buffer.concat(parts).toString(),
    whenDrained: () => new Promise<void>((resolve) => (drained = resolve)),
  };
}

describe("a connection through the relay", () => {
  test("passes the end of each direction on at once", async () => {
    const port = await tcpApp((socket) => {
      let asked = "";
      socket.on("data", (chunk) => (asked += chunk.toString()));
      socket.on("end", () => socket.end(`you said ${asked}`));
    });
    const { stream, end, text, log } = connectTo(local(port));
    stream.write(Buffer.from("hello"), 0);
    stream.end();
    expect(await end).toEqual({ kind: "done" });
    expect(text()).toBe("you said hello");
    expect(log).toEqual(["end", "close"]);
  });

  test("lets the client speak on after the application's end", async () => {
    let heard = "";
    let appHeardEnd = (): void => {};
    const heardAll = new Promise<void>((resolve) => (appHeardEnd = resolve));
    const port = await tcpApp((socket) => {
      socket.end("first");
      socket.on("data", (chunk) => (heard += chunk.toString()));
      socket.on("end", () => appHeardEnd());
    });
    const { stream, end, theirEnd, log } = connectTo(local(port));
    await theirEnd;
    expect(log).toEqual(["end"]);
    stream.write(Buffer.from("and now I"), 0);
    stream.end();
    await heardAll;
    expect(heard).toBe("and now I");
    expect(await end).toEqual({ kind: "done" });
  });

  test("is refused where nothing listens, with the relay's words", async () => {
    const port = await tcpApp(() => {});
    const { port: free } = await freePort();
    const { end } = connectTo(local(free));
    expect(await end).toMatchObject({ kind: "refused", reason: { code: "TargetRefused" } });
    expect(connectTo(local(port)).log).toEqual([]);
  });

  test("tells a reset from an end", async () => {
    const port = await tcpApp((socket) => {
      socket.write("half");
      socket.on("data", () => socket.resetAndDestroy());
    });
    const { stream, end } = connectTo(local(port));
    stream.write(Buffer.from("go"), 0);
    expect(await end).toMatchObject({ kind: "reset", reason: { code: "TargetReset" } });
  });

  test("that is given up resets the application's side", async () => {
    let told = (_code: string | undefined): void => {};
    const error = new Promise<string | undefined>((resolve) => (told = resolve));
    const port = await tcpApp((socket) =>
      socket.on("error", ({ code }: NodeJS.ErrnoException) => told(code)),
    );
    const { stream, log } = connectTo(local(port));
    stream.write(Buffer.from("x"), 0);
    const other = connectTo(local(await tcpApp((socket) => socket.pipe(socket))));
    other.stream.write(Buffer.from("y"), 0);
    await expect.poll(() => other.text()).toBe("y"); // by now the first stands, too
    stream.abort();
    expect(await error).toBe("ECONNRESET");
    expect(log).toEqual([]);
  });

  test("carries megabytes both ways, byte for byte", async () => {
    const port = await tcpApp((socket) => socket.pipe(socket));
    const sent = Buffer.alloc(8 * 1024 * 1024);
    for (let i = 0; i < sent.length; i++) sent[i] = (i * 7 + (i >> 8)) & 0xff;
    const { stream, end, parts, whenDrained } = connectTo(local(port));
    for (let at = 0; at < sent.length; at += 100_000) {
      if (!stream.write(sent.subarray(at, at + 100_000), 0)) await whenDrained();
    }
    stream.end();
    expect(await end).toEqual({ kind: "done" });
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
  });

  test("that nobody reads holds up no other", async () => {
    const flood = await tcpApp((socket) => {
      const chunk = Buffer.alloc(64 * 1024, 1);
      const pour = (): void => {
        while (socket.write(chunk));
      };
      socket.on("drain", pour);
      pour();
    });
    const stalled: PodStream[] = [];
    for (let i = 0; i < 8; i++) {
      const { stream } = connectTo(local(flood));
      stream.pause();
      stalled.push(stream);
    }
    const port = await tcpApp((socket) => socket.pipe(socket));
    for (let round = 0; round < 5; round++) {
      const { stream, end, text } = connectTo(local(port));
      stream.write(Buffer.from(`round ${round}`), 0);
      stream.end();
      expect(await end).toEqual({ kind: "done" });
      expect(text()).toBe(`round ${round}`);
    }
    for (const stream of stalled) stream.abort();
  });

  test("that nobody reads gets all of it when somebody does", async () => {
    const total = 3 * 1024 * 1024;
    const port = await tcpApp((socket) => socket.end(Buffer.alloc(total, 7)));
    const { stream, end, parts } = connectTo(local(port));
    stream.pause();
    const other = connectTo(local(await tcpApp((socket) => socket.end("hi"))));
    await other.theirEnd;
    stream.resume();
    stream.end();
    expect(await end).toEqual({ kind: "done" });
    expect(parts.reduce((sum, { length }) => sum + length, 0)).toBe(total);
  });
});

async function freePort(): Promise<{ port: number }> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return { port };
}

// --- who may use it, and for how long ---

describe("the relay", () => {
  test("does nothing for who has another key", async () => {
    await expect(openTunnel({ port: relay.port, key: new RelayKey() }, realClock)).rejects.toThrow(/broke/);
    expect(tunnel.open).toBe(true);
  });

  test("is not believed when it is the program of another spec", async () => {
    const key = new RelayKey();
    const accepts = key.accepts.bind(key);
    expect(accepts(Buffer.alloc(32), Buffer.alloc(32), Buffer.alloc(32))).toBe(false);
    const impostor = createServer((socket) => {
      socket.on("error", () => {});
      socket.write(
        Buffer.concat([
          Buffer.from("0025" + "01" + "00000000", "hex"),
          Buffer.from("kfwd\u0001"),
          Buffer.alloc(32),
        ]),
      );
      socket.once("data", () =>
        socket.write(Buffer.concat([Buffer.from("0020" + "03" + "00000000", "hex"), Buffer.alloc(32)])),
      );
    });
    impostor.listen(0, "127.0.0.1");
    await once(impostor, "listening");
    cleanup.push(() => impostor.close());
    const { port } = impostor.address() as AddressInfo;
    await expect(openTunnel({ port, key }, realClock)).rejects.toThrow(/not the relay that was started/);
  });

  test.each([
    ["a flow before the proof", Buffer.from("0003" + "06" + "00000001" + "0035" + "78", "hex")],
    ["a PING before the proof", Buffer.from("0000" + "04" + "00000000", "hex")],
    ["bytes that are no frames", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ])("ends a connection that begins with %s", async (_name, bytes) => {
    const socket = connect({ port: relay.port, host: "127.0.0.1" });
    socket.on("error", () => {});
    socket.resume();
    socket.write(bytes);
    await once(socket, "close");
    expect(relay.child.exitCode).toBeNull();
  });

  test("has room for who speaks, however many connect and say nothing", async () => {
    const idlers = Array.from({ length: 40 }, () => {
      const socket = connect({ port: relay.port, host: "127.0.0.1" });
      socket.on("error", () => {});
      cleanup.push(() => socket.destroy());
      return once(socket, "connect");
    });
    await Promise.all(idlers);
    const { tunnel: late } = await openTunnel(relay, realClock);
    expect(late.open).toBe(true);
    late[Symbol.dispose]();
  });

  test("listens on the loopback alone", async () => {
    const socket = connect({ port: relay.port, host: "127.0.0.2" });
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
  });

  test("ends by itself when its client has fallen silent", async () => {
    await using brief = await startRelay({ idleMs: 200 });
    await once(brief.child, "exit");
    expect(brief.output()).toContain("no client for 0.2 s");
    expect(brief.child.exitCode).toBe(0);
  });

  test("lives on while its client speaks", async () => {
    await using brief = await startRelay({ idleMs: 400 });
    const { tunnel: kept } = await openTunnel(brief, realClock);
    const started = performance.now();
    while (performance.now() - started < 1000) {
      kept.prove();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(brief.child.exitCode).toBeNull();
    kept[Symbol.dispose]();
    await once(brief.child, "exit");
  });

  test("ends when it is asked to", async () => {
    relay.child.kill("SIGTERM");
    await once(relay.child, "exit");
    expect(relay.child.exitCode).toBe(0);
    expect(await closed).toContain('the tunnel to relay pod "relay-1" broke');
  });
});

test("flows and connections hear of the end of their tunnel", async () => {
  const { heard, until } = flowTo(local(9));
  const { end } = connectTo(local(await tcpApp(() => {})));
  relay.child.kill("SIGKILL");
  expect(await end).toMatchObject({ kind: "lost", reason: { code: "RelayLost" } });
  await until(() => heard.ended === 1);
  expect(tunnel.flow(local(9), { onDatagram() {}, onDropped() {}, onEnd() {} })).toBeUndefined();
});

test("dialLocal refuses where nothing listens", async () => {
  const { port } = await freePort();
  await expect(
    dialLocal(port)({ onData: () => "taken", onEnd() {}, onDrain() {}, onClose() {} }),
  ).rejects.toThrow();
});
