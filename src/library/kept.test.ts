import { beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settle } from "../../test/fakes/clock.ts";
import { KfwdError } from "../errors.ts";
import type { ForwardStatus, Session, SessionEnd } from "../runtime/index.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { Kept } from "./kept.ts";

/** A session whose supervisor answers what a test has it answer. */
class FakeSession {
  readonly asked: string[] = [];
  /** Names of the forwards that are left once ours are released. */
  left: readonly string[] = [];
  answers: "at once" | "never" | "with an error" = "at once";
  process: "keepsAlive" | "idle" = "keepsAlive";
  end: (end: SessionEnd) => void = () => {};
  readonly ended = new Promise<SessionEnd>((resolve) => (this.end = resolve));

  get session(): Session {
    return {
      kind: "started",
      changes: [],
      replaced: undefined,
      ended: this.ended,
      hold: (process: "keepsAlive" | "idle") => void (this.process = process),
      control: {
        release: ({ names }: { names: readonly string[] | null }) =>
          this.#answer(`release ${names?.join(" ") ?? "all"}`, { stopped: [] }),
        status: () => this.#answer("status", { entries: this.left.map((name) => ({ name })) }),
      },
      [Symbol.asyncDispose]: async () => void this.asked.push("dispose"),
    } as unknown as Session;
  }

  #answer(what: string, answer: object): Promise<object> {
    this.asked.push(what);
    if (this.answers === "never") return new Promise(() => {});
    return this.answers === "at once" ? Promise.resolve(answer) : Promise.reject(new Error("broken off"));
  }
}

let clock: FakeClock;
let fake: FakeSession;
let kept: Kept;

function tell(name: string, state: ForwardStatus["state"], pod = "p"): void {
  kept.take({ type: "forward", status: { name, state, pod, reason: null } as ForwardStatus });
}

const stateOf = (name: string): string | undefined => kept.statusOf(name)?.state;

beforeEach(() => {
  clock = new FakeClock();
  fake = new FakeSession();
  const specs = ["api", "db"].map((name) => ({ name }) as ForwardSpec);
  kept = new Kept(clock, { session: fake.session, specs, project: "shop" });
  tell("api", "ready");
  tell("db", "ready");
});

describe("to close", () => {
  test("releases the claim, and leaves a supervisor that others need", async () => {
    fake.left = ["db"];
    const closed = [kept.close(), kept.close()];
    await Promise.all(closed);
    expect(fake.asked).toEqual(["release all", "status", "dispose"]);
    expect([stateOf("api"), stateOf("db"), kept.closed.aborted]).toEqual(["stopped", "stopped", true]);
    expect(clock.pending).toBe(0);
  });

  test("waits for the end of a supervisor that nobody needs", async () => {
    let isClosed = false;
    const closing = kept.close().then(() => (isClosed = true));
    await settle();
    expect(isClosed).toBe(false);
    fake.end({ kind: "stopped" });
    await closing;
    expect(kept.closed.reason).not.toBeInstanceOf(KfwdError); // it was our doing
  });

  test.each(["never", "with an error"] as const)(
    "is over in time when it is answered %s",
    async (answers) => {
      fake.answers = answers;
      let isClosed = false;
      const closing = kept.close().then(() => (isClosed = true));
      await clock.advance(9_999);
      expect(isClosed).toBe(false);
      await clock.advance(1);
      await closing;
      expect(fake.asked.at(-1)).toBe("dispose");
    },
  );

  test("of the last forward is to close all", async () => {
    await kept.release("api");
    expect(fake.asked).toEqual(["release api"]);
    expect([stateOf("api"), stateOf("db"), kept.closed.aborted]).toEqual(["stopped", "ready", false]);
    tell("api", "ready"); // others have it
    expect(stateOf("api")).toBe("stopped");
    fake.left = ["api"];
    await Promise.all([kept.release("db"), kept.release("db"), kept.release("api")]);
    expect(fake.asked).toEqual(["release api", "release all", "status", "dispose"]);
    expect(kept.closed.aborted).toBe(true);
    await kept.close();
    expect(fake.asked).toHaveLength(4);
  });
});

describe("a supervisor that ends", () => {
  test.each([
    { end: { kind: "stopped" } as const, code: "NOT_RUNNING" },
    { end: { kind: "lost", error: new KfwdError("UNRESPONSIVE", "gone") } as const, code: "UNRESPONSIVE" },
  ])("ends the forwards with $code", async ({ end, code }) => {
    const events = kept.events();
    const before = events.next();
    fake.end(end);
    await settle();
    expect(kept.closed.reason).toMatchObject({ code });
    expect([stateOf("api"), stateOf("db")]).toEqual(["stopped", "stopped"]);
    expect((await before).value).toMatchObject({ name: "api", status: { state: "stopped", pod: null } });
    expect((await events.next()).value).toMatchObject({ name: "db" });
    await expect(events.next()).rejects.toMatchObject({ code });
    await expect(kept.events().next()).rejects.toMatchObject({ code });
    await expect(kept.report()).rejects.toMatchObject({ code });
    await kept.close();
    expect(fake.asked).toEqual(["dispose"]);
  });
});

describe("the process", () => {
  test("is held while somebody waits, and let go of then", async () => {
    kept.settle();
    expect(fake.process).toBe("idle");
    const [one, two] = [kept.hold(), kept.hold()];
    one[Symbol.dispose]();
    one[Symbol.dispose]();
    expect(fake.process).toBe("keepsAlive");
    two[Symbol.dispose]();
    expect(fake.process).toBe("idle");

    const events = kept.events();
    const next = events.next();
    expect(fake.process).toBe("keepsAlive");
    tell("db", "waiting");
    expect((await next).value).toMatchObject({ name: "db", status: { state: "waiting" } });
    expect(fake.process).toBe("idle");

    const report = kept.report();
    expect(fake.process).toBe("keepsAlive");
    await report;
    expect(fake.process).toBe("idle");
  });
});

test("forwards that were not asked for are not heard of, and one that is removed has stopped", async () => {
  const events = kept.events();
  tell("cache", "ready");
  kept.take({ type: "removed", name: "db" });
  kept.take({ type: "removed", name: "db" });
  tell("api", "waiting");
  const told = [await events.next(), await events.next()].map(({ value }) => [
    value?.name,
    value?.status.state,
  ]);
  expect(told).toEqual([
    ["db", "stopped"],
    ["api", "waiting"],
  ]);
  expect(kept.statusOf("cache")).toBeUndefined();
});
