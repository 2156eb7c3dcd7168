import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock, turnUntil } from "../../../test/fakes/clock.ts";
import type { Credentials, Dialled, RenewableAccess } from "./access.ts";
import { Dialler } from "./dial.ts";

let server: Server;
/** What the server has accepted, in order. */
let accepted: Socket[];
let clock: FakeClock;
let credentials: (signal: AbortSignal) => Promise<Credentials>;

const here = new AbortController().signal;

beforeEach(async () => {
  accepted = [];
  clock = new FakeClock();
  const held: Credentials = { tls: {}, headers: {} };
  credentials = async () => held;
  server = createServer((socket) => void accepted.push(socket.on("error", () => {}).resume()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  for (const socket of accepted) socket.destroy();
  if (!server.listening) return;
  server.close();
  await once(server, "close");
});

function diallerOf(): Dialler {
  const { port } = server.address() as AddressInfo;
  const access: RenewableAccess = {
    context: "kt",
    user: "ann",
    server: new URL(`http://127.0.0.1:${port}`),
    credentials: (signal) => credentials(signal),
    forget: () => {},
  };
  return new Dialler(access, clock);
}

async function preparedDialler(): Promise<Dialler> {
  const dialler = diallerOf();
  dialler.prepare();
  await turnUntil(() => accepted.length === 1);
  return dialler;
}

/** Ends the socket, and says which of the server's connections it was. */
async function whichOf({ socket }: Dialled): Promise<number> {
  await turnUntil(() => accepted.some(({ remotePort }) => remotePort === socket.localPort));
  const which = accepted.findIndex(({ remotePort }) => remotePort === socket.localPort);
  socket.destroy();
  return which;
}

describe("a dial ahead", () => {
  test("is what the next dial gets, and only that one", async () => {
    using dialler = await preparedDialler();
    expect(await whichOf(await dialler.dial(here))).toBe(0);
    expect(await whichOf(await dialler.dial(here))).toBe(1);
    expect(clock.pending).toBe(0);
  });

  test("is waited for while it is under way, and is one for many who prepare", async () => {
    using dialler = diallerOf();
    dialler.prepare();
    dialler.prepare();
    expect(await whichOf(await dialler.dial(here))).toBe(0);
    expect(accepted).toHaveLength(1);
  });

  test("that nobody needs is closed after a while", async () => {
    using dialler = await preparedDialler();
    const closed = once(accepted[0]!, "close");
    await clock.advance(9_999);
    expect(accepted[0]?.destroyed).toBe(false);
    await clock.advance(1);
    await closed;
    expect(await whichOf(await dialler.dial(here))).toBe(1);
  });

  test("that the server has closed is not used", async () => {
    using dialler = await preparedDialler();
    accepted[0]?.destroy();
    await turnUntil(() => clock.pending === 0);
    expect(await whichOf(await dialler.dial(here))).toBe(1);
  });

  test("made with other credentials is closed and not used", async () => {
    using dialler = await preparedDialler();
    const renewed: Credentials = { tls: {}, headers: {} };
    credentials = async () => renewed;
    const closed = once(accepted[0]!, "close");
    const dialled = await dialler.dial(here);
    expect(dialled.credentials).toBe(renewed);
    expect(await whichOf(dialled)).toBe(1);
    await closed;
  });

  test("that fails tells who waits for it, and harms no later one", async () => {
    using dialler = diallerOf();
    credentials = () => Promise.reject(new Error("no plugin"));
    dialler.prepare();
    await expect(dialler.dial(here)).rejects.toThrow("no plugin");
    const held: Credentials = { tls: {}, headers: {} };
    credentials = async () => held;
    expect(await whichOf(await dialler.dial(here))).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("is given up with the wait for it", async () => {
    using dialler = diallerOf();
    const asked: AbortSignal[] = [];
    credentials = (signal) =>
      new Promise((_, reject) => {
        asked.push(signal);
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      });
    dialler.prepare();
    const waiter = new AbortController();
    const dialled = dialler.dial(waiter.signal);
    waiter.abort(new Error("stopping"));
    await expect(dialled).rejects.toThrow("stopping");
    expect(asked.map(({ aborted }) => aborted)).toEqual([true]);
  });

  test("is closed with the dialler", async () => {
    const dialler = await preparedDialler();
    const closed = once(accepted[0]!, "close");
    dialler[Symbol.dispose]();
    await closed;
    expect(clock.pending).toBe(0);
  });
});
