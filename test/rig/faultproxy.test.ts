import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { FakeClock, turnUntil } from "../fakes/clock.ts";
import { dial, exchange, expectEcho, within } from "./client.ts";
import { FaultProxy, kubeconfigThrough, serverOf } from "./faultproxy.ts";

/** An echo, and a proxy in front of it. */
async function stage(clock?: FakeClock): Promise<{ proxy: FaultProxy; accepted: Socket[] }> {
  const accepted: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket.on("error", () => {}));
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const proxy = await FaultProxy.start({ host: "127.0.0.1", port, ...(clock && { clock }) });
  onTestFinished(async () => {
    await proxy[Symbol.asyncDispose]();
    for (const socket of accepted) socket.destroy();
    server.close();
  });
  return { proxy, accepted };
}

/** How a connection ended, as its client saw it. */
async function endOf(socket: Socket): Promise<string> {
  return within(
    new Promise((resolve) => {
      socket.once("end", () => resolve("end"));
      socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve(String(code)));
      socket.resume();
    }),
  );
}

test("bytes and ends go through both ways, and are counted", async () => {
  const { proxy } = await stage();
  const body = Buffer.alloc(3_000_000, "kfwd ");
  const { end, received } = await exchange(proxy.port, body, { halfClose: true });
  expect(end).toBe("closed");
  expect(received.equals(body)).toBe(true);
  await turnUntil(() => proxy.counters.open === 0);
  expect(proxy.counters).toMatchObject({ accepted: 1, resets: 0, cuts: 0, lostBytes: 0 });
  expect(proxy.counters).toMatchObject({ bytesUp: body.length, bytesDown: body.length });
});

test("a reset of either side reaches the other", async () => {
  const { proxy, accepted } = await stage();
  const one = await dial(proxy.port);
  await expectEcho(one);
  const ended = endOf(accepted[0]!);
  one.resetAndDestroy();
  expect(await ended).toBe("ECONNRESET");
  const other = await dial(proxy.port);
  await expectEcho(other);
  accepted[1]!.resetAndDestroy();
  expect(await endOf(other)).toBe("ECONNRESET");
  await turnUntil(() => proxy.counters.open === 0);
  expect(proxy.counters.resets).toBe(0); // not the proxy's own
});

test("reset resets the connections that it is told to, and leaves others", async () => {
  const { proxy } = await stage();
  const [one, two] = [await dial(proxy.port), await dial(proxy.port)];
  await expectEcho(one);
  await expectEcho(two);
  proxy.reset((connection) => connection === 1);
  expect(await endOf(one)).toBe("ECONNRESET");
  await expectEcho(two);
  two.destroy();
  await turnUntil(() => proxy.counters.open === 0);
  expect(proxy.counters).toMatchObject({ accepted: 2, cuts: 0, resets: 1 });
});

test("a reset as a fault waits its time, for each connection anew, until it is taken away", async () => {
  const clock = new FakeClock();
  const { proxy } = await stage(clock);
  const one = await dial(proxy.port);
  await expectEcho(one);
  const fault = proxy.add({ kind: "reset", afterMs: 1_000 });
  await clock.advance(500);
  const two = await dial(proxy.port);
  await expectEcho(two);
  const ended = endOf(one);
  await clock.advance(500);
  expect(await ended).toBe("ECONNRESET");
  await expectEcho(two);
  fault[Symbol.dispose]();
  await clock.advance(5_000);
  await expectEcho(two);
  expect(clock.pending).toBe(0);
  two.destroy();
});

test("a black hole holds what is sent, for the connections it is told of; afterwards it arrives", async () => {
  const { proxy } = await stage();
  const [one, two] = [await dial(proxy.port), await dial(proxy.port)];
  await expectEcho(one);
  await expectEcho(two);
  const fault = proxy.add({ kind: "blackhole" }, { direction: "up", only: (number) => number === 1 });
  const answer = once(one, "data");
  one.write("late");
  await expectEcho(two);
  await expectEcho(two); // the other one's bytes would have come by now
  expect(one.bytesRead).toBe(16);
  fault[Symbol.dispose]();
  expect(String((await within(answer))[0])).toBe("late");
  for (const socket of [one, two]) socket.destroy();
});

test("what a forgetful one swallowed is lost for good; a new connection is as new", async () => {
  const { proxy } = await stage();
  const one = await dial(proxy.port);
  await expectEcho(one);
  const fault = proxy.add({ kind: "blackhole", forgets: true });
  one.write("lost");
  await turnUntil(() => proxy.counters.lostBytes === 4);
  fault[Symbol.dispose]();
  const two = await dial(proxy.port);
  await expectEcho(two);
  expect(one.bytesRead).toBe(16);
  for (const socket of [one, two]) socket.destroy();
});

test("an idle connection is cut, one that talks is not", async () => {
  const clock = new FakeClock();
  const { proxy } = await stage(clock);
  const [idle, busy] = [await dial(proxy.port), await dial(proxy.port)];
  await expectEcho(idle);
  await expectEcho(busy);
  proxy.add({ kind: "idleCut", ms: 60_000 });
  await clock.advance(59_000);
  await expectEcho(busy);
  const ended = endOf(idle);
  await clock.advance(1_000);
  expect(await ended).toBe("end");
  await expectEcho(busy);
  busy.destroy();
  idle.destroy();
  await turnUntil(() => proxy.counters.open === 0);
  expect(proxy.counters).toMatchObject({ accepted: 2, cuts: 1, resets: 0 });
});

test("a limit lets just so many bytes through, and cuts both sides", async () => {
  const { proxy, accepted } = await stage();
  proxy.add({ kind: "limit", bytes: 100_000 }, { direction: "down" });
  const { end, received } = await exchange(proxy.port, Buffer.alloc(300_000));
  expect({ end, bytes: received.length }).toEqual({ end: "closed", bytes: 100_000 });
  await turnUntil(() => accepted[0]!.destroyed);
});

test("slices arrive whole; a slow reader holds up its source and loses nothing", async () => {
  const { proxy } = await stage();
  proxy.add({ kind: "slicer", maxBytes: 5_000 });
  const socket = await dial(proxy.port);
  const size = 8_000_000;
  let sent = 0;
  socket.on("drain", () => say());
  const say = (): void => {
    while (sent < size) {
      sent += 100_000;
      if (!socket.write(Buffer.alloc(100_000, sent / 100_000))) return;
    }
    socket.end();
  };
  say();
  const parts: Buffer[] = [];
  for await (const part of socket) {
    parts.push(part as Buffer);
    if (parts.length % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const came = Buffer.concat(parts);
  expect(came.length).toBe(size);
  expect(came.every((byte, index) => byte === (Math.floor(index / 100_000) + 1) % 256)).toBe(true);
  expect(proxy.counters.pieces).toBeGreaterThan((2 * size) / 5_000);
});

test("while the server is gone connections are refused; afterwards the port is the same", async () => {
  const { proxy } = await stage();
  const one = await dial(proxy.port);
  await expectEcho(one);
  const ended = endOf(one);
  proxy.refuse();
  expect(await ended).toBe("ECONNRESET");
  expect((await exchange(proxy.port, "x")).end).toBe("refused");
  await proxy.open();
  const two = await dial(proxy.port);
  await expectEcho(two);
  two.destroy();
});

test("a server that is not there resets the client", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  await using proxy = await FaultProxy.start({ host: "127.0.0.1", port });
  expect((await exchange(proxy.port, "x")).end).toBe("reset");
});

test("a kubeconfig leads through the proxy, and the server must still prove who it is", () => {
  const text = (server: string, more: object = {}): string =>
    JSON.stringify({ clusters: [{ name: "c", cluster: { server, ...more } }] });
  const through = (server: string, more: object = {}): unknown =>
    JSON.parse(kubeconfigThrough(text(server, more), 4_000)).clusters[0].cluster;
  const server = "https://127.0.0.1:4000";
  expect(through("https://127.0.0.1:6443")).toEqual({ server });
  expect(through("https://198.51.100.2:6443")).toEqual({ server, "tls-server-name": "kubernetes" });
  expect(through("https://kube.example.com")).toEqual({ server, "tls-server-name": "kube.example.com" });
  expect(through("https://[2001:db8::1]:6443/k8s", { "tls-server-name": "x" })).toEqual({
    server: `${server}/k8s`,
    "tls-server-name": "x",
  });
  expect(serverOf(text("https://[2001:db8::1]:6443"))).toEqual({ host: "2001:db8::1", port: 6443 });
  expect(serverOf(text("https://kube.example.com"))).toEqual({ host: "kube.example.com", port: 443 });
});
