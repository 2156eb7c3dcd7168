import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { dial, exchange, within } from "../rig/client.ts";
import type { Project } from "../rig/project.ts";
import { UdpAsker } from "../rig/udpclient.ts";
import { bringUp, portsOf } from "./stage.ts";
import type { World } from "./world.ts";

/** The edges of Ethernet and of UDP itself. */
const SIZES = [0, 1, 1472, 1473, 9216, 65_507] as const;

const CLIENTS = 1_000;

const PATIENCE = { timeout: 15_000 };

/** For a relay or a pod that has to be made anew, image and all. */
const AGAIN_MS = 60_000;

/** How long the runtime's own port-forward keeps the end of an answer. */
const KEPT_MS = 1_000;

/** Nobody listens there. */
const DEAD_PORT = 7998;

const UDP_PORTS = [7000, 7001, 7002, 7003, DEAD_PORT].map((port) => ({
  name: `u${port}`,
  port,
  targetPort: port,
  protocol: "UDP" as const,
}));

/** What goes through the relay: datagrams, and connections that ask for it. */
export function describeDatagrams(world: () => World): void {
  describe("datagrams", () => {
    let namespace: string;
    let project: Project;
    let port: (name: string) => number;

    beforeAll(async () => {
      namespace = await world().newNamespace();
      await Promise.all([world().deploy(namespace, "app"), world().deploy(namespace, "moving")]);
      await world().createService(namespace, "udp", { selects: "app", ports: UDP_PORTS });
      await world().createService(namespace, "moving-udp", { selects: "moving", ports: UDP_PORTS });
      const [app] = await world().podsOf(namespace, "app");
      const host = { target: `host/${app?.ip}`, port: 7000, local: "auto" }; // as good as any outside the cluster
      const udp = { protocol: "udp", local: "auto" };
      const relayed = { target: "svc/app", via: "relay", local: "auto" };
      project = await bringUp(world(), namespace, {
        echo: { target: "svc/udp", port: 7000, ...udp },
        name: { target: "svc/moving-udp", port: 7001, ...udp },
        sink: { target: "deploy/app", port: 7002, ...udp },
        push: { target: "svc/udp", port: "u7003", ...udp },
        dead: { target: "svc/udp", port: DEAD_PORT, ...udp },
        hosttcp: host,
        hostudp: { ...host, protocol: "udp" },
        direct: { target: "svc/app", port: "http", local: "auto" },
        web: { port: "http", ...relayed },
        late: { ...relayed, port: 7013 },
        tcpecho: { port: 7000, ...relayed },
        mebibyte: { port: 7003, ...relayed },
        closed: { targetPort: DEAD_PORT, ...relayed },
      });
      port = await portsOf(project);
    });

    afterAll(async () => {
      await project[Symbol.asyncDispose]();
    });

    test("of every size arrive whole and come back whole", async () => {
      await using client = await UdpAsker.open(port("echo"));
      for (const size of SIZES) {
        const question = Buffer.alloc(size, size.toString());
        expect((await client.ask(question)).equals(question), `${size} bytes`).toBe(true);
      }
    });

    test("that are too large are refused by the sender's own system, and nobody else hears of it", async () => {
      await using client = await UdpAsker.open(port("echo"));
      await expect(client.send(Buffer.alloc(65_508))).rejects.toMatchObject({ code: "EMSGSIZE" });
      expect(String(await client.ask("still there"))).toBe("still there");
    });

    test("come and go by both families of localhost", async () => {
      await using client = await UdpAsker.open(port("echo"), "::1");
      expect(String(await client.ask("ping"))).toBe("ping");
    });

    test(`of ${CLIENTS} clients: each gets its own answers`, async () => {
      const clients = await Promise.all(Array.from({ length: CLIENTS }, () => UdpAsker.open(port("echo"))));
      try {
        for (const turn of ["one", "two"]) {
          const answers = await Promise.all(clients.map((client, i) => client.ask(`${turn} of ${i}`)));
          expect(answers.map(String)).toEqual(clients.map((_, i) => `${turn} of ${i}`));
        }
        expect(clients.map(({ heard }) => heard.length)).toEqual(clients.map(() => 1));
      } finally {
        await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
      }
      expect((await project.forward("echo")).datagrams?.flows).toBeGreaterThanOrEqual(CLIENTS);
    });

    test("that nobody answers never wait for an answer", async () => {
      await using client = await UdpAsker.open(port("sink"));
      for (let sent = 0; sent < 2_000; sent++) await client.send(`stat:${sent}|c`);
      await vi.waitFor(async () => expect(String(await client.ask("count"))).toBe("2000"), PATIENCE);
    });

    test("that an application pushes arrive for as long as it does", async () => {
      await using client = await UdpAsker.open(port("push"));
      await client.send("50 20");
      await client.until(50);
      expect(client.heard.map(String)).toEqual(Array.from({ length: 50 }, (_, i) => `push ${i}`));
    });

    test("in a burst of 1000 all come back", async () => {
      await using client = await UdpAsker.open(port("echo"));
      await Promise.all(Array.from({ length: 1_000 }, (_, i) => client.send(`burst ${i}`)));
      await client.until(1_000);
      expect(new Set(client.heard.map(String)).size).toBe(1_000);
    });

    test("to a port where nobody listens are counted, and hold nobody up", async () => {
      await using dead = await UdpAsker.open(port("dead"));
      await using alive = await UdpAsker.open(port("echo"));
      for (let i = 0; i < 20; i++) {
        await dead.send("anybody?");
        expect(String(await alive.ask(`${i}`))).toBe(`${i}`);
      }
      const refused = await project.until("dead", ({ datagrams }) => (datagrams?.dropped.refused ?? 0) > 0);
      expect(refused.state).toBe("ready");
      expect(refused.lastError?.message).toMatch(/^nothing listens for datagrams on /);
      expect(dead.heard).toEqual([]);
    });

    test("follow their target to its new pods", async () => {
      await using client = await UdpAsker.open(port("name"));
      const [before] = await world().podsOf(namespace, "moving");
      expect(await client.keepAsking("who")).toBe(`${before?.name} got who`);
      await world().rollout(namespace, "moving", {});
      const after = (await world().podsOf(namespace, "moving")).find(
        ({ uid, ready, deleting }) => uid !== before?.uid && ready && !deleting,
      );
      await client.keepAsking("who", (answer) => answer === `${after?.name} got who`);
      expect(await project.port("name")).toBe(port("name"));
    });

    test("are counted, and `status` shows the relay", async () => {
      await using client = await UdpAsker.open(port("echo"));
      const before = (await project.forward("echo")).datagrams;
      await client.ask("ping");
      const { datagrams, relay, state } = await project.forward("echo");
      expect(datagrams?.in).toBe((before?.in ?? 0) + 1);
      expect(datagrams?.out).toBe((before?.out ?? 0) + 1);
      expect({ state, relay }).toMatchObject({ state: "ready", relay: { state: "running", namespace } });
      const { stdout } = await project.ok("status");
      expect(stdout).toMatch(/^echo +localhost:\d+\/udp +svc\/udp:7000 +ready \(relay\)/m);
    });

    test("and connections reach a host that only the cluster does", async () => {
      await using client = await UdpAsker.open(port("hostudp"));
      expect(String(await client.ask("ping"))).toBe("ping");
      expect(String((await exchange(port("hosttcp"), "ping", { halfClose: true })).received)).toBe("ping");
      expect(await project.forward("hosttcp")).toMatchObject({ state: "ready", pod: null });
    });

    test("`status` names a forward whose server ends connections, since a relay would tell its clients at once", async () => {
      const get = () => exchange(port("direct"), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      for (let i = 0; i < 3; i++) expect((await get()).end).toBe("closed");
      await project.until("direct", ({ traffic }) => traffic.lateEnds === 3);
      const { stdout } = await project.ok("status");
      expect(stdout).toContain("direct: 3 of 3 connections were ended by the server");
      expect(stdout).not.toContain("web: ");
    });

    test("and so does `check`, as long as the project runs", async () => {
      const { stderr } = await project.ok("check");
      expect(stderr).toMatch(/^note: direct: 3 of 3 connections were ended by the server.*`via: relay`/m);
      expect(stderr).not.toContain("web: ");
      const { gainByRelay } = JSON.parse((await project.ok("check", "--json")).stdout);
      expect(gainByRelay).toEqual([
        { name: "direct", message: expect.stringContaining("ended by the server"), environment: null },
      ]);
    });

    describe("a connection through the relay", () => {
      test("ends when the server ends it, and not a second later", async () => {
        const tookMs: number[] = [];
        while (tookMs.length < 5) {
          const begunMs = performance.now();
          const { end, received } = await exchange(port("web"), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
          tookMs.push(performance.now() - begunMs);
          expect([end, String(received)]).toEqual(["closed", expect.stringContaining("hello from app-")]);
        }
        expect(Math.min(...tookMs)).toBeLessThan(KEPT_MS); // of which the direct way takes as much each time
        expect((await project.forward("web")).traffic.lateEnds).toBe(0);
      });

      test("brings an answer that comes long after the client's half-close", async () => {
        const { end, received } = await exchange(port("late"), "are you there?", { halfClose: true });
        expect({ end, said: String(received) }).toEqual({ end: "closed", said: "you said are you there?\n" });
      });

      test("brings every byte of an answer that ends at once", async () => {
        const { end, received } = await exchange(port("mebibyte"));
        expect([end, received.length]).toEqual(["closed", 1024 * 1024]);
      });

      test("is reset when nobody listens there", async () => {
        expect((await exchange(port("closed"), "hello")).end).toBe("reset");
      });

      test("is one of a hundred, each with its own bytes", async () => {
        const sockets = await Promise.all(Array.from({ length: 100 }, () => dial(port("tcpecho"))));
        const answers = await Promise.all(
          sockets.map(async (socket, i) => {
            const text = `client ${i} `.repeat(1_000);
            let heard = "";
            socket.setEncoding("utf8").on("data", (part: string) => (heard += part));
            socket.end(text);
            await within(once(socket, "end"));
            return heard === text;
          }),
        );
        expect(answers.every(Boolean)).toBe(true);
      });

      test("does not hold others up while its client does not read", async () => {
        const stalled = connect({ port: port("tcpecho"), host: "127.0.0.1" });
        await once(stalled, "connect");
        stalled.pause();
        const block = Buffer.alloc(64 * 1024, "x");
        for (let i = 0; i < 160; i++) stalled.write(block);
        for (let i = 0; i < 20; i++) {
          expect(String((await exchange(port("mebibyte"))).received.length)).toBe(String(1024 * 1024));
        }
        stalled.destroy();
      });
    });

    describe("when the relay dies", () => {
      test("another one takes its place; local ports stay, and so do clients", async () => {
        await using client = await UdpAsker.open(port("echo"));
        await client.ask("before");
        const { relay } = await project.forward("echo");
        if (!relay?.name) throw new Error("there is no relay");
        await world().deletePod(namespace, relay.name, { force: true });
        await project.until("echo", (now) => now.relay?.uid !== relay.uid && now.state === "ready", AGAIN_MS);
        expect(await client.keepAsking("after", (answer) => answer === "after")).toBe("after");
        expect(await portsOf(project).then((now) => now("echo"))).toBe(port("echo"));
        expect(String((await exchange(port("web"), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")).received)).toContain(
          "hello from app-",
        );
      });
    });

    test("`down` takes the relay along", async () => {
      const { relay } = await project.forward("echo");
      const isThere = async (): Promise<boolean> =>
        (await world().podNames(namespace)).includes(relay?.name ?? "");
      expect(await isThere()).toBe(true);
      await project.ok("down");
      await vi.waitFor(async () => expect(await isThere()).toBe(false), { timeout: AGAIN_MS });
    });
  });
}
