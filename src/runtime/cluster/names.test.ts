import { once } from "node:events";
import { createServer, connect, type AddressInfo } from "node:net";
import type { LookupAddress } from "node:dns";
import { expect, test } from "vitest";
import { FakeClock } from "../../../test/fakes/clock.ts";
import { lookupOf, Names } from "./names.ts";

const OLD: readonly LookupAddress[] = [{ address: "10.0.0.1", family: 4 }];
const NEW: readonly LookupAddress[] = [{ address: "10.0.0.2", family: 4 }];

function dnsError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** A name server that answers when the test says so. */
class Rig {
  readonly clock = new FakeClock();
  asked = 0;
  #answer: { resolve(found: readonly LookupAddress[]): void; reject(error: Error): void } | undefined;
  readonly names = new Names(this.clock, () => {
    this.asked++;
    return new Promise((resolve, reject) => (this.#answer = { resolve, reject }));
  });
  readonly aborter = new AbortController();

  find() {
    return this.names.find("api.test", this.aborter.signal);
  }
  says(found: readonly LookupAddress[]): void {
    this.#answer?.resolve(found);
  }
  fails(code: string): void {
    this.#answer?.reject(dnsError(code));
  }
  /** A connection to the old address has come about. */
  async proven(): Promise<void> {
    const finding = this.find();
    this.says(OLD);
    this.names.worked("api.test", await finding);
  }
}

test("a name that nobody can tell is an error after 5 s, and nobody asks twice meanwhile", async () => {
  const rig = new Rig();
  const all = Promise.all(
    [rig.find(), rig.find()].map((one) => expect(one).rejects.toMatchObject({ code: "EAI_AGAIN" })),
  );
  await rig.clock.advance(5_000);
  await all;
  const later = rig.find();
  expect(rig.asked).toBe(1);
  rig.says(NEW);
  expect(await later).toEqual({ addresses: NEW, doubt: undefined });
  expect(rig.clock.pending).toBe(0);
});

test.each(["ENOTFOUND", "EAI_AGAIN"])("%s: the address that worked last is tried too", async (code) => {
  const rig = new Rig();
  await rig.proven();
  const finding = rig.find();
  rig.fails(code);
  expect(await finding).toMatchObject({ addresses: OLD, doubt: { code } });
});

test("after a second of silence the address that worked last is tried; the answer counts when it comes", async () => {
  const rig = new Rig();
  await rig.proven();
  const finding = rig.find();
  await rig.clock.advance(1_000);
  expect(await finding).toMatchObject({ addresses: OLD, doubt: { code: "EAI_AGAIN" } });
  const next = rig.find();
  rig.says(NEW);
  expect((await next).addresses).toBe(NEW);
});

test("an address that never worked is not remembered", async () => {
  const rig = new Rig();
  const finding = rig.find();
  rig.says(NEW);
  await finding;
  const next = rig.find();
  rig.fails("ENOTFOUND");
  await expect(next).rejects.toMatchObject({ code: "ENOTFOUND" });
});

test("whoever waits may leave; the question goes on for the others", async () => {
  const rig = new Rig();
  const left = expect(rig.find()).rejects.toThrow("enough");
  const other = rig.names.find("api.test", new AbortController().signal);
  rig.aborter.abort(new Error("enough"));
  await left;
  rig.says(NEW);
  expect((await other).addresses).toBe(NEW);
  expect(rig.clock.pending).toBe(0);
});

test.each([true, false])(
  "a socket connects to the addresses that were found (all at once: %s)",
  async (all) => {
    const server = createServer((socket) => socket.end("here"));
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    const found = { addresses: [{ address: "127.0.0.1", family: 4 }], doubt: undefined };
    const socket = connect({ host: "api.invalid", port, lookup: lookupOf(found), autoSelectFamily: all });
    const [said] = (await once(socket, "data")) as [Buffer];
    expect(String(said)).toBe("here");
    socket.destroy();
    server.close();
  },
);

test("the system is asked unless another one is named", async () => {
  const names = new Names(new FakeClock());
  const { addresses } = await names.find("localhost", new AbortController().signal);
  expect(addresses.map(({ address }) => address)).toContain("127.0.0.1");
});
