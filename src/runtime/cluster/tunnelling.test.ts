import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settle, turnUntil } from "../../../test/fakes/clock.ts";
import { KfwdError } from "../../errors.ts";
import type { ProxyServer } from "./proxy.ts";
import { openTunnel } from "./tunnelling.ts";

/** A proxy that answers what comes with the next bytes of its script, and says nothing more after the last. */
let server: Server;
let script: (string | Buffer | ((socket: Socket) => void))[];
let received: Buffer[];
let sockets: Socket[];
let clock: FakeClock;
const here = new AbortController().signal;

beforeEach(async () => {
  [script, received, sockets] = [[], [], []];
  clock = new FakeClock();
  server = createServer((socket) => {
    sockets.push(socket.on("error", () => {}));
    socket.on("data", (chunk) => {
      received.push(chunk);
      const next = script.shift();
      if (typeof next === "function") next(socket);
      else if (next !== undefined) socket.write(next);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, "close");
  expect(clock.pending).toBe(0);
});

const LOGIN = { user: "ann", password: "secret" };
const NAME = 'https://api.test:6443 (context "kt") through proxy 127.0.0.1:PORT';
const FAR = 'proxy 127.0.0.1:PORT on the way to https://api.test:6443 (context "kt")';

function proxyAt(
  scheme: ProxyServer["scheme"],
  login?: ProxyServer["login"],
  port = (server.address() as AddressInfo).port,
): ProxyServer {
  return { scheme, host: "127.0.0.1", port, login, source: "HTTPS_PROXY" };
}

function open(proxy: ProxyServer, signal = here, api = "https://api.test:6443"): Promise<Socket> {
  const access = { context: "kt", user: "ann", server: new URL(api), proxy };
  return openTunnel({ access, proxy, clock, userAgent: "kfwd/1" }, signal);
}

/** Message, hint and code of the failure, the proxy's port replaced. */
async function failure(work: Promise<unknown>): Promise<{ code: string; message: string; hint?: string }> {
  const thrown = await work.then(
    () => expect.fail("it did not fail"),
    (error: unknown) => error,
  );
  if (!(thrown instanceof KfwdError)) throw thrown;
  expect(`${thrown.message} ${thrown.hint} ${String(thrown.cause)}`).not.toContain("secret");
  expect(thrown.exit).toBe(4);
  await turnUntil(() => sockets.every((socket) => socket.destroyed || socket.readableEnded));
  const { port } = (server.address() ?? { port: 0 }) as AddressInfo;
  const { code, message, hint = "" } = thrown;
  return { code, message: message.replaceAll(`127.0.0.1:${port}`, "127.0.0.1:PORT"), hint };
}

/** What can be read first. */
async function firstOf(socket: Socket): Promise<string> {
  const data = once(socket, "data");
  socket.resume();
  const [chunk] = await data;
  socket.destroy();
  return String(chunk);
}

const YES = "HTTP/1.1 200 Connection established\r\nX-Any: thing\r\n\r\n";

describe("HTTP CONNECT", () => {
  test.each([
    [undefined, "https://api.test:6443", "api.test:6443", ""],
    [undefined, "https://api.test", "api.test:443", ""],
    [undefined, "https://[fd00::1]/prefix", "[fd00::1]:443", ""],
    [LOGIN, "http://api.test", "api.test:80", "Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\n"],
    [{ user: "ü", password: "a:b" }, "https://a", "a:443", "Proxy-Authorization: Basic w7w6YTpi\r\n"],
  ])("the request, login %j, for %s", async (login, api, target, more) => {
    script = [YES];
    const socket = await open(proxyAt("http", login), here, api);
    expect(String(received[0])).toBe(
      `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nUser-Agent: kfwd/1\r\n${more}\r\n`,
    );
    socket.destroy();
  });

  test("what comes behind the answer is the first to be read", async () => {
    script = [`${YES}first words`];
    expect(await firstOf(await open(proxyAt("http")))).toBe("first words");
  });

  test("the answer may come in any pieces", async () => {
    script = [
      (socket) => {
        socket.setNoDelay(true);
        for (const byte of `${YES}first`) socket.write(byte);
      },
    ];
    let read = "";
    const socket = await open(proxyAt("http"));
    socket.on("data", (chunk: Buffer) => (read += String(chunk))).resume();
    await turnUntil(() => read === "first");
    socket.destroy();
  });

  test.each<[string, ProxyServer["login"], string, string, string, string]>([
    [
      "no login",
      undefined,
      "407 No",
      "CREDENTIALS",
      "it wants a user and password",
      "put USER:PASSWORD@ in front of the host in HTTPS_PROXY",
    ],
    [
      "another login",
      LOGIN,
      "407 No",
      "CREDENTIALS",
      "it refused this user and password",
      "check user and password in HTTPS_PROXY",
    ],
    [
      "not allowed",
      LOGIN,
      "403 Forbidden",
      "UNREACHABLE",
      'it answered "403 Forbidden" to CONNECT',
      "does the proxy allow api.test:6443?",
    ],
    [
      "a web server",
      undefined,
      "405 Method Not Allowed",
      "UNREACHABLE",
      'it answered "405 Method Not Allowed" to CONNECT',
      "does the proxy allow api.test:6443?",
    ],
    [
      "no server",
      undefined,
      "504 Gateway Timeout",
      "UNREACHABLE",
      'it answered "504 Gateway Timeout" to CONNECT',
      "is the VPN up, and the cluster running?",
    ],
    [
      "no words",
      undefined,
      "502",
      "UNREACHABLE",
      'it answered "502" to CONNECT',
      "is the VPN up, and the cluster running?",
    ],
  ])("refused: %s", async (_, login, status, code, what, hint) => {
    script = [`HTTP/1.1 ${status}\r\n\r\n<html>long words</html>`];
    expect(await failure(open(proxyAt("http", login)))).toEqual({
      code,
      message: `cannot reach ${NAME}: ${what}`,
      hint,
    });
  });

  test("a proxy that takes no Basic login says what it takes", async () => {
    const ways = ["Negotiate", "NTLM"].map((way) => `Proxy-Authenticate: ${way}\r\n`).join("");
    script = [`HTTP/1.1 407 x\r\n${ways}\r\n`];
    expect((await failure(open(proxyAt("http", LOGIN)))).hint).toContain("takes Negotiate or NTLM alone");
    script = [`HTTP/1.1 407 x\r\n${ways}proxy-authenticate: basic realm="x"\r\n\r\n`];
    expect((await failure(open(proxyAt("http", LOGIN)))).hint).toContain("check user and password");
  });

  test.each([
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n"],
    ["SOCKS", Buffer.from([5, 0xff])],
    ["HTTP/2", "HTTP/2 200\r\n\r\n"],
    ["no status", "HTTP/1.1 OK\r\n\r\n"],
    ["a status that would steer a terminal", "HTTP/1.1 500 \u001b[2J\r\n\r\n"],
  ])("an answer that is %s", async (_, answer) => {
    script = [answer];
    expect(await failure(open(proxyAt("http")))).toEqual({
      code: "PROTOCOL",
      message: `cannot reach ${NAME}: it does not answer like an HTTP proxy`,
      hint: "check scheme and port in HTTPS_PROXY",
    });
  });

  test("a head without an end is read no further than 16 KiB", async () => {
    script = [`HTTP/1.1 200 ok\r\n${"X-Any: thing\r\n".repeat(2000)}`];
    expect((await failure(open(proxyAt("http")))).message).toContain("it does not answer like an HTTP proxy");
  });
});

describe("SOCKS5", () => {
  const ASK = "050100" + "03" + "086170692e74657374192b"; // api.test:6443
  const DONE = Buffer.from("05000001000000000000", "hex");
  const hexOf = (): string[] => received.map((chunk) => chunk.toString("hex"));

  test("without a login", async () => {
    script = [Buffer.from("0500", "hex"), Buffer.concat([DONE, Buffer.from("first words")])];
    expect(await firstOf(await open(proxyAt("socks5")))).toBe("first words");
    expect(hexOf()).toEqual(["050100", ASK]);
  });

  test("with a login, if the proxy wants it", async () => {
    const login = "0103616e6e06736563726574";
    script = [Buffer.from("0502", "hex"), Buffer.from("0100", "hex"), DONE];
    (await open(proxyAt("socks5", LOGIN))).destroy();
    expect(hexOf()).toEqual(["05020002", login, ASK]);
    received = [];
    script = [Buffer.from("0500", "hex"), DONE];
    (await open(proxyAt("socks5", LOGIN))).destroy();
    expect(hexOf()).toEqual(["05020002", ASK]);
  });

  test("answers may come in any pieces", async () => {
    const slowly = (answer: Buffer) => (socket: Socket) => {
      socket.setNoDelay(true);
      for (const byte of answer) socket.write(Buffer.from([byte]));
    };
    script = [slowly(Buffer.from("0500", "hex")), slowly(DONE)];
    (await open(proxyAt("socks5"))).destroy();
    expect(hexOf()).toEqual(["050100", ASK]);
  });

  test.each<[string, ProxyServer["login"], string[], string, string]>([
    ["no way to log in", undefined, ["05ff"], "CREDENTIALS", "it wants a user and password"],
    ["another login", LOGIN, ["0502", "0101"], "CREDENTIALS", "it refused this user and password"],
    [
      "not allowed",
      undefined,
      ["0500", "0502000100000000"],
      "UNREACHABLE",
      "its rules do not allow the connection",
    ],
    ["no server", undefined, ["0500", "0505"], "UNREACHABLE", "the connection was refused behind it"],
    ["HTTP", undefined, ["48545450"], "PROTOCOL", "it does not answer like a SOCKS5 proxy"],
    ["SOCKS4", undefined, ["005b000000000000"], "PROTOCOL", "it does not answer like a SOCKS5 proxy"],
    ["a way that was not offered", undefined, ["0502"], "PROTOCOL", "it does not answer like a SOCKS5 proxy"],
    [
      "an odd answer to the login",
      LOGIN,
      ["0502", "0500"],
      "PROTOCOL",
      "it does not answer like a SOCKS5 proxy",
    ],
    ["an odd address", undefined, ["0500", "05000007"], "PROTOCOL", "it does not answer like a SOCKS5 proxy"],
  ])("refused: %s", async (_, login, answers, code, what) => {
    script = answers.map((hex) => Buffer.from(hex, "hex"));
    const told = await failure(open(proxyAt("socks5", login)));
    expect(told).toMatchObject({ code, message: `cannot reach ${NAME}: ${what}` });
  });
});

describe.each(["http", "socks5"] as const)("a proxy of kind %s", (scheme) => {
  test("that is not there", async () => {
    expect(await failure(open(proxyAt(scheme, undefined, 1)))).toEqual({
      code: "UNREACHABLE",
      message:
        'cannot reach proxy 127.0.0.1:1 on the way to https://api.test:6443 (context "kt"): connection refused',
      hint: "is it up? HTTPS_PROXY names it",
    });
  });

  test("that says nothing is given up after ten seconds, and not before", async () => {
    const work = failure(open(proxyAt(scheme)));
    await turnUntil(() => received.length === 1);
    await clock.advance(9_999);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    expect((await work).message).toBe(`cannot reach ${NAME}: it did not answer within 10 s`);
  });

  test("that closes or resets without an answer", async () => {
    script = [(socket) => socket.end()];
    expect((await failure(open(proxyAt(scheme)))).message).toBe(
      `cannot reach ${NAME}: it closed the connection without an answer`,
    );
    script = [(socket) => socket.resetAndDestroy()];
    expect((await failure(open(proxyAt(scheme)))).message).toBe(
      `cannot reach ${FAR}: the connection was reset`,
    );
  });

  test("is not waited for once nobody wants it, and the connection is closed", async () => {
    const stop = new AbortController();
    const work = open(proxyAt(scheme), stop.signal).catch((error: unknown) => error);
    await turnUntil(() => received.length === 1);
    const why = new Error("not wanted");
    stop.abort(why);
    expect(await work).toBe(why);
    await turnUntil(() => sockets.every((socket) => socket.destroyed || socket.readableEnded));
    await settle();
    expect(await open(proxyAt(scheme), stop.signal).catch((error: unknown) => error)).toBe(why);
  });
});

test("an https proxy that speaks no TLS, and one that says nothing", async () => {
  script = ["HTTP/1.1 400 Bad Request\r\n\r\n"];
  expect((await failure(open(proxyAt("https")))).message).toMatch(
    /^cannot reach proxy 127\.0\.0\.1:PORT on the way to .*: the TLS handshake failed/,
  );
  const silent = failure(open(proxyAt("https")));
  await turnUntil(() => received.length === 2);
  await clock.advance(5_000);
  expect((await silent).message).toBe(`cannot reach ${FAR}: no TLS handshake came about within 5 s`);
});
