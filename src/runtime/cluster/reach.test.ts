import { describe, expect, test } from "vitest";
import { FakeClock, settle } from "../../../test/fakes/clock.ts";
import { KfwdError } from "../../errors.ts";
import { ApiRefusal } from "./failures.ts";
import { Reach } from "./reach.ts";

const GONE = new KfwdError("UNREACHABLE", "connection refused");

function refusal(status: number, retryAfterMs?: number): ApiRefusal {
  return new ApiRefusal({
    code: "CLUSTER_ANSWER",
    kind: "transient",
    message: `it said ${status}`,
    status,
    retryAfterMs,
  });
}

class Rig {
  readonly clock = new FakeClock();
  backs = 0;
  /** Requests that were made. */
  made = 0;
  readonly reach = new Reach(this.clock, () => this.backs++);
  readonly signal = new AbortController();

  /** `ok`, or the message of what was thrown. */
  async attempt(answer: () => Promise<void> = async () => {}): Promise<string> {
    const request = (): Promise<void> => {
      this.made++;
      return answer();
    };
    return this.reach.attempt(this.signal.signal, request).then(
      () => "ok",
      (error: Error) => error.message,
    );
  }

  fail(error: Error = GONE): Promise<string> {
    return this.attempt(() => Promise.reject(error));
  }
}

describe("a server that does not serve", () => {
  test("is asked again at once, then ever more seldom up to once a second, however many want to", async () => {
    const rig = new Rig();
    for (let second = 0; second < 10; second++) {
      for (let ms = 0; ms < 1_000; ms += 5) {
        expect(await rig.fail()).toBe("connection refused");
        await rig.clock.advance(5);
      }
    }
    expect(rig.made).toBeLessThan(18);
    expect(rig.made).toBeGreaterThan(12);
  });

  test("while one looks the others are told what the last one found", async () => {
    const rig = new Rig();
    await rig.fail();
    let answer = (): void => {};
    const looking = rig.attempt(() => new Promise((resolve) => (answer = resolve)));
    expect(await rig.attempt()).toBe("connection refused");
    expect([rig.made, rig.backs]).toEqual([2, 0]);
    answer();
    expect([await looking, rig.backs]).toEqual(["ok", 1]);
    expect(await rig.attempt()).toBe("ok");
    expect(rig.backs).toBe(1);
  });

  test("one who stops looking makes room for the next", async () => {
    const rig = new Rig();
    await rig.fail();
    const looking = rig.attempt(
      () => new Promise((_, reject) => rig.signal.signal.addEventListener("abort", () => reject(GONE))),
    );
    await settle();
    rig.signal.abort();
    await looking;
    expect(await rig.attempt()).toBe("ok");
  });

  test("nothing that was found counts once it is forgotten", async () => {
    const rig = new Rig();
    for (let i = 0; i < 5; i++) await rig.fail();
    rig.reach.forget();
    expect(await rig.attempt()).toBe("ok");
    expect(rig.backs).toBe(0);
  });
});

test.each([500, 503])("%d is an outage, a refusal of this one request is none", async (status) => {
  const rig = new Rig();
  await rig.fail(refusal(status));
  await rig.fail(refusal(status));
  const { made } = rig;
  expect(await rig.attempt()).toBe(`it said ${status}`);
  expect(rig.made).toBe(made);
  await rig.clock.advance(25);
  expect(await rig.fail(refusal(403))).toBe("it said 403"); // whoever refuses, serves
  expect(rig.backs).toBe(1);
  expect(await rig.attempt()).toBe("ok");
});

test("a server that asks to be left alone is, by everyone, for a minute at most", async () => {
  const rig = new Rig();
  await rig.fail(refusal(429, 7_000));
  await rig.clock.advance(6_999);
  expect(await rig.attempt()).toBe("it said 429");
  await rig.clock.advance(1);
  expect(await rig.attempt()).toBe("ok");
  await rig.fail(refusal(429, 86_400_000));
  await rig.clock.advance(60_000);
  expect(await rig.attempt()).toBe("ok");
});
