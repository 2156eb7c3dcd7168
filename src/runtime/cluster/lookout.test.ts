import { describe, expect, test, vi } from "vitest";
import * as z from "zod/mini";
import { FakeClock, settle } from "../../../test/fakes/clock.ts";
import { FakeLog } from "../../../test/fakes/world.ts";
import { KfwdError } from "../../errors.ts";
import { dialFailure } from "./failures.ts";
import { Lookout } from "./lookout.ts";

const access = { context: "kt", user: "ann", server: new URL("https://api.test") };

function trouble(code: string): KfwdError {
  return dialFailure(access, Object.assign(new Error(code), { code }));
}

/** A network that is there, or is not in one of several ways; looks are counted. */
class Rig {
  readonly clock = new FakeClock();
  readonly log = new FakeLog();
  looks = 0;
  backs = 0;
  /** What a look meets: nothing in its way, an error, or silence. */
  network: "well" | "silent" | KfwdError = "well";
  readonly #ends: (() => void)[] = [];
  readonly lookout = new Lookout({
    clock: this.clock,
    random: () => 0.999,
    log: this.log,
    context: "kt",
    probe: (signal) => this.#probe(signal),
  });

  constructor() {
    this.lookout.onBack(() => this.backs++);
  }

  /** A dial, as a connector makes it; what it came to. */
  async dial(): Promise<string> {
    if (this.lookout.trouble) return "spared";
    if (this.network === "well") this.lookout.reached();
    else this.lookout.failed(this.network === "silent" ? trouble("ETIMEDOUT") : this.network);
    await settle();
    return this.network === "well" ? "fine" : "failed";
  }

  #probe(signal: AbortSignal): Promise<void> {
    this.looks++;
    if (this.network === "well") return Promise.resolve();
    if (this.network !== "silent") return Promise.reject(this.network);
    return new Promise((resolve, reject) => {
      const late = this.clock.timer(5_000, () => reject(trouble("ETIMEDOUT")));
      signal.addEventListener("abort", () => {
        late[Symbol.dispose]();
        reject(signal.reason);
      });
      this.#ends.push(resolve);
    });
  }
}

test("one failed dial is no outage when a look finds the server", async () => {
  const rig = new Rig();
  rig.lookout.failed(trouble("ECONNRESET"));
  expect(rig.lookout.trouble).toBeUndefined();
  await settle();
  expect([rig.looks, rig.lookout.trouble, rig.backs, rig.log.lines]).toEqual([1, undefined, 0, []]);
  expect(rig.clock.pending).toBe(0);
});

test("passwords, rights and what a server answers are no matter of the way to it", async () => {
  const rig = new Rig();
  rig.lookout.failed(new KfwdError("CREDENTIALS", "the certificate was refused"));
  rig.lookout.failed(new Error("whatever"));
  await settle();
  expect(rig.looks).toBe(0);
});

test("dials that fail together cost one look", async () => {
  const rig = new Rig();
  rig.network = trouble("ECONNREFUSED");
  for (let i = 0; i < 20; i++) rig.lookout.failed(rig.network);
  await settle();
  expect(rig.looks).toBe(1);
  expect(await rig.dial()).toBe("spared");
});

describe("an hour without a network", () => {
  test.each([
    { name: "no route", network: trouble("ENETUNREACH"), looksMax: 1_500 },
    { name: "no name server", network: trouble("EAI_AGAIN"), looksMax: 1_500 },
    { name: "silence", network: "silent" as const, looksMax: 900 },
    { name: "a login page in its place", network: trouble("SELF_SIGNED_CERT_IN_CHAIN"), looksMax: 250 },
  ])("$name: two lines in the log, few looks, and back within 5 s", async ({ network, looksMax }) => {
    const rig = new Rig();
    rig.network = network;
    await rig.dial();
    for (let second = 0; second < 3_600; second++) {
      await rig.clock.advance(1_000);
      await rig.dial();
    }
    expect(rig.log.lines).toEqual(["unreachable"]);
    expect(rig.looks).toBeLessThan(looksMax);
    expect(rig.looks).toBeGreaterThan(200);
    expect(rig.backs).toBe(0);

    rig.network = "well";
    const isDistrust = looksMax === 250;
    await rig.clock.advance(isDistrust ? 15_000 : 5_000);
    expect([rig.backs, rig.lookout.trouble]).toEqual([1, undefined]);
    expect(rig.log.lines).toEqual(["unreachable", "reachable"]);
    expect(rig.clock.pending).toBe(0);
  });

  test("each new reason is a line, in the order they came", async () => {
    const rig = new Rig();
    const warn = vi.spyOn(rig.log, "warn");
    for (const code of ["ENETUNREACH", "EAI_AGAIN", "EAI_AGAIN", "CERT_HAS_EXPIRED"]) {
      rig.network = trouble(code);
      await rig.dial();
      await rig.clock.advance(20_000);
    }
    const calls: unknown[][] = warn.mock.calls;
    expect(
      calls.map(([, fields]) => z.object({ reason: z.string() }).parse(fields).reason.replace(/.*: /, "")),
    ).toEqual(["no route to the network", "the name server does not answer", "its certificate has expired"]);
  });
});

test("a restart of seconds is found soon: the first looks come fast", async () => {
  const rig = new Rig();
  rig.network = trouble("ECONNREFUSED");
  await rig.dial();
  await rig.clock.advance(2_000);
  rig.network = "well";
  await rig.clock.advance(2_500);
  expect(rig.backs).toBe(1);
});

test("a slow way is given time now and then, so that it is not taken for a blocked one", async () => {
  const rig = new Rig();
  rig.network = "silent";
  await rig.dial();
  let longestMs = 0;
  for (let ms = 0, since = 0, looks = rig.looks; ms < 60_000; ms += 100) {
    await rig.clock.advance(100);
    since = rig.looks === looks ? since + 100 : 0;
    looks = rig.looks;
    longestMs = Math.max(longestMs, since);
  }
  expect(longestMs).toBeGreaterThanOrEqual(5_000);
});

test("after a wake whoever dials finds out, and what was said is not said again", async () => {
  const rig = new Rig();
  rig.network = trouble("ENETUNREACH");
  await rig.dial();
  rig.lookout.wake();
  expect(rig.clock.pending).toBe(0);
  expect(await rig.dial()).toBe("failed");
  expect(rig.log.lines).toEqual(["unreachable"]);
  rig.lookout.wake();
  rig.network = "well";
  expect(await rig.dial()).toBe("fine");
  expect(rig.log.lines).toEqual(["unreachable", "reachable"]);
  expect(rig.backs).toBe(1);
});

test("a dial that was under way and comes about ends the outage at once", async () => {
  const rig = new Rig();
  rig.network = "silent";
  await rig.dial();
  await rig.clock.advance(2_000);
  expect(rig.lookout.trouble).toBeDefined();
  rig.lookout.reached();
  expect([rig.backs, rig.clock.pending]).toEqual([1, 0]);
});

test("asked, it looks at once and says what is in the way", async () => {
  const rig = new Rig();
  expect(await rig.lookout.ask()).toBeUndefined();
  rig.network = trouble("ENOTFOUND");
  expect(await rig.lookout.ask()).toBe(rig.network);
  rig.lookout[Symbol.dispose]();
  expect(rig.clock.pending).toBe(0);
});
