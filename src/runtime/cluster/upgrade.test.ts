import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settle, turnUntil } from "../../../test/fakes/clock.ts";
import type { KfwdError } from "../../errors.ts";
import type { Credentials, RenewableAccess } from "./access.ts";
import { Dialler } from "./dial.ts";
import type { BytePipe } from "./pipe.ts";
import { askChannels, askSpdy } from "./upgrade.ts";

/** An API server that answers each request with the next text of its script. */
let server: Server;
let requests: string[];
let script: (string | ((socket: Socket) => void))[];
let sockets: Set<Socket>;
let clock: FakeClock;
let forgotten: Credentials[];

const SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";
const here = new AbortController().signal;

beforeEach(async () => {
  [requests, script, forgotten] = [[], [], []];
  sockets = new Set();
  clock = new FakeClock();
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (chunk) => {
      requests.push(String(chunk));
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
});

function access(headers: Credentials["headers"] = {}, path = "/"): RenewableAccess {
  const { port } = server.address() as AddressInfo;
  return {
    context: "kt",
    user: "ann",
    server: new URL(`http://127.0.0.1:${port}${path}`),
    credentials: async () => ({ tls: {}, headers }),
    forget: (refused) => void forgotten.push(refused),
  };
}

const POD = { namespace: "shop", pod: "api-1" };

async function open(
  to = access(),
  signal = here,
  rung: "spdy" | "spdyByGet" | "tunnel" = "spdy",
): Promise<BytePipe> {
  const deps = { dialler: new Dialler(to, clock), clock };
  const asked = await askSpdy(deps, rung, POD, signal);
  if (asked.kind === "refused") throw asked.error;
  return asked.pipe;
}

function answer(status: string, body: string, headers = ""): string {
  return `HTTP/1.1 ${status}\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

async function failure(promise: Promise<unknown>): Promise<KfwdError> {
  return promise.then(
    () => expect.fail("it did not fail"),
    (error: unknown) => error as KfwdError,
  );
}

describe("the request", () => {
  test("is a POST for SPDY, with the credentials, one header a value", async () => {
    script = [SWITCHING];
    const pipe = await open(access({ Authorization: "Bearer t", "Impersonate-Group": ["a", "b"] }));
    expect(requests[0]?.split("\r\n")).toEqual([
      "POST /api/v1/namespaces/shop/pods/api-1/portforward HTTP/1.1",
      expect.stringMatching(/^Host: 127\.0\.0\.1:\d+$/),
      "Connection: Upgrade",
      "Upgrade: SPDY/3.1",
      "X-Stream-Protocol-Version: portforward.k8s.io",
      "Content-Length: 0",
      "Authorization: Bearer t",
      "Impersonate-Group: a",
      "Impersonate-Group: b",
      "",
      "",
    ]);
    pipe[Symbol.dispose]();
  });

  test("is a GET for a WebSocket, which names the port where the protocol has no place for it", async () => {
    script = [answer("403 Forbidden", ""), answer("403 Forbidden", ""), answer("403 Forbidden", "")];
    for (const rung of ["spdyByGet", "tunnel"] as const) await failure(open(access(), here, rung));
    const deps = { dialler: new Dialler(access(), clock), clock };
    await askChannels(deps, { ...POD, port: 5432 }, here);
    const path = "GET /api/v1/namespaces/shop/pods/api-1/portforward";
    const asked = requests.map((request) => request.split("\r\n"));
    expect(asked.map(([line]) => line)).toEqual([
      `${path} HTTP/1.1`,
      `${path} HTTP/1.1`,
      `${path}?ports=5432 HTTP/1.1`,
    ]);
    expect(asked[0]).toContain("Upgrade: SPDY/3.1");
    expect(asked[1]).toContain("Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io");
    expect(asked[2]).toContain("Sec-WebSocket-Protocol: v4.channel.k8s.io");
  });

  test("keeps the path prefix of the server", async () => {
    script = [SWITCHING];
    const pipe = await open(access({}, "/k8s/clusters/c-1/"));
    expect(requests[0]).toMatch(/^POST \/k8s\/clusters\/c-1\/api\/v1\/namespaces\/shop\/pods\//);
    pipe[Symbol.dispose]();
  });

  test("cannot be split by a credential", async () => {
    const error = await failure(open(access({ Authorization: "Bearer t\r\nX-Evil: 1" })));
    expect([error.code, requests]).toEqual(["CREDENTIALS", []]);
    expect(error.message).not.toContain("Bearer");
  });
});

/** What comes out of the pipe, up to its letter s. */
function heardFirst(pipe: BytePipe): Promise<string> {
  return new Promise<string>((resolve, reject) => {
    let heard = "";
    pipe.start({
      onBytes: (bytes) => {
        heard += String(bytes);
        if (heard.endsWith("s")) resolve(heard);
        return "taken";
      },
      onDrain: () => {},
      onClose: (why) => reject(new Error(why)),
    });
  }).finally(() => pipe[Symbol.dispose]());
}

describe("the answer", () => {
  test("101 hands over the socket, with what came behind the head", async () => {
    script = [`${SWITCHING}early frames`];
    expect(await heardFirst(await open())).toBe("early frames");
  });

  test("may come in any pieces", async () => {
    script = [
      (socket) => {
        socket.setNoDelay(true);
        for (const byte of `${SWITCHING}frames`) socket.write(byte);
      },
    ];
    expect(await heardFirst(await open())).toBe("frames");
  });

  test.each<[string, string, string, string]>([
    [
      "no rights",
      answer("403 Forbidden", '{"kind":"Status","code":403,"reason":"Forbidden","message":"no"}'),
      "FORBIDDEN",
      'create pods/portforward in namespace "shop"',
    ],
    [
      "no pod",
      answer("404 Not Found", '{"kind":"Status","code":404,"reason":"NotFound"}'),
      "CLUSTER_ANSWER",
      "api-1",
    ],
    [
      "a proxy that took the upgrade away",
      answer("400 Bad Request", "Upgrade request required"),
      "CLUSTER_ANSWER",
      "400",
    ],
    ["a node out of reach", answer("502 Bad Gateway", "error dialing backend"), "CLUSTER_ANSWER", "502"],
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "PROTOCOL", "not HTTP"],
    ["an upgrade to something else", SWITCHING.replace("SPDY/3.1", "websocket"), "CLUSTER_ANSWER", "101"],
  ])("%s", async (_name, text, code, words) => {
    script = [(socket) => socket.end(text)];
    const error = await failure(open());
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
    expect(error.exit).toBe(4);
  });

  test("a body without a length ends with the connection", async () => {
    script = [(socket) => socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n")];
    expect((await failure(open())).code).toBe("FORBIDDEN");
  });

  test.each([
    [
      "chunked, on a connection that stays",
      'Transfer-Encoding: chunked\r\n\r\n4\r\n{"me\r\n10\r\nssage":"denied"}\r\n0\r\n\r\n',
    ],
    ["chunked, and cut short", 'Transfer-Encoding: chunked\r\n\r\n14\r\n{"message":"denied"}\r\n'],
    ["chunked, and not in order", "Transfer-Encoding: chunked\r\n\r\nzz\r\n"],
    ["shorter than it says", "Content-Length: 99\r\n\r\n{"],
  ])("a body that is %s hides no status", async (_name, rest) => {
    script = [(socket) => void socket.write(`HTTP/1.1 403 Forbidden\r\n${rest}`)];
    const opening = failure(open());
    await turnUntil(() => requests.length === 1);
    for (let turn = 0; turn < 50; turn++) await settle();
    await clock.advance(1_000);
    expect((await opening).code).toBe("FORBIDDEN");
    expect(clock.pending).toBe(0);
  });

  test("401 gives up the credentials and tries once more with new ones", async () => {
    script = [answer("401 Unauthorized", "{}"), SWITCHING];
    const pipe = await open();
    expect([requests.length, forgotten.length]).toEqual([2, 1]);
    pipe[Symbol.dispose]();
    script = [answer("401 Unauthorized", "{}"), answer("401 Unauthorized", "{}")];
    expect((await failure(open())).code).toBe("UNAUTHORIZED");
    expect(requests.length).toBe(4);
  });
});

describe("a server that does not answer", () => {
  test("is given up after ten seconds", async () => {
    script = [() => {}];
    const opening = failure(open());
    await turnUntil(() => requests.length === 1);
    await clock.advance(10_000);
    expect(await opening).toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringContaining("10 s") as string,
    });
    expect(clock.pending).toBe(0);
  });

  test("that closes or resets is out of reach, in words", async () => {
    script = [(socket) => socket.end()];
    expect(await failure(open())).toMatchObject({ code: "UNREACHABLE" });
    script = [(socket) => socket.resetAndDestroy()];
    expect(await failure(open())).toMatchObject({ code: "UNREACHABLE" });
  });

  test("is not waited for once nobody wants it, and the socket is closed", async () => {
    script = [() => {}];
    const stop = new AbortController();
    const opening = failure(open(access(), stop.signal));
    await turnUntil(() => requests.length === 1);
    stop.abort(new Error("not wanted"));
    expect((await opening).message).toBe("not wanted");
    await turnUntil(() => [...sockets].every((socket) => socket.destroyed || socket.readableEnded));
    await settle();
    expect(clock.pending).toBe(0);
  });

  test("or does not exist is out of reach", async () => {
    const to = { ...access(), server: new URL("http://127.0.0.1:1") };
    expect(await failure(open(to))).toMatchObject({ code: "UNREACHABLE" });
  });
});
