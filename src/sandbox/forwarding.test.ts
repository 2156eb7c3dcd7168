import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { constants, createDeflate } from "node:zlib";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  SpdyClient,
  ask,
  dialServer,
  forwardRequest,
  type ServerAddress,
} from "../../test/fakes/spdyclient.ts";
import { tunnelTo } from "../../test/fakes/websocketclient.ts";
import { dataHeader, synStream } from "../runtime/wire/spdy.ts";
import { databaseApp, echoApp } from "./apps.ts";
import { makeCertificates, type Certificates } from "./certificates.ts";
import { SPDY_DICTIONARY } from "./headerblocks.ts";
import type { RuntimeOptions } from "./portforward.ts";
import { Sandbox } from "./sandbox.ts";

/** Ports of the test pod. */
const ECHO = 7;
/** Greets first. */
const DATABASE = 5432;
/** Shows its sockets to the test and does nothing by itself. */
const HELD = 9000;
/** Nothing listens. */
const CLOSED = 9999;

let certificates: Certificates;
let sandbox: Sandbox;
let server: ServerAddress;
let held: Socket[];
let clients: SpdyClient[];
/** What the clients speak SPDY over. */
let rung: "raw" | "tunnel" = "raw";

beforeAll(async () => {
  certificates = await makeCertificates();
});

beforeEach(() => start({ lingerMs: 20 }));

afterEach(async () => {
  for (const client of clients) client[Symbol.dispose]();
  await sandbox.until(() => Object.values(sandbox.open).every((count) => count === 0));
  await sandbox[Symbol.asyncDispose]();
});

async function start(runtime: Partial<RuntimeOptions>, minor?: number): Promise<void> {
  await sandbox?.[Symbol.asyncDispose]();
  held = [];
  clients = [];
  sandbox = await Sandbox.start({ certificates, runtime, ...(minor === undefined ? {} : { minor }) });
  server = { url: sandbox.url, ca: sandbox.ca, token: sandbox.token() };
  const app = {
    [ECHO]: echoApp(),
    [DATABASE]: databaseApp(),
    [HELD]: (socket: Socket) => void held.push(socket.pause()),
  };
  sandbox.cluster.createPod("shop", { name: "p", app, stopMs: 5 });
  await sandbox.until(() => sandbox.pods.host("shop", "p"));
}

async function connect(): Promise<SpdyClient> {
  const client = await (rung === "tunnel" ? tunnelTo : SpdyClient.to)(server, "shop", "p");
  clients.push(client);
  return client;
}

/** The application's end of the next connection to HELD. */
async function accepted(index = 0): Promise<Socket> {
  return sandbox.until(() => held[index]);
}

/** The texts of a stream's failure are long: their kinds in order. */
function kinds(client: SpdyClient, ...ids: number[]): string[] {
  return client.of(...ids).map((text) => text.split(" ").slice(0, 2).join(" "));
}

/** Makes the sandbox look again a little later. */
function touch(client: SpdyClient): false {
  if (!client.socket.destroyed) client.ping();
  return false;
}

describe.each(["raw", "tunnel"] as const)("over %s", (over) => {
  beforeEach(() => {
    rung = over;
  });

  describe("a connection into a pod", () => {
    test("carries bytes both ways, exactly", async () => {
      const client = await connect();
      const { data } = client.open(ECHO);
      const sent = randomBytes(3_000_000);
      for (let at = 0; at < sent.length; at += 65_000) client.write(data, sent.subarray(at, at + 65_000));
      await client.until(
        () => (client.bytes.get(data) ?? []).reduce((sum, part) => sum + part.length, 0) === sent.length,
      );
      expect(Buffer.concat(client.bytes.get(data)!).equals(sent)).toBe(true);
    });

    test("brings what the application says first", async () => {
      const client = await connect();
      const { data } = client.open(DATABASE);
      await client.until(`data ${data} READY p\n`);
    });

    test("is open for data that comes with the request for it, and many share one upgrade", async () => {
      const client = await connect();
      const pairs = Array.from({ length: 30 }, (_, i) => {
        const { data } = client.open(ECHO);
        client.write(data, `number ${i}`);
        return data;
      });
      await client.until(() => pairs.every((data, i) => client.text(data) === `number ${i}`));
      expect(sandbox.open).toMatchObject({ upgrades: 1, streams: 60, podSockets: 30 });
    });

    test("does not pass the client's end on: the answer goes on until the linger is over", async () => {
      await start({ lingerMs: 200 });
      const client = await connect();
      const { data, error } = client.open(HELD);
      client.write(data, "question");
      const app = await accepted();
      const seen: string[] = [];
      app.on("data", (bytes) => seen.push(String(bytes))).on("end", () => seen.push("end"));
      app.resume();
      client.end(data);
      client.ping();
      await client.until("pong 1"); // behind the end, in another worker: it has arrived
      app.write("answer");
      await client.until(`data ${data} answer`);
      expect(seen).toEqual(["question"]);
      await client.until(`fin ${error}`);
      expect(client.of(data, error).slice(-2)).toEqual([`fin ${data}`, `fin ${error}`]);
      await sandbox.until(() => app.destroyed);
      expect(seen).toEqual(["question", "end"]);
    });

    test("that the application ends is told to the client only after the linger", async () => {
      await start({ lingerMs: 60 });
      const client = await connect();
      const { data, error } = client.open(HELD);
      const endedAt = performance.now();
      (await accepted()).end("bye");
      await client.until(`fin ${error}`);
      expect(performance.now() - endedAt).toBeGreaterThan(55);
      expect(client.of(data, error).slice(2)).toEqual([`data ${data} bye`, `fin ${data}`, `fin ${error}`]);
    });

    test("that both have ended is over without a wait", async () => {
      await start({ lingerMs: 60_000 });
      const client = await connect();
      const { data, error } = client.open(HELD);
      (await accepted()).end("bye");
      await client.until(`data ${data} bye`);
      client.end(data);
      await client.until(`fin ${error}`);
      await sandbox.until(() => sandbox.open.streams === 0 && sandbox.open.podSockets === 0);
    });

    test("that the client resets is over for the application after the linger, and only the error stream ends", async () => {
      const client = await connect();
      const { data, error } = client.open(HELD);
      const app = await accepted();
      client.reset(data);
      await client.until(`fin ${error}`);
      expect(kinds(client, data)).toEqual([`reply ${data}`]);
      await sandbox.until(() => app.resume().destroyed);
    });

    test("ends for the application at once when the upgrade breaks", async () => {
      await start({ lingerMs: 60_000 });
      const client = await connect();
      client.open(HELD);
      const app = await accepted();
      client[Symbol.dispose]();
      await sandbox.until(() => app.resume().destroyed);
    });
  });

  describe("failures in the pod", () => {
    test("a refused port: the end of the data comes first, then the text, then a reset", async () => {
      const client = await connect();
      const { data, error } = client.open(CLOSED);
      await client.until(`reset ${error} 5`);
      expect(kinds(client, data, error)).toEqual([
        `reply ${error}`,
        `reply ${data}`,
        `fin ${data}`,
        `data ${error}`,
        `reset ${error}`,
      ]);
      expect(client.text(error)).toMatch(
        /^error forwarding port 9999 to pod [0-9a-f]{64}, uid : .*IPv4: dial tcp4 127\.0\.0\.1:9999: connect: connection refused/,
      );
      const { data: next } = client.open(ECHO);
      client.write(next, "others live");
      await client.until(`data ${next} others live`);
    });

    test("a refused port throws away what was sent to it", async () => {
      const client = await connect();
      const { data, error } = client.open(CLOSED);
      for (let i = 0; i < 5; i++) client.write(data, "for nobody");
      await client.until(`reset ${error} 5`);
      const pings = client.ping(5);
      await client.until(() => pings.every((id) => client.heard.includes(`pong ${id}`)));
    });

    test("a refused port with data in flight holds a frame worker for ever on old runtimes", async () => {
      await start({ lingerMs: 20, onRefusal: "wedge" });
      const client = await connect();
      const { data, error } = client.open(CLOSED);
      for (let i = 0; i < 3; i++) client.write(data, "stuck");
      await client.until(`reset ${error} 5`);
      client.ping(10);
      await client.until(() => client.heard.filter((text) => text.startsWith("pong")).length === 8);
      client.ping(5);
      await client.until("pong 29");
      expect(client.heard.filter((text) => text.startsWith("pong")).length).toBe(12);
    });

    test("a reset by the application: after the linger an end, then the reason, then a reset", async () => {
      const client = await connect();
      const { data, error } = client.open(HELD);
      const app = await accepted();
      app.write("part", () => app.resetAndDestroy());
      await client.until(`reset ${error} 5`);
      expect(kinds(client, data, error).slice(2)).toEqual([
        `data ${data}`,
        `fin ${data}`,
        `data ${error}`,
        `reset ${error}`,
      ]);
      expect(client.text(error)).toMatch(/connection reset by peer$/);
    });

    test("a reset by the application without a word, as other runtimes tell it", async () => {
      await start({ lingerMs: 20, onAppReset: "bare" });
      const client = await connect();
      const { data, error } = client.open(HELD);
      (await accepted()).resetAndDestroy();
      await client.until(`reset ${error} 5`);
      expect(kinds(client, data, error).slice(2)).toEqual([`reset ${data}`, `reset ${error}`]);
    });

    test("a deleted pod: it serves on, then its connections end, new ones are told it is gone, the upgrade stands", async () => {
      const client = await connect();
      const old = client.open(ECHO);
      client.write(old.data, "before");
      await client.until(`data ${old.data} before`);
      sandbox.pods.delete("shop", "p", { graceMs: 30 });
      const during = client.open(ECHO);
      client.write(during.data, "during");
      await client.until(`data ${during.data} during`);
      await client.until(`fin ${old.error}`);
      await client.until(`fin ${during.error}`);
      const late = client.open(ECHO);
      await client.until(`reset ${late.error} 5`);
      expect(kinds(client, late.data, late.error).slice(2)).toEqual([
        `data ${late.error}`,
        `reset ${late.data}`,
        `reset ${late.error}`,
      ]);
      expect(client.text(late.error)).toMatch(/network namespace for sandbox "[0-9a-f]{64}" is closed$/);
      client.ping();
      await client.until("pong 1");
    });

    test("a replaced pod of the same name is reached by a new upgrade only", async () => {
      const client = await connect();
      sandbox.pods.delete("shop", "p", { force: true });
      sandbox.cluster.createPod("shop", { name: "p", app: { [ECHO]: echoApp() } });
      await sandbox.until(() => sandbox.pods.host("shop", "p"));
      const stale = client.open(ECHO);
      await client.until(`reset ${stale.error} 5`);
      const fresh = await connect();
      const { data } = fresh.open(ECHO);
      fresh.write(data, "new");
      await fresh.until(`data ${data} new`);
    });
  });

  describe("streams", () => {
    const headers = (streamtype: string, requestid = "x") => ({ streamtype, port: String(ECHO), requestid });

    test("are paired by request id in any order", async () => {
      const client = await connect();
      client.socket.write(client.syn(1, headers("data", "a")));
      client.socket.write(client.syn(3, headers("error", "b")));
      client.socket.write(client.syn(5, headers("data", "b")));
      client.socket.write(client.syn(7, headers("error", "a")));
      client.write(1, "first");
      client.write(5, "second");
      await client.until(() => client.text(1) === "first" && client.text(5) === "second");
    });

    test("without a request id are paired by their numbers, error first", async () => {
      const client = await connect();
      const { data } = client.open(ECHO, { requestid: "" });
      client.write(data, "old client");
      await client.until(`data ${data} old client`);
    });

    test("that come twice for one request are told so on its error stream", async () => {
      const client = await connect();
      client.socket.write(client.syn(1, headers("error")));
      client.socket.write(client.syn(3, headers("error")));
      await client.until("data 1 error processing stream for request x: error stream already assigned");
    });

    test("that stay alone are given up", async () => {
      await start({ lingerMs: 20, pairingMs: 10 });
      const client = await connect();
      client.socket.write(client.syn(1, headers("error")));
      await client.until("data 1 (request=x) timed out waiting for streams");
    });

    test.each([
      ["no port", { streamtype: "data", requestid: "1" }],
      ["port 0", { streamtype: "data", port: "0", requestid: "1" }],
      ["a port too high", { streamtype: "data", port: "65536", requestid: "1" }],
      ["a port that is no number", { streamtype: "data", port: "http", requestid: "1" }],
      ["no type", { port: "80", requestid: "1" }],
      ["an unknown type", { streamtype: "stdin", port: "80", requestid: "1" }],
    ])("with %s are reset", async (_name, bad) => {
      const client = await connect();
      client.socket.write(client.syn(1, bad));
      await client.until("reset 1 5");
      expect(client.of(1)).toEqual(["reset 1 5"]);
    });

    test("must rise in number", async () => {
      const client = await connect();
      client.socket.write(client.syn(7, headers("error")));
      client.socket.write(client.syn(3, headers("data")));
      await client.until("reset 3 1");
    });

    test("may have headers compressed with the protocol's dictionary, as kubectl's are", async () => {
      const deflate = createDeflate({ level: 9, dictionary: SPDY_DICTIONARY });
      const number = (n: number) => Buffer.from([0, 0, 0, n]);
      const block = async (pairs: string[][]): Promise<Buffer> => {
        const texts = pairs.flat().map((text) => Buffer.concat([number(text.length), Buffer.from(text)]));
        deflate.write(Buffer.concat([number(pairs.length), ...texts]));
        await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, () => resolve()));
        return deflate.read() as Buffer;
      };
      const client = await connect();
      for (const [id, type] of [
        [1, "error"],
        [3, "data"],
      ] as const) {
        const pairs = Object.entries(headers(type));
        client.socket.write(synStream(id, await block(pairs)));
      }
      client.write(3, "from kubectl");
      await client.until("data 3 from kubectl");
    });
  });

  describe("without flow control", () => {
    test("bytes that come after the pod's end hold one of five workers for ever", async () => {
      const client = await connect();
      const { data, error } = client.open(HELD); // data is stream 3
      (await accepted()).end();
      await client.until(`fin ${error}`);
      client.write(data, "late");
      client.write(data, "too late");
      client.ping(5);
      await client.until("pong 9");
      expect(client.heard.filter((text) => text.startsWith("pong"))).toEqual([
        "pong 1",
        "pong 3",
        "pong 5",
        "pong 9",
      ]);
      client.reset(data); // does not free it
      const [first, second] = [client.open(ECHO), client.open(ECHO)]; // data streams 7 and 11
      const stuck = client.open(ECHO); // streams 13 and 15: 13 is behind stream 3
      for (const { data } of [first, second, stuck]) client.write(data, "hello");
      client.ping(5);
      await client.until("pong 19");
      await client.until(`data ${second.data} hello`);
      expect(client.text(first.data)).toBe("hello");
      expect(client.of(stuck.error)).toEqual([]);
      expect(client.heard).not.toContain("pong 17");
    });

    test("bytes that come after the client has ended its direction hold nobody", async () => {
      const client = await connect();
      const { data, error } = client.open(HELD);
      (await accepted()).end();
      client.end(data);
      await client.until(`fin ${error}`);
      for (let i = 0; i < 3; i++) client.write(data, "late");
      const pings = client.ping(5);
      await client.until(() => pings.every((id) => client.heard.includes(`pong ${id}`)));
    });

    test("an application that does not read stalls the whole connection, until it reads", async () => {
      const client = await connect();
      const { data } = client.open(HELD);
      const app = await accepted();
      const sent = randomBytes(24 * 1024 * 1024);
      for (let at = 0; at < sent.length; at += 65_536) client.write(data, sent.subarray(at, at + 65_536));
      const other = client.open(ECHO);
      client.write(other.data, "behind it");
      const neighbour = await connect();
      const { data: free } = neighbour.open(ECHO);
      neighbour.write(free, "on another connection");
      await neighbour.until(`data ${free} on another connection`);
      expect(client.of(other.data)).toEqual([]);
      expect(client.socket.writableLength).toBeGreaterThan(0);

      const got: Buffer[] = [];
      app.on("data", (part: Buffer) => got.push(part));
      app.resume();
      await client.until(`data ${other.data} behind it`);
      await sandbox.until(
        () => got.reduce((sum, part) => sum + part.length, 0) === sent.length || touch(client),
      );
      expect(Buffer.concat(got).equals(sent)).toBe(true);
    });

    test("a client that does not read stalls the application, and then gets every byte", async () => {
      const client = await connect();
      const { data } = client.open(HELD);
      const app = await accepted();
      await client.until(`reply ${data}`);
      client.socket.pause();
      const sent = randomBytes(24 * 1024 * 1024);
      expect(app.write(sent)).toBe(false);
      const neighbour = await connect();
      const { data: free } = neighbour.open(ECHO);
      neighbour.write(free, "on another connection");
      await neighbour.until(`data ${free} on another connection`);
      expect(app.writableLength).toBeGreaterThan(0);
      client.socket.resume();
      await client.until(
        () => (client.bytes.get(data) ?? []).reduce((sum, part) => sum + part.length, 0) === sent.length,
      );
      expect(Buffer.concat(client.bytes.get(data)!).equals(sent)).toBe(true);
    });
  });

  describe("faults", () => {
    test("refuse or delay upgrades", async () => {
      sandbox.faults.upgrades = { status: 503, body: "no backend", times: 1 };
      await expect(connect()).rejects.toThrow(/^HTTP\/1\.1 503 [^]*no backend$/);
      sandbox.faults.upgradeDelayMs = 30;
      const askedAt = performance.now();
      await connect();
      expect(performance.now() - askedAt).toBeGreaterThan(28);
    });

    test("split what goes out at every byte", async () => {
      sandbox.faults.splitBytes = true;
      const client = await connect();
      const { data } = client.open(ECHO);
      client.write(data, "in crumbs");
      await client.until(() => client.text(data) === "in crumbs");
      expect(client.of(data).filter((text) => text.startsWith("data"))).toHaveLength("in crumbs".length);
    });

    test("split the text of a failure, and put data in front of it", async () => {
      sandbox.faults.splitErrorText = true;
      sandbox.faults.dataBeforeError = "half an answer";
      const client = await connect();
      const { data, error } = client.open(CLOSED);
      await client.until(`reset ${error} 5`);
      expect(client.text(data)).toBe("half an answer");
      expect(client.text(error)).toMatch(/^error forwarding port 9999 .*refused/);
      expect(client.of(error).length).toBeGreaterThan(100);
    });

    test("delay the end of a stream", async () => {
      sandbox.faults.finDelayMs = 30;
      const client = await connect();
      const { data, error } = client.open(HELD);
      (await accepted()).end();
      client.end(data);
      const endedAt = performance.now();
      await client.until(`fin ${error}`);
      expect(performance.now() - endedAt).toBeGreaterThan(28);
    });

    test("ignore PINGs", async () => {
      sandbox.faults.ignorePings = true;
      const client = await connect();
      client.ping();
      const { data } = client.open(ECHO);
      client.write(data, "but not streams");
      await client.until(`data ${data} but not streams`);
      expect(client.heard).not.toContain("pong 1");
    });

    test.each(["reset", "end"] as const)("break upgrades by %j", async (how) => {
      const client = await connect();
      let error = "";
      client.socket.on("error", ({ message }) => (error = message));
      sandbox.cutUpgrades(how);
      await client.until("closed");
      expect(error.includes("ECONNRESET")).toBe(how === "reset");
    });

    test("silence upgrades without a word, and new ones work", async () => {
      const client = await connect();
      const open = client.open(ECHO);
      await client.until(`reply ${open.data}`);
      sandbox.cutUpgrades("silence");
      const before = client.heard.length;
      client.write(open.data, "anyone?");
      client.ping(5);
      const fresh = await connect();
      const { data } = fresh.open(ECHO);
      fresh.write(data, "here");
      await fresh.until(`data ${data} here`);
      expect(client.heard.length).toBe(before);
      expect(client.socket.destroyed).toBe(false);
    });

    test("stall upgrades, which go on later", async () => {
      const client = await connect();
      sandbox.cutUpgrades("stall");
      client.ping();
      await connect();
      expect(client.heard).toEqual([]);
      sandbox.resumeUpgrades();
      await client.until("pong 1");
    });

    test("wedge one of five frame workers for good, in one connection", async () => {
      const client = await connect();
      sandbox.cutUpgrades("wedge");
      client.ping(10);
      await client.until("pong 19");
      expect(client.heard).toHaveLength(8);
      expect(client.heard).not.toContain("pong 7");
      const { error, data } = client.open(ECHO); // 1 and 3
      client.ping();
      await client.until("pong 21");
      expect(client.of(error, data)).toEqual([`reply ${error}`]);
      const fresh = await connect();
      const other = fresh.open(ECHO);
      fresh.write(other.data, "here");
      await fresh.until(`data ${other.data} here`);
    });

    test("announce an end: present streams go on, new ones are not answered, then it closes", async () => {
      const client = await connect();
      const present = client.open(ECHO);
      await client.until(`reply ${present.data}`);
      sandbox.cutUpgrades("go away");
      await client.until(`goaway ${present.data}`);
      const late = client.open(ECHO);
      client.write(present.data, "still here");
      await client.until(`data ${present.data} still here`);
      client.end(present.data);
      await client.until("closed");
      expect(client.of(late.error, late.data)).toEqual([]);
    });
  });

  test("a client that says goodbye is let go when its streams are over", async () => {
    const client = await connect();
    const { data } = client.open(ECHO);
    await client.until(`reply ${data}`);
    client.goAway();
    client.end(data);
    await client.until("closed");
  });

  test("a frame that is none breaks the connection", async () => {
    const client = await connect();
    client.socket.write(dataHeader(0, 5, false));
    await client.until("closed");
  });
});

describe("an upgrade", () => {
  async function refused(change: (lines: string[]) => string[], to = server): Promise<string> {
    const socket = await dialServer(to);
    const { head, rest } = await ask(socket, change(forwardRequest(to, "shop", "p")));
    socket.destroy();
    const body = rest.toString();
    return `${head.split("\r\n")[0]} | ${body.startsWith("{") ? (JSON.parse(body) as { message: string }).message : body}`;
  }

  test.each<[string, (lines: string[]) => string[], string]>([
    [
      "to a pod that is not there",
      (lines) => [lines[0]!.replace("/p/", "/q/"), ...lines.slice(1)],
      'HTTP/1.1 404 Not Found | pods "q" not found',
    ],
    [
      "without upgrade headers",
      (lines) => lines.filter((line) => !/^(upgrade|connection)/i.test(line)),
      "HTTP/1.1 400 Bad Request | Upgrade request required",
    ],
    [
      "to another protocol",
      (lines) => lines.map((line) => line.replace("SPDY/3.1", "foo")),
      "HTTP/1.1 400 Bad Request | unable to upgrade: missing upgrade headers in request\n",
    ],
    [
      "without a stream protocol",
      (lines) => lines.filter((line) => !line.startsWith("X-Stream")),
      "HTTP/1.1 400 Bad Request | unable to upgrade: header X-Stream-Protocol-Version does not exist in request\n",
    ],
    [
      "with an unknown stream protocol",
      (lines) => lines.map((line) => line.replace("portforward.k8s.io", "v9")),
      "HTTP/1.1 403 Forbidden | unable to upgrade: unable to negotiate protocol: client supports [v9], server accepts [portforward.k8s.io]\n",
    ],
    [
      "with a wrong token",
      (lines) => lines.map((line) => line.replace(/Bearer .*/, "Bearer wrong")),
      "HTTP/1.1 401 Unauthorized | Unauthorized",
    ],
    [
      "of something else",
      (lines) => [lines[0]!.replace("/portforward", "/exec"), ...lines.slice(1)],
      "HTTP/1.1 404 Not Found | the server could not find the requested resource",
    ],
  ])("%s is refused", async (_name, change, expected) => {
    expect(await refused(change)).toBe(expected);
  });

  test("needs the verb of its method", async () => {
    await start({}, 34);
    sandbox.setUser("getter", [{ verbs: ["get"], resources: ["pods/portforward"] }]);
    const getter = { ...server, token: sandbox.token("getter") };
    expect(await refused((lines) => lines, getter)).toBe(
      'HTTP/1.1 403 Forbidden | pods "p" is forbidden: User "getter" cannot create resource "pods/portforward" in API group "" in the namespace "shop"',
    );
    const socket = await dialServer(getter);
    const lines = forwardRequest(getter, "shop", "p");
    const { head } = await ask(socket, [lines[0]!.replace("POST", "GET"), ...lines.slice(1)]);
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    socket.destroy();
  });

  test("to a pod whose container was never started has no sandbox to go to", async () => {
    sandbox.cluster.createPod("shop", { name: "q", startMs: 10_000 });
    const answer = await refused((lines) => [lines[0]!.replace("/p/", "/q/"), ...lines.slice(1)]);
    expect(answer).toMatch(
      /^HTTP\/1\.1 500 Internal Server Error \| failed to find sandboxID for pod q_shop\(/,
    );
  });

  test("loses frames that are sent before it is answered", async () => {
    const socket = await dialServer(server);
    const early = synStream(1, Buffer.from([1, 2, 3]));
    socket.write(
      Buffer.concat([Buffer.from(`${forwardRequest(server, "shop", "p").join("\r\n")}\r\n\r\n`), early]),
    );
    const { head, rest } = await ask(socket, []).catch(() => ({ head: "", rest: Buffer.alloc(0) }));
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    expect(rest.length).toBe(0);
    socket.destroy();
  });
});

describe("faults of upgrades", () => {
  test("leave upgrades without an answer", async () => {
    sandbox.faults.upgrades = { hang: true };
    const socket = await dialServer(server);
    const answer = ask(socket, forwardRequest(server, "shop", "p")).then(
      () => "answered",
      () => "closed",
    );
    await sandbox.until(() => sandbox.requests.count({ subresource: "portforward" }) === 1);
    sandbox.faults.clear();
    await connect(); // a full exchange later
    socket.destroy();
    expect(await answer).toBe("closed");
  });
});
