import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { FakeClock, settle, turnUntil } from "../../../test/fakes/clock.ts";
import { realClock } from "../clock.ts";
import { clientEnds, tableReader } from "./clientend.ts";

const head =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const line = (from: string, to: string, inode: number): string =>
  `   7: ${from} ${to} 05 00000000:00000000 03:00001741 00000000  1000        0 ${inode} 1 0 20 4 30 10 -1\n`;

const client = { address: "127.0.0.1", port: 50_000 };
const here = { address: "127.0.0.1", port: 8080 };

/** Asks a reader of these tables; time passes by itself. */
async function ask(tables: { readonly 4: string; readonly 6?: string }, from = client, to = here) {
  const clock = new FakeClock();
  const ends = tableReader(clock, async (family) => head + (tables[family] ?? ""));
  const asked = ends(from, to);
  await clock.advance(5);
  return asked;
}

describe("the kernel's table", () => {
  test("shows a closed client as a socket nobody holds", async () => {
    expect(await ask({ 4: line("0100007F:C350", "0100007F:1F90", 0) })).toBe("gone");
  });

  test("shows a half-closed client with its inode", async () => {
    expect(await ask({ 4: line("0100007F:C350", "0100007F:1F90", 31_337) })).toBe("reading");
  });

  test("does not take our own end, or another connection, for the client's", async () => {
    const ours = line("0100007F:1F90", "0100007F:C350", 0);
    const other = line("0100007F:C351", "0100007F:1F90", 0);
    expect(await ask({ 4: ours + other })).toBe("unknown");
  });

  test("has IPv6's loopback in a table of its own", async () => {
    const one = "0".repeat(24) + "01000000";
    const v6 = line(`${one}:C350`, `${one}:1F90`, 0);
    expect(
      await ask({ 4: "", 6: v6 }, { address: "::1", port: 50_000 }, { address: "::1", port: 8080 }),
    ).toBe("gone");
  });

  test("is read once for all who ask together, and the longer it is the longer it rests", async () => {
    const clock = new FakeClock();
    let looks = 0;
    const ends = tableReader(clock, async () => {
      looks++;
      return head.padEnd(100 * 1024);
    });
    const first = Promise.all(Array.from({ length: 50 }, () => ends(client, here)));
    await clock.advance(5);
    await first;
    expect(looks).toBe(1);
    const second = ends(client, here);
    await clock.advance(49);
    expect(looks).toBe(1);
    await clock.advance(1);
    await second;
    expect(looks).toBe(2);
  });

  test("rests no longer for a look that a busy process made slow, and whoever asks meanwhile has the next", async () => {
    const clock = new FakeClock();
    let looks = 0;
    const ends = tableReader(clock, async () => {
      looks++;
      await clock.sleep(500, new AbortController().signal);
      return head;
    });
    const first = ends(client, here);
    await clock.advance(100);
    const second = ends(client, here);
    await clock.advance(405);
    await first;
    await clock.advance(505);
    await second;
    await clock.advance(1_000);
    expect(looks).toBe(2);
  });
});

test.runIf(process.platform === "linux")(
  "on real sockets, a close and a half-close are told apart",
  async () => {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const ends = clientEnds(realClock);
    for (const [how, wanted] of [
      ["end", "reading"],
      ["destroy", "gone"],
    ] as const) {
      const accepted = once(server, "connection");
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      const [mine] = (await accepted) as [Socket];
      mine.resume();
      const from = { address: "127.0.0.1", port: mine.remotePort ?? 0 };
      socket[how]();
      await once(mine, "end");
      await turnUntil(() => socket.writableEnded || socket.destroyed);
      await settle();
      expect(await ends(from, { address: "127.0.0.1", port })).toBe(wanted);
      socket.destroy();
      mine.destroy();
    }
    server.close();
  },
);
