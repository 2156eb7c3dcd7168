import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { expect, test } from "vitest";
import { FakeApiServer, until } from "../../../test/fakes/apiserver.ts";
import { FakeClock } from "../../../test/fakes/clock.ts";
import { TunnelProxy } from "../../../test/rig/tunnelproxy.ts";
import type { RenewableAccess } from "./access.ts";
import type { ProxyServer } from "./proxy.ts";
import { RestClient, type ApiRequest } from "./rest.ts";

const LIST: ApiRequest = {
  path: ["api", "v1", "namespaces", "shop", "pods"],
  query: {},
  call: { verb: "list", resource: "pods", namespace: "shop" },
};
const here = new AbortController().signal;

/** An access whose proxy a test changes. */
interface Access extends RenewableAccess {
  proxy: ProxyServer | undefined;
}

function accessTo(url: string, port?: number): Access {
  const held = { tls: {}, headers: { "User-Agent": "kfwd/1" } };
  return {
    context: "kt",
    user: "ann",
    server: new URL(url),
    proxy: port === undefined ? undefined : proxyAt(port),
    credentials: async () => held,
    forget: () => {},
  };
}

function proxyAt(port: number): ProxyServer {
  return { scheme: "http", host: "127.0.0.1", port, login: undefined, source: "proxy-url" };
}

/** A proxy that takes connections and says nothing. */
async function silentProxy(): Promise<
  { readonly port: number; readonly sockets: Socket[] } & AsyncDisposable
> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on("error", () => {}).resume()));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

test("requests share a tunnel, and get another when the proxy is another", async () => {
  await using server = await FakeApiServer.start();
  await using first = await TunnelProxy.start({ scheme: "http" });
  await using second = await TunnelProxy.start({ scheme: "http" });
  const access = accessTo(server.url, first.port);
  using rest = new RestClient(access, new FakeClock());
  for (let request = 0; request < 3; request++) await rest.ask(LIST, here);
  expect([first.asked.length, server.connections]).toEqual([1, 1]);
  expect(first.heads[0]).toContain("\r\nUser-Agent: kfwd/1\r\n");
  expect(server.asked.map(({ headers }) => headers.host)).toEqual(Array(3).fill(new URL(server.url).host));
  access.proxy = proxyAt(second.port);
  await rest.ask(LIST, here);
  expect([first.asked.length, second.asked.length]).toEqual([1, 1]);
  await until(() => first.tunnels === 0); // idle connections of before are closed
  access.proxy = undefined;
  await rest.ask(LIST, here);
  await until(() => second.tunnels === 0 && server.connections === 1);
});

test("requests at the same time have connections of their own, and a few are kept", async () => {
  await using server = await FakeApiServer.start();
  await using proxy = await TunnelProxy.start({ scheme: "http" });
  using rest = new RestClient(accessTo(server.url, proxy.port), new FakeClock());
  await Promise.all(Array.from({ length: 6 }, () => rest.ask(LIST, here)));
  expect(proxy.asked.length).toBe(6);
  await until(() => proxy.tunnels === 4);
});

test("a request that nobody wants any more ends while its tunnel is dug", async () => {
  await using proxy = await silentProxy();
  const clock = new FakeClock();
  using rest = new RestClient(accessTo("http://api.test", proxy.port), clock);
  const stop = new AbortController();
  const why = new Error("enough");
  const work = rest.ask(LIST, stop.signal).catch((error: unknown) => error);
  await until(() => proxy.sockets.length === 1);
  stop.abort(why);
  expect(await work).toBe(why);
  await until(() => proxy.sockets.every(({ readableEnded, destroyed }) => readableEnded || destroyed));
  expect(clock.pending).toBe(0);
});

test("disposing breaks off tunnels that are dug, and no more come", async () => {
  await using proxy = await silentProxy();
  const clock = new FakeClock();
  const rest = new RestClient(accessTo("http://api.test", proxy.port), clock);
  const work = rest.ask(LIST, here).catch((error: unknown) => error);
  await until(() => proxy.sockets.length === 1);
  rest[Symbol.dispose]();
  expect(await work).toBeInstanceOf(Error);
  expect(await rest.ask(LIST, here).catch((error: unknown) => error)).toBeInstanceOf(Error);
  expect(proxy.sockets.length).toBe(1);
  expect(clock.pending).toBe(0);
});

test("a proxy that dies under a watch is told, by its name", async () => {
  await using server = await FakeApiServer.start();
  await using proxy = await TunnelProxy.start({ scheme: "http" });
  using rest = new RestClient(accessTo(server.url, proxy.port), new FakeClock());
  const query = { watch: true, resourceVersion: "1" };
  const batches = await rest.watch({ ...LIST, query }, here);
  const ended = (async () => {
    for await (const batch of batches) expect(batch).toBeDefined();
  })().catch((error: unknown) => error);
  proxy.close();
  expect(await ended).toMatchObject({
    code: "UNREACHABLE",
    message: expect.stringContaining(`through proxy 127.0.0.1:${proxy.port}: `) as string,
  });
});
