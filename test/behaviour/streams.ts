import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ask, closing, dial, exchange, expectEcho, httpGet, within } from "../rig/client.ts";
import { talk, talksOf, wholeOf } from "../rig/pieces.ts";
import type { Project } from "../rig/project.ts";
import { bringUp, fdsOf, portsOf, rssOf } from "./stage.ts";
import type { World } from "./world.ts";

const MIB = 1024 * 1024;

/** For what takes its time; looked at every 50 ms. */
const PATIENCE = { timeout: 15_000 };

/** How much more memory the supervisor may have after any of these, in MiB. */
const RSS_GROWTH_MAX_MIB = 40;

/** Connections to one pod that a pool keeps at most, beyond which clients share them. */
const CROWD = 100;

/** Ways to leave, each tried with an app of that name. */
const LEAVING = [
  ["closes", (socket: Socket): unknown => socket.destroy()],
  ["half-closes", (socket: Socket): unknown => socket.end()],
  ["resets", (socket: Socket): unknown => socket.resetAndDestroy()],
] as const;

/**
 * What becomes of single connections: every kind of end, in either direction, and that each ends alone. `patient`: with
 * what takes a minute.
 */
export function describeStreams(world: () => World, options = { patient: false }): void {
  describe("streams", () => {
    let namespace: string;
    let project: Project;
    let port: (name: string) => number;
    let pid: number;
    /** Open files of the supervisor before the first client, and when it has seen as many at once as it will. */
    let fresh: number;
    let fds: number;

    beforeAll(async () => {
      namespace = await world().newNamespace();
      const leaving = LEAVING.map(([name]) => name);
      await Promise.all(["app", "deaf", ...leaving].map((name) => world().deploy(namespace, name)));
      project = await bringUp(world(), namespace, {
        web: { target: "svc/app", port: "http", local: "auto" },
        echo: { target: "svc/app", port: 7000, local: "auto" },
        greeting: { target: "svc/app", port: 7001, local: "auto" },
        slow: { target: "svc/app", port: 7002, local: "auto" },
        mebibyte: { target: "svc/app", port: 7003, local: "auto" },
        breaking: { target: "svc/app", port: 7004, local: "auto" },
        bulk: { target: "svc/app", port: 7005, local: "auto" },
        deaf: { target: "svc/deaf", port: 7006, local: "auto" },
        digest: { target: "svc/app", port: 7007, local: "auto" },
        ...Object.fromEntries(
          leaving.map((name) => [name, { target: `svc/${name}`, port: 7008, local: "auto" }]),
        ),
        toggled: { target: "svc/app", port: 7009, local: "auto" },
        talk: { target: "svc/app", port: 7010, local: "auto" },
      });
      port = await portsOf(project);
      pid = project.supervisorPid;
      fresh = fdsOf(pid);
      // Opens all connections to pods that may be kept for a while, so that what is counted now is the most there may be.
      await crowd();
      await Promise.all([...leaving, ...leaving, ...leaving].map((name) => ask(port(name))));
      await idle();
      fds = fdsOf(pid);
    });

    afterAll(async () => {
      await project[Symbol.asyncDispose]();
    });

    /** Many clients at once, each with an answer of its own. */
    async function crowd(): Promise<void> {
      const words = Array.from({ length: CROWD }, (_, index) => `client ${index}\n`);
      expect(await Promise.all(words.map((word) => ask(port("echo"), word)))).toEqual(words);
    }

    /** Resolves when no connection of any client is left. */
    async function idle(): Promise<void> {
      await vi.waitFor(async () => {
        const { entries } = await project.status();
        expect(entries.filter(({ traffic }) => traffic.connections > 0)).toEqual([]);
      }, PATIENCE);
    }

    describe.concurrent("a client that says nothing", () => {
      test.each(LEAVING)("and %s is seen by the app to come and to go", async (name, leave) => {
        const watcher = await dial(port(name));
        await within(once(watcher, "data")); // its greeting
        const before = await tally(watcher);
        const socket = await dial(port(name));
        await within(once(socket, "data"));
        expect(await tally(watcher)).toEqual({ seen: before.seen + 1, open: before.open + 1 });
        leave(socket);
        await vi.waitFor(async () => expect((await tally(watcher)).open).toBe(1), PATIENCE);
        socket.destroy();
        watcher.destroy();
      });
    });

    describe.concurrent("an exchange", () => {
      test("a server that speaks first is heard before the client says a word", async () => {
        const socket = await dial(port("greeting"));
        const [greeting] = (await within(once(socket, "data"))) as [Buffer];
        expect(greeting.toString()).toMatch(/^220 app-\S+ ready\n$/);
        socket.destroy();
      });

      test("a client that half-closes gets an answer that takes 2.5 s", async () => {
        const { end, received } = await exchange(port("slow"), "question\n", { halfClose: true });
        expect(received.toString()).toBe("answer to question\n");
        expect(end).toBe("closed");
      });

      test("a client that half-closes is heard to have finished, and gets all that is still on its way", async () => {
        const sent = randomBytes(256 * 1024);
        const { end, received } = await exchange(port("echo"), sent, { halfClose: true });
        expect(end).toBe("closed");
        expect(sha256(received)).toBe(sha256(sent));
      });

      test("an app that ends after its answer: the client gets every byte, then the end", async () => {
        const { end, received } = await exchange(port("mebibyte"));
        expect(end).toBe("closed");
        expect(received).toHaveLength(MIB);
        expect(sha256(received)).toBe(sha256(Buffer.from("0123456789abcdef".repeat(MIB / 16))));
      });

      test("an app that ends while the client still sends: the client gets every byte, then the end", async () => {
        const socket = await dial(port("mebibyte"));
        const received = bytesOf(socket);
        socket.write("still ");
        await within(once(socket, "end"));
        expect(received()).toBe(MIB);
        socket.end("here\n");
        await within(once(socket, "close"));
      });

      test("an app that resets: its client is reset, others go on, and the next works", async () => {
        const other = await dial(port("echo"));
        const broken = await exchange(port("breaking"), "question\n");
        expect(broken).toEqual({ end: "reset", received: Buffer.from("half an ans") });
        await expectEcho(other);
        other.destroy();
        expect(await exchange(port("breaking"), "again\n")).toEqual(broken);
        expect(await httpGet(port("web"))).toMatch(/^hello from app-/);
        const status = await project.forward("breaking");
        expect(status.state).toBe("ready");
        expect(status.lastError?.message).toMatch(/port 7004/);
      });

      test("a port nobody listens on: only that client is reset, status says why, and it works once somebody does", async () => {
        const [pod] = await world().podsOf(namespace, "app");
        if (!pod) throw new Error("no pod");
        const other = await dial(port("toggled"));
        await expectEcho(other);
        await world().setListening(namespace, pod.name, 7009, false);

        expect(await exchange(port("toggled"), "anyone?\n")).toEqual({
          end: "reset",
          received: Buffer.alloc(0),
        });
        const status = await project.forward("toggled");
        expect(status.state).toBe("ready");
        expect(status.lastError?.message).toBe(`pod "${pod.name}" refused port 7009: nothing listens there`);
        expect(status.traffic.refused).toBe(1);
        await expectEcho(other);
        other.destroy();

        await world().setListening(namespace, pod.name, 7009, true);
        expect(await ask(port("toggled"), "anyone?\n")).toBe("anyone?\n");
      });

      test("every byte of a download of 40 MiB arrives", async () => {
        const { end, received } = await exchange(port("bulk"), "go\n");
        expect(end).toBe("closed");
        expect(received).toHaveLength(40 * MIB);
      });

      test("every byte of an upload of 8 MiB arrives", async () => {
        const sent = randomBytes(8 * MIB);
        const { end, received } = await exchange(
          port("digest"),
          Buffer.concat([Buffer.from(`${sent.length}\n`), sent]),
        );
        expect(received.toString()).toBe(`${sha256(sent)}\n`);
        expect(end).toBe("closed");
      });

      test("every byte arrives in both directions at once, in odd pieces and with pauses", async () => {
        const talks = [{ seed: 1, up: 4 * MIB, down: 4 * MIB }, ...talksOf(100, 5)];
        const heard = await Promise.all(talks.map((each) => talk(port("talk"), each)));
        expect(heard).toEqual(talks.map(wholeOf));
      });
    });

    test("a client that leaves a download of 40 MiB after its first bytes costs nothing", async () => {
      const before = rssOf(pid);
      for (let round = 0; round < 5; round++) {
        const socket = await dial(port("bulk"));
        socket.write("go\n");
        await within(once(socket, "data"));
        socket.destroy();
        expect(await httpGet(port("web"))).toMatch(/^hello from app-/);
      }
      await idle();
      expect(rssOf(pid) - before).toBeLessThan(RSS_GROWTH_MAX_MIB);
    });

    test("a client that does not read is waited for, and holds up nobody else", async () => {
      const before = rssOf(pid);
      const stalled = await dial(port("bulk"));
      stalled.write("go\n");
      await within(once(stalled, "data"));
      stalled.pause();
      const lively = await dial(port("echo"));
      for (let round = 0; round < 100; round++) await expectEcho(lively);
      lively.destroy();
      await crowd();
      expect(rssOf(pid) - before).toBeLessThan(RSS_GROWTH_MAX_MIB);

      const rest = bytesOf(stalled);
      stalled.resume();
      await within(once(stalled, "end"));
      expect(rest()).toBeGreaterThan(30 * MIB);
      stalled.destroy();
    });

    test("an app that does not read is waited for, and holds up nobody else, until its pod ends", async () => {
      const before = rssOf(pid);
      const socket = await dial(port("deaf"));
      const chunk = randomBytes(MIB);
      let taken = 0;
      // A client that is never told to go on has met the back-pressure of the app, behind the kernel's buffers of each hop.
      for (; taken < 256; taken++) if (!socket.write(chunk) && !(await drainsSoon(socket))) break;
      expect(taken).toBeLessThan(128);
      expect(await httpGet(port("web"))).toMatch(/^hello from app-/);
      expect(rssOf(pid) - before).toBeLessThan(RSS_GROWTH_MAX_MIB);
      const ended = closing(socket);
      const [pod] = await world().podsOf(namespace, "deaf");
      await world().deletePod(namespace, pod?.name ?? "");
      await within(ended);
      await project.until("deaf", (forward) => forward.state === "ready" && forward.pod !== pod?.name);
      await idle();
    });

    test("after all that, the supervisor holds nothing it did not hold before", async () => {
      await crowd();
      await idle();
      await vi.waitFor(() => expect(fdsOf(pid)).toBeLessThanOrEqual(fds), PATIENCE);
      const { entries } = await project.status();
      for (const { name, state, traffic, restarts } of entries) {
        expect({ state, held: traffic.held }).toEqual({ state: "ready", held: 0 });
        expect(restarts).toBe(name === "deaf" ? 1 : 0); // its pod was deleted
      }
    });

    test.runIf(options.patient)("a minute later it holds no more than before the first client", async () => {
      await vi.waitFor(() => expect(fdsOf(pid)).toBeLessThanOrEqual(fresh), {
        timeout: 90_000,
        interval: 1_000,
      });
    });
  });
}

/** Counts what comes from now on. */
function bytesOf(socket: Socket): () => number {
  let bytes = 0;
  socket.on("data", (part: Buffer) => (bytes += part.length));
  return () => bytes;
}

async function drainsSoon(socket: Socket): Promise<boolean> {
  return within(once(socket, "drain"), 2_000).then(
    () => true,
    () => false,
  );
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What the app has seen of its clients, the one that asks included. */
async function tally(socket: Socket): Promise<{ readonly seen: number; readonly open: number }> {
  const heard = within(once(socket, "data"));
  socket.write("?");
  const text = String((await heard)[0]);
  const [, seen, open] = /seen (\d+) open (\d+)\n$/.exec(text) ?? [];
  return { seen: Number(seen), open: Number(open) };
}
