import { once } from "node:events";
import { createHash } from "node:crypto";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock, turnUntil } from "../../../test/fakes/clock.ts";
import type { KfwdError } from "../../errors.ts";
import { TUNNEL_PROTOCOL, acceptKey } from "../wire/websocket.ts";
import type { RenewableAccess } from "./access.ts";
import { Dialler } from "./dial.ts";
import { Ladder } from "./ladder.ts";

/** An API server, or what stands before it, that answers each method with a text of its own. */
let server: Server;
let requests: string[];
let answers: Record<"POST" | "GET", string>;
let sockets: Set<Socket>;
let clock: FakeClock;
let ladder: Ladder;

const here = new AbortController().signal;
const SPDY = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";
const WEBSOCKET = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: ${TUNNEL_PROTOCOL}\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n`;

function status(line: string, body: string): string {
  return `HTTP/1.1 ${line}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function said(code: number): string {
  return status(`${code} X`, `{"kind":"Status","code":${code},"message":"said of ${code}"}`);
}

beforeEach(async () => {
  requests = [];
  answers = { POST: SPDY, GET: WEBSOCKET };
  sockets = new Set();
  clock = new FakeClock();
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (chunk) => {
      const request = String(chunk);
      const method = request.startsWith("GET ") ? "GET" : "POST";
      requests.push(method);
      const key = /Sec-WebSocket-Key: (.*)\r\n/.exec(request)?.[1] ?? "";
      const accept = acceptKey(key, (text) => createHash("sha1").update(text).digest());
      if (answers[method] !== "silence") socket.write(answers[method].replace("ACCEPT", accept));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const access: RenewableAccess = {
    context: "kt",
    user: "ann",
    server: new URL(`http://127.0.0.1:${port}`),
    credentials: async () => ({ tls: {}, headers: {} }),
    forget: () => {},
  };
  ladder = new Ladder({ dialler: new Dialler(access, clock), clock });
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, "close");
  expect(clock.pending).toBe(0);
});

async function climb(): Promise<void> {
  (await ladder.upgrade({ namespace: "shop", pod: "api-1" }, here))[Symbol.dispose]();
}

async function failure(): Promise<KfwdError> {
  return climb().then(
    () => expect.fail("it did not fail"),
    (error: unknown) => error as KfwdError,
  );
}

describe("the ladder", () => {
  test("asks for SPDY, and for no more where that is given", async () => {
    await climb();
    expect(requests).toEqual(["POST"]);
  });

  test.each([
    ["took the upgrade away", said(400)],
    ["takes no upgrades", status("400 Bad Request", "Upgrade request required")],
    ["does not let it through", status("403 Forbidden", "")],
    ["knows no such thing", status("404 Not Found", "<html>")],
    ["wants another one", status("426 Upgrade Required", "")],
    ["cannot pass it on", status("502 Bad Gateway", "upstream")],
    ["answers as if it were a page", status("200 OK", "<html>log in</html>")],
    ["switches to something else", SPDY.replace("SPDY/3.1", "h2c")],
    ["speaks no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
  ])("asks by WebSocket where something that %s stands between, and remembers it", async (_what, text) => {
    answers.POST = text;
    await climb();
    await climb();
    expect(requests).toEqual(["POST", "GET", "GET"]);
  });

  test("asks by WebSocket where nobody answers in time", async () => {
    answers.POST = "silence";
    const climbing = climb();
    await turnUntil(() => requests.length === 1);
    await clock.advance(10_000);
    await climbing;
    expect(requests).toEqual(["POST", "GET"]);
  });

  test("climbs anew when the way it remembers is barred", async () => {
    answers.POST = status("400 Bad Request", "Upgrade request required");
    await climb();
    answers = { POST: SPDY, GET: status("403 Forbidden", "") };
    await climb();
    await climb();
    expect(requests).toEqual(["POST", "GET", "GET", "POST", "POST"]);
  });

  test.each([404, 500, 401])("takes the API server's own %i for an answer", async (code) => {
    answers.POST = said(code);
    const error = await failure();
    expect(requests).toEqual(code === 401 ? ["POST", "POST"] : ["POST"]);
    expect(error.exit).toBe(4);
  });

  test("asks by the other verb after a 403, and tells of the first", async () => {
    answers = { POST: said(403), GET: said(403) };
    const error = await failure();
    expect(requests).toEqual(["POST", "GET"]);
    expect(error.message).toContain("create pods/portforward");
    answers.GET = WEBSOCKET;
    await climb();
  });

  test("tells what the first way met when no way leads on", async () => {
    answers = { POST: status("502 Bad Gateway", "upstream"), GET: status("403 Forbidden", "") };
    expect((await failure()).message).toContain("502");
  });
});
