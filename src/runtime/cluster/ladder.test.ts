import { once } from "node:events";
import { createHash } from "node:crypto";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock, turnUntil } from "../../../test/fakes/clock.ts";
import type { KfwdError } from "../../errors.ts";
import { CHANNEL_PROTOCOL } from "../wire/channels.ts";
import { TUNNEL_PROTOCOL, acceptKey } from "../wire/websocket.ts";
import type { Credentials, RenewableAccess } from "./access.ts";
import type { Rung } from "./climb.ts";
import { Dialler } from "./dial.ts";
import { Ladder, type Upgraded } from "./ladder.ts";

/** An API server, or what stands before it, that answers each way of asking with a text of its own. */
let server: Server;
let requests: string[];
let answers: Record<Rung, string>;
let sockets: Set<Socket>;
let clock: FakeClock;
let dialler: Dialler;
let ladder: Ladder;

const here = new AbortController().signal;
const POD = { namespace: "shop", pod: "api-1", port: 8080 };
const SPDY = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";
const SILENCE = "silence";

function webSocket(protocol: string): string {
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: ${protocol}\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n`;
}

function status(line: string, body: string): string {
  return `HTTP/1.1 ${line}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function said(code: number): string {
  return status(`${code} X`, `{"kind":"Status","code":${code},"message":"said of ${code}"}`);
}

const STRIPPED = status("400 Bad Request", "Upgrade request required");
const BARE_403 = status("403 Forbidden", "");

/** By what a request asks for. */
function rungOf(request: string): Rung {
  if (request.startsWith("POST ")) return "spdy";
  if (request.includes("Upgrade: SPDY/3.1\r\n")) return "spdyByGet";
  return request.includes(`Sec-WebSocket-Protocol: ${TUNNEL_PROTOCOL}\r\n`) ? "tunnel" : "channels";
}

beforeEach(async () => {
  requests = [];
  answers = {
    spdy: SPDY,
    spdyByGet: SPDY,
    tunnel: webSocket(TUNNEL_PROTOCOL),
    channels: webSocket(CHANNEL_PROTOCOL),
  };
  sockets = new Set();
  clock = new FakeClock();
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (chunk) => {
      const request = String(chunk);
      const rung = rungOf(request);
      const ports = /\?ports=\S+/.exec(request)?.[0] ?? "";
      requests.push(rung + ports);
      const key = /Sec-WebSocket-Key: (.*)\r\n/.exec(request)?.[1] ?? "";
      const accept = acceptKey(key, (text) => createHash("sha1").update(text).digest());
      if (answers[rung] !== SILENCE) socket.end(answers[rung].replace("ACCEPT", accept));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const held: Credentials = { tls: {}, headers: {} };
  const access: RenewableAccess = {
    context: "kt",
    user: "ann",
    server: new URL(`http://127.0.0.1:${port}`),
    credentials: async () => held,
    forget: () => {},
  };
  dialler = new Dialler(access, clock);
  ladder = new Ladder({ dialler, clock });
});

afterEach(async () => {
  dialler[Symbol.dispose]();
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, "close");
  expect(clock.pending).toBe(0);
});

async function climb(): Promise<Upgraded> {
  const upgraded = await ladder.upgrade(POD, here);
  if (upgraded.kind === "shared") upgraded.pipe[Symbol.dispose]();
  return upgraded;
}

async function failure(): Promise<KfwdError> {
  return climb().then(
    () => expect.fail("it did not fail"),
    (error: unknown) => error as KfwdError,
  );
}

describe("the ladder", () => {
  test("asks for SPDY, and for no more where that is given", async () => {
    expect(await climb()).toMatchObject({ kind: "shared" });
    expect(requests).toEqual(["spdy"]);
  });

  test.each([
    ["took the upgrade away", said(400)],
    ["takes no upgrades", STRIPPED],
    ["does not let it through", BARE_403],
    ["knows no such thing", status("404 Not Found", "<html>")],
    ["wants another one", status("426 Upgrade Required", "")],
    ["cannot pass it on", status("502 Bad Gateway", "upstream")],
    ["answers as if it were a page", status("200 OK", "<html>log in</html>")],
    ["switches to something else", SPDY.replace("SPDY/3.1", "h2c")],
    ["speaks no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
  ])("asks by WebSocket where something that %s stands between, and remembers it", async (_what, text) => {
    answers.spdy = text;
    expect(await climb()).toMatchObject({ kind: "shared" });
    await climb();
    expect(requests).toEqual(["spdy", "tunnel", "tunnel"]);
  });

  test("asks by WebSocket where nobody answers in time", async () => {
    answers.spdy = SILENCE;
    const climbing = climb();
    await turnUntil(() => requests.length === 1);
    await clock.advance(10_000);
    await climbing;
    expect(requests).toEqual(["spdy", "tunnel"]);
  });

  test("climbs anew when the way it remembers is barred, or when told to", async () => {
    answers.spdy = STRIPPED;
    await climb();
    answers.spdy = SPDY;
    answers.tunnel = BARE_403;
    await climb();
    await climb();
    expect(requests).toEqual(["spdy", "tunnel", "tunnel", "spdy", "spdy"]);

    answers.spdy = STRIPPED;
    answers.tunnel = webSocket(TUNNEL_PROTOCOL);
    await climb();
    answers.spdy = SPDY;
    ladder.forget();
    await climb();
    expect(requests.slice(5)).toEqual(["spdy", "tunnel", "spdy"]);
  });

  test.each([404, 500, 401])("takes the API server's own %i for an answer", async (code) => {
    answers.spdy = said(code);
    const error = await failure();
    expect(requests).toEqual(code === 401 ? ["spdy", "spdy"] : ["spdy"]);
    expect(error.exit).toBe(4);
  });

  test("asks by the other verb after a 403, and tells of the first", async () => {
    answers.spdy = said(403);
    answers.spdyByGet = said(403);
    const error = await failure();
    expect(requests).toEqual(["spdy", "spdyByGet"]);
    expect(error.message).toContain("create pods/portforward");
    answers.spdyByGet = SPDY;
    await climb();
    await climb();
    expect(requests.slice(2)).toEqual(["spdy", "spdyByGet", "spdyByGet"]);
  });

  test("tells what the first way met when no way leads on", async () => {
    answers = { spdy: said(400), spdyByGet: SPDY, tunnel: BARE_403, channels: status("404 Not Found", "") };
    expect((await failure()).message).toContain("said of 400");
    expect(requests).toEqual(["spdy", "tunnel", "channels?ports=8080"]);
  });
});

describe("where only channels get through", () => {
  beforeEach(() => {
    answers.spdy = STRIPPED;
    answers.tunnel = BARE_403;
  });

  test("they are asked for once, let go, and remembered; then for each stream's port", async () => {
    const upgraded = await climb();
    if (upgraded.kind !== "perStream") expect.fail(upgraded.kind);
    await turnUntil(() => [...sockets].every((socket) => socket.readableEnded || socket.destroyed));
    const stream = await upgraded.dial(5432, here);
    await climb();
    expect(requests).toEqual([
      "spdy",
      "tunnel",
      "channels?ports=8080",
      "channels?ports=5432",
      "channels?ports=8080",
    ]);
    stream[Symbol.dispose]();
  });

  test("the next one's connection is made ahead, if somebody stands by", async () => {
    const upgraded = await climb();
    if (upgraded.kind !== "perStream") expect.fail(upgraded.kind);
    upgraded.standBy(() => {});
    await turnUntil(() => sockets.size === 4);
    const streams = [await upgraded.dial(80, here)];
    await turnUntil(() => sockets.size === 5);
    streams.push(await upgraded.dial(80, here));
    expect(requests.length).toBe(5);
    for (const stream of streams) stream[Symbol.dispose]();
  });

  test("a stream's refusal is told, and asks for nothing else", async () => {
    const upgraded = await climb();
    if (upgraded.kind !== "perStream") expect.fail(upgraded.kind);
    answers.channels = said(404);
    await expect(upgraded.dial(80, here)).rejects.toThrow('pod "api-1" not found');
    expect(requests.length).toBe(4);
  });

  test("SPDY is asked for once more if its connection merely broke", async () => {
    answers.spdy = "";
    await climb();
    expect(requests).toEqual(["spdy", "tunnel", "spdy", "channels?ports=8080"]);
  });
});
