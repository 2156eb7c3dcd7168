import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { createSecureContext } from "node:tls";
import { generate } from "selfsigned";
import { describe, expect, test, vi } from "vitest";
import { FakeApiServer, until } from "../../../test/fakes/apiserver.ts";
import { FakeClock, settle } from "../../../test/fakes/clock.ts";
import { KfwdError } from "../../errors.ts";
import type { Credentials, RenewableAccess } from "./access.ts";
import { RestClient, type ApiRequest } from "./rest.ts";

const PODS = ["api", "v1", "namespaces", "shop", "pods"];
const LIST: ApiRequest = {
  path: PODS,
  query: { limit: 5 },
  call: { verb: "list", resource: "pods", namespace: "shop" },
};
const WATCH: ApiRequest = { ...LIST, query: { watch: true, resourceVersion: "1" } };

/** An access with these credentials, each good until it is refused. */
function accessTo(
  url: string,
  ...credentials: readonly Partial<Credentials>[]
): RenewableAccess & { forgotten: number } {
  const all = (credentials.length === 0 ? [{}] : credentials).map((c) => ({ tls: {}, headers: {}, ...c }));
  return {
    context: "kt",
    user: "ann",
    server: new URL(url),
    forgotten: 0,
    credentials() {
      return Promise.resolve(all[Math.min(this.forgotten, all.length - 1)] as Credentials);
    },
    forget() {
      this.forgotten++;
    },
  };
}

/** A server and a client of it. */
class Rig implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly signal = new AbortController().signal;
  readonly server: FakeApiServer;
  readonly rest: RestClient;

  constructor(server: FakeApiServer, access: RenewableAccess) {
    this.server = server;
    this.rest = new RestClient(access, this.clock);
  }

  static async start(...credentials: readonly Partial<Credentials>[]): Promise<Rig> {
    const server = await FakeApiServer.start();
    return new Rig(server, accessTo(server.url, ...credentials));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.rest[Symbol.dispose]();
    await this.server[Symbol.asyncDispose]();
    expect(this.clock.pending).toBe(0);
  }
}

async function failure(work: Promise<unknown>): Promise<KfwdError> {
  const error = await work.then(
    () => new Error("nothing was thrown"),
    (e: unknown) => e,
  );
  if (error instanceof KfwdError) return error;
  throw error;
}

/** Takes all batches. */
async function drain(batches: AsyncIterable<readonly unknown[]>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const batch of batches) all.push(...batch);
  return all;
}

describe("requests", () => {
  test("go to the encoded path behind the server's prefix, with the credentials", async () => {
    const server = await FakeApiServer.start();
    const headers = { Authorization: "Bearer x", "Impersonate-Group": ["a", "b"], "User-Agent": "kfwd/1" };
    await using rig = new Rig(server, accessTo(`${server.url}/k8s/c-1/`, { headers }));
    const { rest, signal } = rig;
    server.script("/", (_, response) => response.end("{}"));
    await rest.ask({ ...LIST, path: [...PODS, "a/b c"], query: { continue: "x/y=&" } }, signal);
    expect(server.asked[0]).toMatchObject({
      path: "/k8s/c-1/api/v1/namespaces/shop/pods/a%2Fb%20c",
      headers: {
        authorization: "Bearer x",
        "impersonate-group": "a, b", // two headers, as node:http shows them
        "user-agent": "kfwd/1",
        accept: "application/json",
      },
    });
    expect(server.asked[0]?.query.get("continue")).toBe("x/y=&");
  });

  test.each(["..", ".", ""])("a segment %j never becomes part of a path", async (segment) => {
    await using rig = await Rig.start();
    const { rest, signal } = rig;
    expect(await failure(rest.ask({ ...LIST, path: ["api", segment, "secrets"] }, signal))).toMatchObject({
      code: "INTERNAL",
    });
  });

  test("share one connection, and a closed one is replaced without a word", async () => {
    await using rig = await Rig.start();
    const { server, rest, signal } = rig;
    await rest.ask(LIST, signal);
    await rest.ask(LIST, signal);
    expect(server.connections).toBe(1);
    server.script("pods", (_, response) => response.socket?.destroy()); // as if it had idled out just now
    await rest.ask(LIST, signal);
    expect(server.lists("pods")).toBe(4);
  });

  test("a connection that breaks when it is new is a failure", async () => {
    await using rig = await Rig.start();
    const { server, rest, signal } = rig;
    server.script("pods", (_, response) => response.socket?.destroy(), 9);
    expect(await failure(rest.ask(LIST, signal))).toMatchObject({ code: "UNREACHABLE" });
    expect(server.lists("pods")).toBe(1);
  });

  test("an aborted one ends with the signal's reason, before and behind the head of the answer", async () => {
    await using rig = await Rig.start();
    const { server, rest } = rig;
    const why = new Error("enough");
    for (const act of ["silent", "head"] as const) {
      const controller = new AbortController();
      let asked = false;
      server.script("pods", (_, response) => {
        asked = true;
        if (act === "head") response.write("{");
      });
      const work = rest.ask(LIST, controller.signal).catch((error: unknown) => error);
      await until(() => asked);
      controller.abort(why);
      expect(await work).toBe(why);
    }
    await expect(rest.ask(LIST, AbortSignal.abort(why))).rejects.toBe(why);
    await until(() => server.connections === 0);
  });

  test("a broken body is told", async () => {
    await using rig = await Rig.start();
    const { server, rest, signal } = rig;
    server.script("pods", (_, response) => response.end("<html>log in</html>"));
    expect(await failure(rest.ask(LIST, signal))).toMatchObject({
      code: "PROTOCOL",
      hint: "is a proxy or a login page in between?",
    });
    server.script("pods", (_, response) => {
      response.writeHead(200, { "Content-Length": 100 }).write("{");
      setImmediate(() => response.socket?.destroy());
    });
    expect(await failure(rest.ask(LIST, signal))).toMatchObject({ code: "UNREACHABLE" });
  });
});

describe("refusals", () => {
  test("401 renews the credentials once and tries again", async () => {
    await using rig = await Rig.start(
      { headers: { Authorization: "old" } },
      { headers: { Authorization: "new" } },
    );
    const { server, rest, signal } = rig;
    server.refuse("pods", 401);
    await rest.ask(LIST, signal);
    expect(server.asked.map((a) => a.headers.authorization)).toEqual(["old", "new"]);
    server.refuse("pods", 401, 9);
    expect(await failure(rest.ask(LIST, signal))).toMatchObject({ code: "UNAUTHORIZED" });
  });

  test("401 with credentials that cannot be renewed is asked for only once", async () => {
    await using rig = await Rig.start();
    const { server, rest, signal } = rig;
    server.refuse("pods", 401, 9);
    expect(await failure(rest.ask(LIST, signal))).toMatchObject({ code: "UNAUTHORIZED" });
    expect(server.asked.length).toBe(1);
  });

  test("401 whose renewal fails closes its connection", async () => {
    const server = await FakeApiServer.start();
    const access = accessTo(server.url);
    await using rig = new Rig(server, {
      ...access,
      credentials: () =>
        access.forgotten === 0
          ? access.credentials(rig.signal)
          : Promise.reject(new KfwdError("CREDENTIALS", "the plugin failed")),
      forget: (refused) => access.forget(refused),
    });
    server.script("pods", (_, response) => response.writeHead(401).write("{"));
    expect(await failure(rig.rest.ask(LIST, rig.signal))).toMatchObject({ code: "CREDENTIALS" });
    await until(() => server.connections === 0);
  });

  test("after a wake go on new connections: the kept ones may be dead without anybody knowing", async () => {
    await using rig = await Rig.start();
    const { server, rest, signal } = rig;
    await rest.ask(LIST, signal);
    await settle(); // the connection is kept from here on
    rest.wake();
    await until(() => server.connections === 0);
    await rest.ask(LIST, signal);
    expect(server.asked.length).toBe(2);
  });

  test("carry the server's wish to be left alone", async () => {
    await using rig = await Rig.start();
    const { server, rest, signal } = rig;
    server.script("pods", (_, response) => response.writeHead(429, { "Retry-After": "7" }).end("busy"));
    expect(await failure(rest.ask(LIST, signal))).toMatchObject({ status: 429, retryAfterMs: 7000 });
  });
});

describe("deadlines", () => {
  test("a server that hangs before the head of the answer", async () => {
    await using rig = await Rig.start();
    const { server, rest, clock, signal } = rig;
    server.script("pods", () => {});
    const work = failure(rest.ask(LIST, signal));
    await until(() => server.asked.length === 1 && clock.pending === 1);
    await clock.advance(9_999);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    expect(await work).toMatchObject({
      code: "UNREACHABLE",
      message: `cannot reach ${server.url} (context "kt"): no answer came within 10 s`,
    });
    expect(clock.pending).toBe(0);
  });

  test("a server that hangs within the body", async () => {
    await using rig = await Rig.start();
    const { server, rest, clock, signal } = rig;
    server.script("pods", (_, response) => response.write("[1,"));
    const ended: KfwdError[] = [];
    void failure(rest.ask(LIST, signal)).then((error) => ended.push(error));
    await until(() => server.asked.length === 1);
    while (ended.length === 0) await clock.advance(10_000); // first the head may be due, then the body
    expect(ended[0]?.message).toContain("nothing more came within 10 s");
    expect(clock.pending).toBe(0);
  });

  test("a server that takes the connection and says nothing to the TLS handshake", async () => {
    const silent = createTcpServer();
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const sockets: Socket[] = [];
    silent.on("connection", (socket) => sockets.push(socket.on("error", () => {})));
    const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const clock = new FakeClock();
    using rest = new RestClient(accessTo(url), clock);
    const work = failure(rest.ask(LIST, new AbortController().signal));
    await until(() => sockets.length === 1);
    for (let turn = 0; turn < 5; turn++) await settle(); // the client sees its connection a little later
    await clock.advance(5_000);
    expect((await work).message).toContain("no TLS handshake came about within 5 s");
    expect(clock.pending).toBe(0);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });

  test("nobody there", async () => {
    const clock = new FakeClock();
    using rest = new RestClient(accessTo("http://127.0.0.1:1"), clock);
    expect((await failure(rest.ask(LIST, new AbortController().signal))).message).toContain(
      "connection refused",
    );
    expect(clock.pending).toBe(0);
  });
});

describe("watch", () => {
  test("gives events in batches until the server ends it in order", async () => {
    await using rig = await Rig.start();
    const { server, rest, signal } = rig;
    const batches = await rest.watch(WATCH, signal);
    server.sendRaw('{"a":1}\n{"a":2}\n{"a"');
    server.sendRaw(":3}\n");
    setImmediate(() => server.endWatches());
    expect(await drain(batches)).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
  });

  test.each([
    { name: "cut short", text: '{"a":1}\n{"a":', what: "sent a line that is cut short" },
    { name: "not JSON", text: "<html>\n", what: "sent something that is not JSON" },
    {
      name: "endless",
      text: `"${"x".repeat(4 * 1024 * 1024)}`,
      what: "sent a line of more than 4194304 bytes",
    },
  ])("a line that is $name breaks it", async ({ text, what }) => {
    await using rig = await Rig.start();
    const { server, rest, signal } = rig;
    const batches = await rest.watch(WATCH, signal);
    server.sendRaw(text);
    server.endWatches();
    const error = await failure(drain(batches));
    expect(error.code).toBe("PROTOCOL");
    expect(error.message).toContain(what);
  });

  test("a lost connection is not a break of protocol, though a line was under way", async () => {
    await using rig = await Rig.start();
    const { server, rest, signal } = rig;
    const batches = await rest.watch(WATCH, signal);
    server.sendRaw('{"a":');
    const work = failure(drain(batches));
    setImmediate(() => server.reset());
    expect(await work).toMatchObject({ code: "UNREACHABLE" });
  });

  test("is given up after 90 s without a byte, and not before", async () => {
    await using rig = await Rig.start();
    const { server, rest, clock, signal } = rig;
    const batches = await rest.watch(WATCH, signal);
    const got: unknown[] = [];
    const work = failure(
      (async () => {
        for await (const batch of batches) got.push(...batch);
      })(),
    );
    await until(() => clock.pending === 1);
    await clock.advance(60_000);
    server.sendRaw('"bookmark"\n');
    await until(() => got.length === 1);
    await clock.advance(89_999);
    expect(server.watches).toBe(1);
    await clock.advance(1);
    expect((await work).message).toContain("nothing more came within 90 s");
    await until(() => server.watches === 0);
    expect(clock.pending).toBe(0);
  });

  test("reads no further while nobody takes the next batch", async () => {
    await using rig = await Rig.start();
    const { server, rest, signal } = rig;
    const line = `"${"x".repeat(256 * 1024)}"\n`;
    const LINES = 200;
    let sent = 0;
    server.script("watch", (_, response) => {
      const more = (): void => {
        for (let free = true; free && sent < LINES; sent++) free = response.write(line);
        if (sent < LINES) response.once("drain", more);
        else response.end();
      };
      more();
    });
    const iterator = (await rest.watch(WATCH, signal))[Symbol.asyncIterator]();
    let first = await iterator.next();
    for (let still = 0, before = -1; still < 50; still = sent === before ? still + 1 : 0) {
      before = sent;
      await settle();
    }
    expect(sent).toBeLessThan(LINES / 2); // what sockets hold, and no more
    let count = 0;
    for (; !first.done; first = await iterator.next()) count += first.value.length;
    expect(count).toBe(LINES);
  });

  test("leaving the loop closes the connection", async () => {
    await using rig = await Rig.start();
    const { server, rest, clock, signal } = rig;
    const batches = await rest.watch(WATCH, signal);
    server.sendRaw('"a"\n');
    for await (const batch of batches) {
      expect(batch).toEqual(["a"]);
      break;
    }
    await until(() => server.watches === 0);
    expect(clock.pending).toBe(0);
  });
});

describe("TLS", async () => {
  const attributes = [{ name: "commonName", value: "kfwd test" }];
  const made = (ip: string, more: object = {}) =>
    generate(attributes, {
      keyType: "ec",
      algorithm: "sha256",
      extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip }] }],
      ...more,
    });
  const good = await made("127.0.0.1");
  const elsewhere = await made("10.0.0.1");
  const past = { notBeforeDate: new Date("2020-01-01"), notAfterDate: new Date("2020-02-01") };
  const expired = await made("127.0.0.1", past);
  type Made = typeof good;

  const trust = ({ cert }: Made): Partial<Credentials> => ({
    tls: { secureContext: createSecureContext({ ca: cert }), rejectUnauthorized: true, servername: "" },
  });
  const serve = async (served: Made, ...trusted: readonly Made[]): Promise<Rig> => {
    const server = await FakeApiServer.start({ key: served.private, cert: served.cert });
    return new Rig(server, accessTo(server.url, ...trusted.map(trust)));
  };

  test("a trusted certificate is fine, and the connection is kept", async () => {
    await using rig = await serve(good, good);
    await rig.rest.ask(LIST, rig.signal);
    await rig.rest.ask(LIST, rig.signal);
    expect(rig.server.connections).toBe(1);
  });

  test.each([
    {
      name: "another authority",
      served: good,
      trusted: elsewhere,
      what: "signed by an authority that the kubeconfig does not trust",
    },
    {
      name: "another host",
      served: elsewhere,
      trusted: elsewhere,
      what: 'its certificate is for "10.0.0.1", not for "127.0.0.1"',
    },
    { name: "a time that is over", served: expired, trusted: expired, what: "its certificate has expired" },
  ])(
    "a certificate of $name is refused, whatever the environment says",
    async ({ served, trusted, what }) => {
      await using rig = await serve(served, trusted);
      vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
      try {
        const error = await failure(rig.rest.ask(LIST, rig.signal));
        expect(error.code).toBe("UNREACHABLE");
        expect(error.message).toContain(what);
      } finally {
        vi.unstubAllEnvs();
      }
    },
  );

  test("plain HTTP behind an https URL fails in the handshake", async () => {
    const server = await FakeApiServer.start();
    await using rig = new Rig(server, accessTo(server.url.replace("http:", "https:"), trust(good)));
    expect((await failure(rig.rest.ask(LIST, rig.signal))).message).toContain("the TLS handshake failed");
  });

  test("new certificates get a new connection, and the old one is closed", async () => {
    await using rig = await serve(good, good, good);
    await rig.rest.ask(LIST, rig.signal);
    rig.server.refuse("pods", 401);
    await rig.rest.ask(LIST, rig.signal);
    await until(() => rig.server.connections === 1);
  });
});
