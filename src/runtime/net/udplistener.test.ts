import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { FakeClock, settle, turnUntil } from "../../../test/fakes/clock.ts";
import { FakeLog } from "../../../test/fakes/world.ts";
import type { KfwdError } from "../../errors.ts";
import type { UdpClient, UdpListener } from "../deps.ts";
import { dropsIn, systemDrops } from "./udpdrops.ts";
import { localUdp } from "./udplistener.ts";

const opened: AsyncDisposable[] = [];
const log = new FakeLog();
const udp = localUdp({ clock: new FakeClock(), log, knownOwner: async () => undefined });

afterEach(async () => {
  for (const resource of opened.splice(0)) await resource[Symbol.asyncDispose]();
});

type OnDatagram = (datagram: Buffer, client: UdpClient) => void;

async function listen(bind: string[], port: number, onDatagram: OnDatagram = echo): Promise<UdpListener> {
  const listener = await udp.listen({ bind, port, label: "dns" }, onDatagram);
  opened.push(listener);
  return listener;
}

function echo(datagram: Buffer, client: UdpClient): void {
  client.send(datagram);
  datagram.fill(0xee); // the memory is ours again
}

/** A client that is connected, as most are. */
async function connect(address: string, port: number): Promise<Socket> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  opened.push({ [Symbol.asyncDispose]: async () => void socket.close() });
  socket.connect(port, address);
  await once(socket, "connect");
  return socket;
}

async function ask(socket: Socket, question: Buffer): Promise<Buffer> {
  const answer = once(socket, "message");
  socket.send(question);
  return (await answer)[0] as Buffer;
}

async function errorOf(promise: Promise<unknown>): Promise<KfwdError> {
  return promise.then(
    () => expect.fail("it did not throw"),
    (error: unknown) => error as KfwdError,
  );
}

describe("a UDP listener", () => {
  test("takes both families of localhost on one port, and answers from the address that was written to", async () => {
    const { local } = await listen(["localhost"], 0);
    expect(local.map(({ address }) => address)).toEqual(["127.0.0.1", "::1"]);
    expect(new Set(local.map(({ port }) => port)).size).toBe(1);
    for (const { address, port } of local) {
      const client = await connect(address, port); // which takes answers from nowhere else
      expect(String(await ask(client, Buffer.from("ping")))).toBe("ping");
    }
  });

  test.each([0, 1, 1472, 1473, 9216, 65_507])("passes datagrams of %i bytes whole", async (size) => {
    const { local } = await listen(["127.0.0.1"], 0);
    const client = await connect("127.0.0.1", local[0]!.port);
    const question = Buffer.alloc(size, "x");
    expect((await ask(client, question)).equals(question)).toBe(true);
  });

  test("knows clients apart, also those of one port and two families", async () => {
    const seen = new Set<string>();
    const { local } = await listen(["localhost"], 0, (_datagram, client) => void seen.add(client.key));
    const port = local[0]!.port;
    const clients = await Promise.all([
      connect("127.0.0.1", port),
      connect("127.0.0.1", port),
      connect("::1", port),
    ]);
    for (const client of clients) for (const text of ["one", "two"]) client.send(text);
    await turnUntil(() => seen.size === 3);
  });

  test("lives on when a client has left before its answer", async () => {
    const listener = await listen(["127.0.0.1"], 0, (datagram, client) => {
      if (String(datagram) === "leaving") setImmediate(() => leaver.close(() => client.send(datagram)));
      else client.send(datagram);
    });
    const { port } = listener.local[0]!;
    const leaver = createSocket("udp4");
    leaver.send("leaving", port, "127.0.0.1");
    await once(leaver, "close");
    const client = await connect("127.0.0.1", port);
    expect(String(await ask(client, Buffer.from("still there?")))).toBe("still there?");
  });

  test("counts an answer that does not fit into a datagram", async () => {
    const listener = await listen(["127.0.0.1"], 0, (_datagram, client) => client.send(Buffer.alloc(70_000)));
    const client = await connect("127.0.0.1", listener.local[0]!.port);
    client.send("?");
    await turnUntil(() => listener.drops.sent === 1);
  });

  test("lets go of its port, and calls nobody after that", async () => {
    const listener = await listen(["localhost"], 0);
    const { port } = listener.local[0]!;
    await listener[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
    await listen(["localhost"], port);
  });

  test("a port in use names its owner, and nothing stays bound", async () => {
    const other = createSocket("udp6");
    other.bind({ address: "::1", port: 0 });
    await once(other, "listening");
    opened.push({ [Symbol.asyncDispose]: async () => void other.close() });
    const { port } = other.address();
    const error = await errorOf(listen(["localhost"], port));
    expect(error.code).toBe("PORT_BUSY");
    expect(error.message).toMatch(
      new RegExp(
        `^cannot bind localhost:${port}/udp for forward "dns": it is in use by .+ \\(pid ${process.pid}\\)$`,
      ),
    );
    await listen(["127.0.0.1"], port);
  });

  test("an address that is not this machine's", async () => {
    const error = await errorOf(listen(["192.0.2.1"], 5353));
    expect(error.code).toBe("ADDRESS_UNAVAILABLE");
    expect(error.message).toBe(
      'cannot bind 192.0.2.1:5353/udp for forward "dns": this machine has no such address',
    );
  });
});

describe("what the system drops", () => {
  const table = [
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops",
    "  463: 0100007F:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1001 2 0000000000000000 12",
    "  464: 0200007F:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1002 2 0000000000000000 99",
    "  465: 00000000000000000000000001000000:14E9 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1003 2 0000000000000000 3",
  ].join("\n");
  const local = [
    { address: "127.0.0.1", port: 5353 },
    { address: "::1", port: 5353 },
  ];

  test("is the sum of our sockets", () => {
    expect(dropsIn(table, local)).toBe(15);
    expect(dropsIn("no table", local)).toBe(0);
  });

  test("is looked at a second after a datagram, once for all of them", async () => {
    const clock = new FakeClock();
    const read: string[] = [];
    const drops = systemDrops(local, clock, async (path) => {
      read.push(path);
      return path.endsWith("6") ? "" : table;
    });
    expect(clock.pending).toBe(0);
    drops.expect();
    drops.expect();
    await clock.advance(1_000);
    await settle();
    expect(read).toEqual(["/proc/net/udp", "/proc/net/udp6"]);
    expect(drops.count).toBe(15);
    drops.expect();
    drops[Symbol.dispose]();
    drops.expect();
    expect(clock.pending).toBe(0);
  });
});
