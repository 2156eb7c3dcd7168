import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { SpdyClient, ask, dialServer, type ServerAddress } from "../../test/fakes/spdyclient.ts";
import {
  ACCEPT,
  TunnelSocket,
  WebSocketClient,
  tunnelTo,
  webSocketRequest,
  type WebSocketAsk,
} from "../../test/fakes/websocketclient.ts";
import { CHANNEL_PROTOCOL } from "../runtime/wire/channels.ts";
import { BINARY, CONTINUATION, TEXT, TUNNEL_PROTOCOL } from "../runtime/wire/websocket.ts";
import { echoApp } from "./apps.ts";
import { makeCertificates, type Certificates } from "./certificates.ts";
import { Sandbox, type SandboxOptions } from "./sandbox.ts";

const ECHO = 7;
/** Shows its sockets to the test and does nothing by itself. */
const HELD = 9000;
/** Nothing listens. */
const CLOSED = 9999;

const BOTH = `${TUNNEL_PROTOCOL}, ${CHANNEL_PROTOCOL}`;

let certificates: Certificates;
let sandbox: Sandbox;
let server: ServerAddress;
let held: Socket[];
let open: Disposable[];

beforeAll(async () => {
  certificates = await makeCertificates();
});

beforeEach(() => start());

afterEach(async () => {
  for (const each of open) each[Symbol.dispose]();
  await sandbox.until(() => Object.values(sandbox.open).every((count) => count === 0));
  await sandbox[Symbol.asyncDispose]();
});

async function start(options: SandboxOptions = {}): Promise<void> {
  await sandbox?.[Symbol.asyncDispose]();
  [held, open] = [[], []];
  sandbox = await Sandbox.start({ certificates, runtime: { lingerMs: 20 }, ...options });
  server = { url: sandbox.url, ca: sandbox.ca, token: sandbox.token() };
  const app = { [ECHO]: echoApp(), [HELD]: (socket: Socket) => void held.push(socket.pause()) };
  sandbox.cluster.createPod("shop", { name: "p", app, stopMs: 5 });
  await sandbox.until(() => sandbox.pods.host("shop", "p"));
}

/** Opens v4.channel. */
async function channel(port: number, asked: WebSocketAsk = {}): Promise<WebSocketClient> {
  const client = await WebSocketClient.to(server, "shop", "p", {
    protocols: CHANNEL_PROTOCOL,
    ports: [port],
    ...asked,
  });
  open.push(client);
  return client;
}

/** Opens a tunnel, with the socket below at hand. */
async function tunnel(): Promise<{ readonly socket: TunnelSocket; readonly client: SpdyClient }> {
  const socket = await TunnelSocket.to(server, "shop", "p");
  const client = new SpdyClient(socket, Buffer.alloc(0));
  open.push(client);
  return { socket, client };
}

/** The answer to a handshake, whole, after which the connection is closed by this side. */
async function answer(asked: WebSocketAsk, to = server, change?: (line: string) => string): Promise<string> {
  const socket = await dialServer(to);
  const lines = webSocketRequest(to, "shop", "p", asked);
  const { head, rest } = await ask(socket, change === undefined ? lines : lines.map(change));
  socket.destroy();
  return head.startsWith("HTTP/1.1 101 ") ? head : `${head}\r\n\r\n${rest.toString()}`;
}

/** The head of an answer without what is the same in all of them. */
async function subprotocol(asked: WebSocketAsk): Promise<string> {
  const head = await answer({ ports: [ECHO], ...asked });
  return /^HTTP\/1\.1 101 [^]*\r\nSec-WebSocket-Protocol: (.*)$/.exec(head)?.[1] ?? head;
}

/** The application's end of the next connection to HELD. */
async function accepted(index = 0): Promise<Socket> {
  return sandbox.until(() => held[index]);
}

const REFUSED = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n";

describe("a handshake", () => {
  test("is answered by its accept key and the subprotocol chosen", async () => {
    expect(await answer({})).toBe(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${ACCEPT}\r\nSec-WebSocket-Protocol: ${TUNNEL_PROTOCOL}`,
    );
  });

  test.each([
    ["both, with the gate on", BOTH, "on", TUNNEL_PROTOCOL],
    ["both the other way round", `${CHANNEL_PROTOCOL},${TUNNEL_PROTOCOL}`, "on", TUNNEL_PROTOCOL],
    ["both, with the gate off", BOTH, "off", CHANNEL_PROTOCOL],
    ["the channels alone", CHANNEL_PROTOCOL, "on", CHANNEL_PROTOCOL],
    ["the channels alone, with the gate off", CHANNEL_PROTOCOL, "off", CHANNEL_PROTOCOL],
    ["the tunnel, with the gate off", TUNNEL_PROTOCOL, "off", REFUSED],
    ["what nobody knows", "v9.channel.k8s.io", "on", REFUSED],
    ["nothing", "", "on", ""],
  ] as const)("that offers %s", async (_name, protocols, gate, wanted) => {
    sandbox.faults.tunnelGate = gate;
    expect(await subprotocol({ protocols })).toBe(wanted);
  });

  test.each([
    [30, CHANNEL_PROTOCOL],
    [31, TUNNEL_PROTOCOL],
  ])("finds the gate of Kubernetes 1.%i as it is by default", async (minor, wanted) => {
    await start({ minor });
    expect(await subprotocol({ protocols: BOTH })).toBe(wanted);
  });

  test.each<[string, WebSocketAsk, string, (line: string) => string]>([
    ["a tunnel by POST", { method: "POST" }, "405 Method Not Allowed | Method Not Allowed\n", (line) => line],
    [
      "channels by POST",
      { method: "POST", protocols: CHANNEL_PROTOCOL, ports: [ECHO] },
      "405 Method Not Allowed | bad method",
      (line) => line,
    ],
    [
      "channels without a port",
      { protocols: CHANNEL_PROTOCOL },
      '400 Bad Request | query parameter "port" is required',
      (line) => line,
    ],
    [
      "channels to two ports",
      { protocols: CHANNEL_PROTOCOL, ports: [1, 2] },
      '400 Bad Request | the sandbox takes one port, 1 to 65535, not "1,2"',
      (line) => line,
    ],
    [
      "channels to port 65536",
      { protocols: CHANNEL_PROTOCOL, ports: [65_536] },
      '400 Bad Request | the sandbox takes one port, 1 to 65535, not "65536"',
      (line) => line,
    ],
    ["a short key", {}, "400 Bad Request | Bad Request\n", (line) => line.replace(/Key: .*/, "Key: dGhl")],
    ["another version", {}, "400 Bad Request | Bad Request\n", (line) => line.replace("13", "8")],
    [
      "a short key for channels",
      { protocols: CHANNEL_PROTOCOL, ports: [ECHO] },
      "400 Bad Request | ",
      (line) => line.replace(/Key: .*/, "Key: dGhl"),
    ],
  ])("for %s is refused", async (_name, asked, wanted, change) => {
    const [head = "", body] = (await answer(asked, server, change)).split("\r\n\r\n");
    expect(`${head.split("\r\n")[0]?.slice("HTTP/1.1 ".length)} | ${body}`).toBe(wanted);
  });

  test.each([
    ["GET needs get", 34, ["get"], "GET", "101"],
    ["GET needs get and create", 35, ["get", "create"], "GET", "101"],
    ["GET with get alone", 35, ["get"], "GET", '403 pods "p" is forbidden: '],
    ["GET with create alone", 34, ["create"], "GET", /^403 .* cannot get resource "pods\/portforward"/],
    ["raw POST needs create", 35, ["create"], "POST", "101"],
    ["raw POST with get alone", 34, ["get"], "POST", /^403 .* cannot create resource "pods\/portforward"/],
  ])("%s in 1.%i", async (_name, minor, verbs, method, wanted) => {
    await start({ minor });
    sandbox.setUser("dev", [{ verbs, resources: ["pods/portforward"] }]);
    const dev = { ...server, token: sandbox.token("dev") };
    const upgrading =
      method === "GET"
        ? WebSocketClient.to(dev, "shop", "p", { protocols: CHANNEL_PROTOCOL, ports: [ECHO] })
        : SpdyClient.to(dev, "shop", "p");
    const status = await upgrading.then(
      (client) => {
        open.push(client);
        return "101";
      },
      ({ message }: Error) =>
        `${message.slice(9, 12)} ${(JSON.parse(message.split("\n\n")[1] ?? "") as { message: string }).message}`,
    );
    if (typeof wanted === "string") expect(status).toBe(wanted);
    else expect(status).toMatch(wanted);
  });

  test("is logged with what it offers", async () => {
    await answer({ protocols: BOTH, ports: [ECHO] });
    expect(sandbox.requests.all.at(-1)).toMatchObject({
      upgrade: "websocket",
      subprotocols: BOTH,
      path: expect.stringMatching(/\?ports=7$/),
    });
  });
});

describe("a tunnel", () => {
  test("is killed by text, by empty text too, with a close in order", async () => {
    for (const text of ["hello", ""]) {
      const { socket, client } = await tunnel();
      socket.send(text, { opcode: TEXT });
      await client.until("closed");
      expect(socket.heard).toEqual(["close 1000"]);
    }
  });

  test("does not care where messages begin and end", async () => {
    const { socket, client } = await tunnel();
    const ping = Buffer.from("80030006" + "00000004" + "00000001", "hex").toString("latin1");
    socket.send(ping.slice(0, 3));
    socket.send("");
    socket.send(ping.slice(3, 5), { final: false });
    socket.send(ping.slice(5, 9), { opcode: CONTINUATION, final: false });
    socket.send(ping.slice(9), { opcode: CONTINUATION });
    await client.until("pong 1");
  });

  test("sends a large write as a frame that is not final and an empty end, and a middling one in two", async () => {
    const socket = await dialServer(server);
    const { head } = await ask(socket, webSocketRequest(server, "shop", "p"));
    expect(head).toMatch(/101 Switching/);
    const wire: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => wire.push(chunk));
    const stream = new TunnelSocket(socket, Buffer.alloc(0));
    const client = new SpdyClient(stream, Buffer.alloc(0));
    open.push(client);
    const { data } = client.open(HELD);
    const app = await accepted();
    const sizeOf = (): number => client.text(data).length;
    for (const [bytes, all] of [
      [1000, 1000],
      [5000, 6000],
      [9000, 15_000],
    ] as const) {
      app.write(Buffer.alloc(bytes));
      await client.until(() => sizeOf() === all);
    }
    expect(frames(Buffer.concat(wire)).filter(([, length]) => length !== 8)).toEqual([
      ["82", 28], // two answers to streams: the first block of a zlib stream is two bytes longer
      ["82", 26],
      ["82", 1000],
      ["02", 4096],
      ["80", 904],
      ["02", 9000],
      ["80", 0],
    ]);
  });

  test("answers PINGs and a close", async () => {
    const { socket, client } = await tunnel();
    socket.socket.write(Buffer.from("8981000000006f", "hex"));
    socket.end();
    await client.until("closed");
    expect(socket.heard).toEqual(["pong o", "close 1000"]);
  });

  test("closes by a protocol error at a frame without a mask", async () => {
    const { socket, client } = await tunnel();
    socket.socket.write(Buffer.from("820100", "hex"));
    await client.until("closed");
    expect(socket.heard).toEqual(["close 1002"]);
  });

  test("ends by a close in order when it is cut by an end", async () => {
    const { socket, client } = await tunnel();
    sandbox.cutUpgrades("end");
    await client.until("closed");
    expect(socket.heard).toEqual(["close 1000"]);
  });
});

/** First byte and payload length of each frame of a server. */
function frames(wire: Buffer): [string, number][] {
  const found: [string, number][] = [];
  for (let at = 0; at < wire.length;) {
    const short = wire[at + 1] ?? 0;
    const length = short === 126 ? wire.readUInt16BE(at + 2) : short;
    found.push([wire.toString("hex", at, at + 1), length]);
    at += (short === 126 ? 4 : 2) + length;
  }
  return found;
}

describe("v4.channel", () => {
  test("carries bytes both ways, exactly, and is one connection into the pod", async () => {
    const client = await channel(ECHO);
    const sent = randomBytes(3_000_000);
    for (let at = 0; at < sent.length; at += 65_000) client.write(sent.subarray(at, at + 65_000));
    await client.until(() => client.received === sent.length);
    expect(client.bytes.equals(sent)).toBe(true);
    expect(sandbox.open).toMatchObject({ upgrades: 1, streams: 2, podSockets: 1 });
  });

  test("dials the pod at the handshake", async () => {
    await channel(HELD);
    await accepted();
  });

  test("begins with the port on both channels", async () => {
    const socket = await dialServer(server);
    const { rest } = await ask(
      socket,
      webSocketRequest(server, "shop", "p", { protocols: CHANNEL_PROTOCOL, ports: [17_001] }),
    );
    let wire = rest;
    socket.on("data", (chunk: Buffer) => (wire = Buffer.concat([wire, chunk])));
    await new Promise((resolve) => socket.once("end", resolve).resume());
    socket.destroy();
    expect(wire.toString("hex")).toMatch(/^82030069428203016942827e....01/); // and words on a refusal
  });

  test("that is refused by the pod says so on the error channel and closes in order", async () => {
    const client = await channel(CLOSED);
    await client.until("closed");
    expect(client.heard).toEqual([
      expect.stringMatching(
        /^error error forwarding port 9999 to pod [0-9a-f]{64}, uid : .*connection refused/,
      ),
      "close 1000",
      "closed",
    ]);
  });

  test("closes in order, after the linger, when the application has ended", async () => {
    await start({ runtime: { lingerMs: 60 } });
    const client = await channel(HELD);
    const endedAt = performance.now();
    (await accepted()).end("bye");
    await client.until("closed");
    expect(performance.now() - endedAt).toBeGreaterThan(55);
    expect(client.heard).toEqual(["data bye", "close 1000", "closed"]);
  });

  test("says why, when the application resets", async () => {
    const client = await channel(HELD);
    const app = await accepted();
    app.write("part", () => app.resetAndDestroy());
    await client.until("closed");
    expect(client.heard).toEqual([
      "data part",
      expect.stringMatching(/^error .*connection reset by peer$/),
      "close 1000",
      "closed",
    ]);
  });

  test.each<[string, (client: WebSocketClient) => void]>([
    ["closes", (client) => client.close()],
    ["leaves", (client) => client.socket.destroy()],
  ])("is over for the application at once when the client %s", async (_name, leave) => {
    await start({ runtime: { lingerMs: 60_000 } });
    const client = await channel(HELD);
    const app = await accepted();
    leave(client);
    await client.until("closed");
    await sandbox.until(() => app.resume().destroyed);
  });

  test.each<[string, (client: WebSocketClient) => void]>([
    ["text", (client) => client.send("\0hello", { opcode: TEXT })],
    ["an unknown channel", (client) => client.send("\u0007hello", { opcode: BINARY })],
  ])("is broken by %s", async (_name, wrong) => {
    const client = await channel(ECHO);
    wrong(client);
    await client.until("closed");
    expect(client.heard).toEqual(["close 1002", "closed"]);
  });

  test("stalls with an application that does not read, and loses nothing", async () => {
    const client = await channel(HELD);
    const app = await accepted();
    const sent = randomBytes(24 * 1024 * 1024);
    for (let at = 0; at < sent.length; at += 65_536) client.write(sent.subarray(at, at + 65_536));
    const neighbour = await channel(ECHO);
    neighbour.write("on another connection");
    await neighbour.until("data on another connection");
    expect(client.socket.writableLength).toBeGreaterThan(0);
    const got: Buffer[] = [];
    await new Promise<void>((resolve) => {
      let left = sent.length;
      app.on("data", (part: Buffer) => {
        got.push(part);
        if ((left -= part.length) === 0) resolve();
      });
      app.resume();
    });
    expect(Buffer.concat(got).equals(sent)).toBe(true);
  });

  test("sees its client go after it was closed while the application did not read", async () => {
    const client = await channel(HELD);
    const app = await accepted();
    for (let part = 0; part < 384; part++) client.write(Buffer.alloc(65_536));
    const neighbour = await channel(ECHO);
    neighbour.write("on another connection");
    await neighbour.until("data on another connection");
    app.destroy();
    await client.until("close 1000");
    client.socket.destroy();
    neighbour.socket.destroy();
    await sandbox.until(() => sandbox.open.sockets === 0);
  });

  test("stalls the application with a client that does not read, and loses nothing", async () => {
    const client = await channel(HELD);
    const app = await accepted();
    client.socket.pause();
    const sent = randomBytes(24 * 1024 * 1024);
    expect(app.write(sent)).toBe(false);
    const neighbour = await channel(ECHO);
    neighbour.write("on another connection");
    await neighbour.until("data on another connection");
    expect(app.writableLength).toBeGreaterThan(0);
    client.socket.resume();
    await client.until(() => client.received === sent.length);
    expect(client.bytes.equals(sent)).toBe(true);
  });
});

describe("faults", () => {
  const rungs: [string, "raw" | "websocket", () => Promise<unknown>][] = [
    ["raw", "raw", async () => open.push(await SpdyClient.to(server, "shop", "p"))],
    ["tunnel", "websocket", async () => open.push(await tunnelTo(server, "shop", "p"))],
    ["channels", "websocket", () => channel(ECHO)],
  ];

  test.each(rungs)("a proxy lets upgrades through, or strips them: %s", async (_name, kind, connect) => {
    const stripped = /^HTTP\/1\.1 400 Bad Request[^]*"message":"Upgrade request required"/;
    for (const passes of ["raw", "websocket", "both", "none"] as const) {
      sandbox.faults.proxyPasses = passes;
      if (passes === "both" || passes === kind) await connect();
      else await expect(connect()).rejects.toThrow(stripped);
    }
  });

  test.each(rungs)("a proxy forbids upgrades in words of its own: %s", async (_name, _kind, connect) => {
    sandbox.faults.proxyPasses = "none";
    sandbox.faults.proxyAnswer = { status: 403, body: "<h1>403 Forbidden</h1>" };
    await expect(connect()).rejects.toThrow(/^HTTP\/1\.1 403 Forbidden[^]*<h1>403 Forbidden<\/h1>$/);
    sandbox.faults.clear();
    await connect();
  });

  test("a proxy never answers upgrades of one kind", async () => {
    sandbox.faults.proxyPasses = "raw";
    sandbox.faults.proxyAnswer = { hang: true };
    const socket = await dialServer(server);
    const heard: string[] = [];
    socket.on("data", () => heard.push("data")).on("error", () => {});
    socket.write(`${webSocketRequest(server, "shop", "p").join("\r\n")}\r\n\r\n`);
    await sandbox.until(() => sandbox.requests.count({ upgrade: "websocket" }) === 1);
    open.push(await SpdyClient.to(server, "shop", "p")); // a full exchange later
    expect(heard).toEqual([]);
    socket.destroy();
  });

  test("split every byte into a write, and into a frame", async () => {
    sandbox.faults.splitBytes = true;
    sandbox.faults.splitFrames = true;
    const crumbs = await channel(ECHO);
    crumbs.write("in crumbs");
    await crumbs.until(() => crumbs.heard.length === "in crumbs".length);
    expect(crumbs.heard.join("")).toBe(
      "in crumbs"
        .split("")
        .map((letter) => `data ${letter}`)
        .join(""),
    );
    const { client } = await tunnel();
    const { data } = client.open(ECHO);
    client.write(data, "in crumbs");
    await client.until(() => client.text(data) === "in crumbs");
    const refused = await channel(CLOSED);
    await refused.until("closed");
    expect(refused.heard.slice(0, 3)).toEqual(["error e", "error r", "error r"]);
  });

  test("delay the close of a v4.channel WebSocket", async () => {
    sandbox.faults.finDelayMs = 150;
    const askedAt = performance.now();
    const client = await channel(CLOSED);
    await client.until("close 1000");
    expect(performance.now() - askedAt).toBeGreaterThan(148);
  });

  test("put data in front of the words on a refusal", async () => {
    sandbox.faults.dataBeforeError = "half an answer";
    const client = await channel(CLOSED);
    await client.until("closed");
    expect(client.heard.map((text) => text.slice(0, 10))).toEqual([
      "data half ",
      "error erro",
      "close 1000",
      "closed",
    ]);
  });

  test("ignore the PINGs of WebSockets", async () => {
    sandbox.faults.ignorePings = true;
    const client = await channel(ECHO);
    client.ping("anyone?");
    client.write("but not data");
    await client.until("data but not data");
    sandbox.faults.clear();
    client.ping("again");
    await client.until("pong again");
    expect(client.heard).toEqual(["data but not data", "pong again"]);
  });

  test.each(["stall", "wedge"] as const)("%s v4.channel, which goes on later", async (how) => {
    const client = await channel(ECHO);
    sandbox.cutUpgrades(how);
    client.write("hello");
    client.ping("anyone?");
    const neighbour = await channel(ECHO);
    neighbour.write("here");
    await neighbour.until("data here");
    expect(client.heard).toEqual([]);
    sandbox.resumeUpgrades();
    await client.until("data hello");
  });

  test("silence v4.channel without a word: no PONG, no data, no close", async () => {
    const client = await channel(HELD);
    const app = await accepted();
    sandbox.cutUpgrades("silence");
    app.write("lost");
    client.ping("anyone?");
    client.close();
    app.end();
    const neighbour = await channel(ECHO);
    neighbour.write("here");
    await neighbour.until("data here");
    await sandbox.until(() => sandbox.open.podSockets === 1); // the first has ended, unheard
    expect(client.heard).toEqual([]);
    expect(client.socket.destroyed).toBe(false);
  });

  test.each([
    ["reset", []],
    ["end", ["close 1000"]],
  ] as const)("break v4.channel by %j", async (how, said) => {
    const client = await channel(ECHO);
    sandbox.cutUpgrades(how);
    await client.until("closed");
    expect(client.heard).toEqual([...said, "closed"]);
  });

  test("an announced end lets a v4.channel WebSocket live on", async () => {
    const client = await channel(ECHO);
    sandbox.cutUpgrades("go away");
    client.write("still here");
    await client.until("data still here");
  });
});
