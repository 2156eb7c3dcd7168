import type { LookupAddress } from "node:dns";
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { createSecureContext, createServer, type Server, type TLSSocket, type TlsOptions } from "node:tls";
import { generate } from "selfsigned";
import { afterEach, describe, expect, test } from "vitest";
import { FakeClock, turnUntil } from "../../../test/fakes/clock.ts";
import { TunnelProxy, type TunnelProxyOptions } from "../../../test/rig/tunnelproxy.ts";
import { KfwdError } from "../../errors.ts";
import { makeCertificates } from "../../sandbox/certificates.ts";
import type { Credentials } from "./access.ts";
import { Connector } from "./connector.ts";
import { Names } from "./names.ts";
import { chooseProxy } from "./proxy.ts";

const { ca, cert, key } = await makeCertificates();
const client = await generate([{ name: "commonName", value: "ann" }], { keyType: "ec", algorithm: "sha256" });
const here = new AbortController().signal;

/** What a TLS server saw of one client. */
interface Seen {
  readonly servername: string | false | null;
  readonly user: string | undefined;
  readonly resumed: boolean;
}

let cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanUp.toReversed()) await clean();
  cleanUp = [];
});

class Rig {
  readonly seen: Seen[] = [];
  readonly #server: Server;
  readonly clock = new FakeClock();
  proxy: TunnelProxy | undefined;

  private constructor(options: TlsOptions) {
    this.#server = createServer({ cert, key, ALPNProtocols: ["http/1.1"], ...options }, (socket) => {
      socket.on("error", () => {});
      const user = socket.getPeerCertificate().subject?.CN;
      const { servername } = socket as TLSSocket & { servername: string | false };
      this.seen.push({ servername, user: String(user), resumed: socket.isSessionReused() });
      socket.write("hello");
      socket.pipe(socket);
    });
    this.#server.on("tlsClientError", () => {});
  }

  /** A TLS server that answers, behind a proxy. */
  static async start(options: TlsOptions = {}, through?: TunnelProxyOptions): Promise<Rig> {
    const rig = new Rig(options);
    rig.#server.listen(0, "127.0.0.1");
    await once(rig.#server, "listening");
    cleanUp.push(() => rig.stop());
    if (through) {
      rig.proxy = await TunnelProxy.start({ hosts: { "api.invalid": "127.0.0.1" }, ...through });
      const { proxy } = rig;
      cleanUp.push(() => proxy[Symbol.asyncDispose]());
    }
    return rig;
  }

  /** Nobody listens any more. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  connector(host = "127.0.0.1", more: Partial<ConstructorParameters<typeof Connector>[0]> = {}): Connector {
    const server = new URL(`https://${host}:${(this.#server.address() as AddressInfo).port}/prefix`);
    const choice = chooseProxy({ server, proxyUrl: this.proxy?.url(), env: {} });
    const proxy = choice.kind === "proxy" ? choice.proxy : undefined;
    return new Connector({ context: "kt", user: "ann", server, proxy, ...more }, this.clock);
  }
}

function credentials(tls: Credentials["tls"]): Credentials {
  return { tls: { rejectUnauthorized: true, ...tls }, headers: {} };
}

const trusting = (more: Parameters<typeof createSecureContext>[0] = {}): Credentials["tls"] => ({
  secureContext: createSecureContext({ ca, ...more }),
});

/** Reads the server's greeting, and what it echoes. */
async function talk(socket: Socket): Promise<void> {
  let read = "";
  socket.on("data", (chunk: Buffer) => (read += String(chunk)));
  socket.write("ping");
  await turnUntil(() => read === "helloping");
  socket.destroy();
}

const failed = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => expect.fail("it did not fail"),
    (error: unknown) => error,
  );

describe.each<[string, TunnelProxyOptions | undefined]>([
  ["directly", undefined],
  ["through an HTTP proxy", { scheme: "http" }],
  ["through a SOCKS5 proxy", { scheme: "socks5", login: { user: "a", password: "b" } }],
])("%s", (_, through) => {
  test("TLS with the cluster's authority, an address for a name", async () => {
    const rig = await Rig.start({}, through);
    await talk(await rig.connector().connect(credentials({ ...trusting(), servername: "" }), here));
    expect(rig.seen).toMatchObject([{ servername: false }]);
    expect(rig.clock.pending).toBe(0);
    if (rig.proxy) {
      expect(rig.proxy.asked).toHaveLength(1);
      const { proxy } = rig;
      await turnUntil(() => proxy.tunnels === 0); // the proxy sees the end
    }
  });

  test("a client certificate is shown", async () => {
    const rig = await Rig.start({ requestCert: true, rejectUnauthorized: false }, through);
    const mine = trusting({ cert: client.cert, key: client.private });
    await talk(await rig.connector().connect(credentials({ ...mine, servername: "" }), here));
    expect(rig.seen).toMatchObject([{ user: "ann" }]);
  });

  test("another authority, or another name, is refused unless nothing is to be checked", async () => {
    const rig = await Rig.start({}, through);
    const stranger = { secureContext: createSecureContext({ ca: client.cert }) };
    const refused = [
      credentials({ ...stranger, servername: "" }),
      credentials({ ...trusting(), servername: "other.test" }),
    ];
    const via = rig.proxy ? ` through proxy 127.0.0.1:${rig.proxy.port}` : "";
    for (const [index, words] of ["does not trust", 'not for "other.test"'].entries()) {
      const work = rig.connector().connect(refused[index] ?? credentials({}), here);
      expect(await failed(work)).toMatchObject({
        code: "UNREACHABLE",
        message: expect.stringContaining(`(context "kt")${via}: its certificate is`) as string,
      });
      expect(
        String(await failed(rig.connector().connect(refused[index] ?? credentials({}), here))),
      ).toContain(words);
    }
    const insecure = { ...stranger, servername: "other.test", rejectUnauthorized: false };
    await talk(await rig.connector().connect(credentials(insecure), here));
  });

  test("a session is resumed with the same certificates, and with no others", async () => {
    const rig = await Rig.start({}, through);
    const connector = rig.connector();
    const [first, second] = [
      credentials({ ...trusting(), servername: "" }),
      credentials({ ...trusting(), servername: "" }),
    ];
    for (const each of [first, first, second]) await talk(await connector.connect(each, here));
    expect(rig.seen.map(({ resumed }) => resumed)).toEqual([false, true, false]);
  });

  test("a signal ends it, whatever it waits for", async () => {
    const rig = await Rig.start({}, through);
    const why = new Error("enough");
    const stop = new AbortController();
    const work = failed(rig.connector().connect(credentials({ ...trusting(), servername: "" }), stop.signal));
    stop.abort(why);
    expect(await work).toBe(why);
    expect(await failed(rig.connector().connect(credentials(trusting()), stop.signal))).toBe(why);
    expect(rig.clock.pending).toBe(0);
  });
});

test("the name of the server, or its `tls-server-name`, goes into the handshake; the proxy gets the server's", async () => {
  const rig = await Rig.start({}, { scheme: "http" });
  const named = credentials({ ...trusting(), servername: "localhost" });
  await talk(await rig.connector("api.invalid").connect(named, here));
  expect(rig.seen).toMatchObject([{ servername: "localhost" }]);
  expect(rig.proxy?.asked[0]).toMatch(/^api\.invalid:\d+$/);
});

test("a server that is silent behind a proxy is given up as one that is silent in front", async () => {
  const rig = await Rig.start({}, { scheme: "http" });
  const { clock, proxy } = rig;
  const connector = new Connector(
    {
      context: "kt",
      user: "ann",
      server: new URL(`https://127.0.0.1:${proxy?.port}`), // waits for CONNECT, and never sees it
      proxy: {
        scheme: "http",
        host: "127.0.0.1",
        port: proxy?.port ?? 0,
        login: undefined,
        source: "proxy-url",
      },
    },
    clock,
  );
  const work = failed(connector.connect(credentials(trusting()), here));
  await turnUntil(() => proxy?.tunnels === 1);
  await turnUntil(() => clock.pending === 1);
  while (clock.pending > 0) await clock.advance(5_000);
  expect(String(await work)).toContain("no TLS handshake came about within 5 s");
});

describe("a server that is known to be out of reach", () => {
  const refused = new KfwdError("UNREACHABLE", "connection refused");
  const known = (trouble: KfwdError | undefined) => {
    const calls: unknown[] = [];
    return {
      calls,
      trouble,
      failed: (thrown: unknown) => void calls.push(thrown),
      reached: () => void calls.push("reached"),
    };
  };

  test("is not dialled, unless it is to be found out", async () => {
    const rig = await Rig.start();
    const lookout = known(refused);
    const connector = rig.connector("127.0.0.1", { lookout });
    await expect(connector.connect(credentials(trusting()), here)).rejects.toBe(refused);
    await connector.probe(credentials(trusting()), here);
    await expect(connector.probe(credentials({}), here)).rejects.toThrow(/signed by an authority/);
    expect(lookout.calls).toEqual([]);
  });

  test("each dial tells what it came to, but not one that was called off", async () => {
    const rig = await Rig.start();
    const lookout = known(undefined);
    const connector = rig.connector("127.0.0.1", { lookout });
    (await connector.connect(credentials(trusting()), here)).destroy();
    await expect(connector.connect(credentials({}), here)).rejects.toThrow(/signed by an authority/);
    await expect(connector.connect(credentials(trusting()), AbortSignal.abort())).rejects.toThrow();
    expect(lookout.calls).toMatchObject(["reached", { code: "UNREACHABLE" }]);
  });

  test("is knocked at without credentials where there are none", async () => {
    const rig = await Rig.start();
    await rig.connector().probe(undefined, here);
    expect(rig.seen).toEqual([]);
  });
});

describe("the name of a server", () => {
  const tls = { ...trusting(), servername: "localhost" };
  const answering = (rig: Rig, answer: () => Promise<readonly LookupAddress[]>) =>
    rig.connector("api.invalid", { names: new Names(rig.clock, answer) });
  const LOCAL = [{ address: "127.0.0.1", family: 4 }];

  test("may be gone as long as the address that worked last works", async () => {
    const rig = await Rig.start();
    let answer = (): Promise<readonly LookupAddress[]> => Promise.resolve(LOCAL);
    const connector = answering(rig, () => answer());
    (await connector.connect(credentials(tls), here)).destroy();
    answer = () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" }));
    const socket = await connector.connect(credentials(tls), here);
    expect(socket.remoteAddress).toBe("127.0.0.1");
    socket.destroy();
  });

  test("is what is to blame when that address does not work any more", async () => {
    const rig = await Rig.start();
    let answer = (): Promise<readonly LookupAddress[]> => Promise.resolve(LOCAL);
    const connector = answering(rig, () => answer());
    (await connector.connect(credentials(tls), here)).destroy();
    answer = () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" }));
    await rig.stop();
    await expect(connector.connect(credentials(tls), here)).rejects.toThrow(
      /: no address is known for "api.invalid"$/,
    );
  });

  test("may lead to where no route does: the socket fails at once, which is a clear word", async () => {
    const rig = await Rig.start();
    const connector = answering(rig, async () => [{ address: "255.255.255.255", family: 4 }]);
    for (const to of [credentials(tls), undefined]) {
      await expect(connector.probe(to, here)).rejects.toThrow(/: no route to the network$/);
    }
  });

  test("that nobody tells in 5 s is a clear word", async () => {
    const rig = await Rig.start();
    const work = answering(rig, () => new Promise(() => {})).connect(credentials(tls), here);
    const failed = expect(work).rejects.toThrow(/: the name server does not answer$/);
    await rig.clock.advance(5_000);
    await failed;
  });
});
