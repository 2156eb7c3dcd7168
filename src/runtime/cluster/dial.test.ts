import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settle, turnUntil } from "../../../test/fakes/clock.ts";
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
    await clock.advance(19_999);
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

describe("a connection that stands by", () => {
  let told: string[];
  beforeEach(() => {
    told = [];
  });

  test("is there for each dial, and is made anew when its time is over", async () => {
    using dialler = diallerOf();
    dialler.standBy(() => told.push("first"));
    dialler.standBy(() => told.push("second"));
    await turnUntil(() => accepted.length === 1);
    expect(await whichOf(await dialler.dial(here))).toBe(0);
    await turnUntil(() => accepted.length === 2);
    const closed = once(accepted[1]!, "close");
    await clock.advance(20_000);
    await closed;
    await turnUntil(() => accepted.length === 3);
    expect(await whichOf(await dialler.dial(here))).toBe(2);
    expect(told).toEqual([]);
  });

  test("that the server closes is replaced, but not in a hurry", async () => {
    using dialler = diallerOf();
    dialler.standBy(() => told.push("told"));
    await turnUntil(() => accepted.length === 1);
    await clock.advance(5_000);
    accepted[0]?.destroy();
    await turnUntil(() => accepted.length === 2); // at once, since it had stood for a while
    for (const restMs of [1_000, 2_000, 4_000]) {
      const count = accepted.length;
      const fromMs = clock.now();
      accepted.at(-1)?.destroy();
      while (accepted.length === count) await clock.advance(10);
      expect(clock.now() - fromMs).toBeGreaterThanOrEqual(restMs);
    }
    expect(told).toEqual([]);
  });

  test("that cannot be had is told, once to everybody", async () => {
    using dialler = diallerOf();
    dialler.standBy(() => told.push("first"));
    dialler.standBy(() => told.push("second"));
    await turnUntil(() => accepted.length === 1);
    await clock.advance(5_000);
    server.close();
    accepted[0]?.destroy();
    await turnUntil(() => told.length > 0);
    expect(told).toEqual(["first", "second"]);
    for (let turn = 0; turn < 20; turn++) await settle();
    expect([told.length, clock.pending]).toEqual([2, 0]);
  });

  test("is not wanted any more once all have gone", async () => {
    using dialler = diallerOf();
    dialler.standBy(() => told.push("told"))[Symbol.dispose]();
    await turnUntil(() => accepted.length === 1);
    const closed = once(accepted[0]!, "close");
    await clock.advance(20_000);
    await closed;
    for (let turn = 0; turn < 20; turn++) await settle();
    expect([accepted.length, told, clock.pending]).toEqual([1, [], 0]);
  });
});
