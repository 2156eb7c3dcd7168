import { describe, expect, test } from "vitest";
import { FakeClock, settle } from "../../../test/fakes/clock.ts";
import type { Endpoint, Reason } from "../core/status.ts";
import type { CarryEnd, Connection } from "../deps.ts";
import { Gate } from "./gate.ts";
import type { Way } from "./route.ts";
import { HOLD_MS, REFUSED_GRACE_MS, serve, type Outcome } from "./serve.ts";

const refusedReason: Reason = { code: "PodRefused", kind: "transient", message: "nothing listens there" };
const goneReason: Reason = { code: "PodGone", kind: "gone", message: "pod is gone" };
const done: CarryEnd = { end: { kind: "done" }, replayable: false };
const refused: CarryEnd = { end: { kind: "refused", reason: refusedReason }, replayable: true };
const gone: CarryEnd = { end: { kind: "refused", reason: goneReason }, replayable: true };
const broken: CarryEnd = { end: { kind: "reset", reason: refusedReason }, replayable: false };

/** A connection that is carried as the script says, one entry an attempt; an Error is thrown in place of a stream. */
class ScriptedConnection implements Connection {
  readonly traffic = { bytesIn: 0, bytesOut: 0 };
  readonly client = new AbortController();
  readonly closed = this.client.signal;
  attempts = 0;
  resets = 0;
  readonly script: (CarryEnd | Error)[];

  constructor(...script: (CarryEnd | Error)[]) {
    this.script = script;
  }

  async carry(): Promise<CarryEnd> {
    const next = this.script[this.attempts++];
    if (next instanceof Error) throw next;
    return next ?? done;
  }

  reset(): void {
    this.resets++;
  }
}

function way(pod: string, untilMs = 0): Way {
  const endpoint: Endpoint = { context: "kt", namespace: "shop", pod, podUid: `uid-${pod}`, port: 80 };
  return {
    endpoint,
    patience: { untilMs },
    ends: "cuts",
    open: () => Promise.reject(new Error("a ScriptedConnection carries itself")),
    flow: () => undefined,
  };
}

function world(connection: Connection, holdMs = HOLD_MS) {
  const clock = new FakeClock();
  const gate = new Gate<Way>(clock, 2);
  const gone: string[] = [];
  let outcome: Outcome | undefined;
  const onGone = (endpoint: Endpoint): void => {
    gone.push(endpoint.pod);
    gate.shut();
  };
  void serve(connection, { clock, gate, holdMs, onGone }).then((o) => (outcome = o));
  return { clock, gate, gone, outcome: () => outcome };
}

describe("one connection", () => {
  test("is carried as soon as there is a pod", async () => {
    const connection = new ScriptedConnection(done);
    const { clock, gate, outcome } = world(connection);
    await clock.advance(5_000);
    expect(connection.attempts).toBe(0);
    gate.open(way("a"));
    await settle();
    expect(outcome()).toEqual({ kind: "carried" });
    expect(connection.resets).toBe(0);
  });

  test("tells of an end that came late", async () => {
    const { gate, outcome } = world(new ScriptedConnection({ ...done, lateEnd: true }));
    gate.open(way("a"));
    await settle();
    expect(outcome()).toEqual({ kind: "carried", lateEnd: true });
  });

  test("is reset when no pod comes in time", async () => {
    const connection = new ScriptedConnection();
    const { clock, outcome } = world(connection);
    await clock.advance(HOLD_MS - 1);
    expect(outcome()).toBe(undefined);
    await clock.advance(1);
    expect(outcome()).toMatchObject({ kind: "refused", reason: { code: "HeldTooLong" } });
    expect(connection.resets).toBe(1);
  });

  test("is reset at once where nobody is to wait, and told so", async () => {
    const connection = new ScriptedConnection();
    const { outcome } = world(connection, 0);
    await settle();
    expect(outcome()).toMatchObject({
      kind: "refused",
      reason: { code: "Unavailable", message: "no pod was ready" },
    });
    expect(connection.resets).toBe(1);
  });

  test("waits as long as the file says", async () => {
    const connection = new ScriptedConnection();
    const { clock, outcome } = world(connection, 2_500);
    await clock.advance(2_499);
    expect(outcome()).toBe(undefined);
    await clock.advance(1);
    expect(outcome()).toMatchObject({ reason: { message: "no pod was ready within 2.5 s" } });
  });

  test("a pod that is gone is reported, and the next one gets the same bytes", async () => {
    const connection = new ScriptedConnection(gone, done);
    const { gate, gone: reported, outcome } = world(connection);
    gate.open(way("a"));
    await settle();
    expect(reported).toEqual(["a"]);
    expect(outcome()).toBe(undefined);
    gate.open(way("b"));
    await settle();
    expect(connection.attempts).toBe(2);
    expect(outcome()).toEqual({ kind: "carried" });
  });

  test("a refused port is reset after a short grace, not after the whole hold", async () => {
    const connection = new ScriptedConnection(refused);
    const { clock, gate, outcome } = world(connection);
    gate.open(way("a"));
    await clock.advance(REFUSED_GRACE_MS - 1);
    expect(outcome()).toBe(undefined);
    await clock.advance(1);
    expect(outcome()).toEqual({ kind: "refused", reason: refusedReason });
    expect(connection.resets).toBe(1);
  });

  test("a refused port on a pod that is leaving is tried on the next pod", async () => {
    const connection = new ScriptedConnection(refused, done);
    const { clock, gate, outcome } = world(connection);
    gate.open(way("a"));
    await clock.advance(100);
    gate.open(way("b"));
    await settle();
    expect(outcome()).toEqual({ kind: "carried" });
  });

  test("a young pod may refuse until its application listens", async () => {
    const connection = new ScriptedConnection(refused, refused, refused, done);
    const { clock, gate, outcome } = world(connection);
    gate.open(way("a", 2_000));
    await clock.advance(3 * REFUSED_GRACE_MS);
    expect(outcome()).toEqual({ kind: "carried" });
    expect(connection.attempts).toBe(4);
  });

  test("a pod that refuses for as long as it is young is believed", async () => {
    const connection = new ScriptedConnection(...Array.from({ length: 9 }, () => refused));
    const { clock, gate, outcome } = world(connection);
    gate.open(way("a", 4 * REFUSED_GRACE_MS));
    await clock.advance(4 * REFUSED_GRACE_MS);
    expect(outcome()).toEqual({ kind: "refused", reason: refusedReason });
    expect(connection.attempts).toBe(4);
  });

  test("a pod that refused and then went away is quoted, since no other one came", async () => {
    const connection = new ScriptedConnection(refused);
    const { clock, gate, outcome } = world(connection);
    gate.open(way("a"));
    await clock.advance(100);
    gate.shut();
    await clock.advance(HOLD_MS);
    expect(outcome()).toEqual({ kind: "refused", reason: refusedReason });
  });

  test("a pod that has answered and then refuses is waited for, once", async () => {
    const here = way("a");
    const first = new ScriptedConnection(done);
    first.traffic.bytesIn = 7;
    world(first).gate.open(here);
    await settle();

    const restarting = new ScriptedConnection(...Array.from({ length: 12 }, () => refused), done);
    const back = world(restarting);
    back.gate.open(here);
    await back.clock.advance(12 * REFUSED_GRACE_MS);
    expect(back.outcome()).toEqual({ kind: "carried" });

    const gone = new ScriptedConnection(...Array.from({ length: 99 }, () => refused));
    const late = world(gone);
    late.gate.open(here);
    await late.clock.advance(HOLD_MS);
    expect(late.outcome()).toEqual({ kind: "refused", reason: refusedReason });

    const next = world(new ScriptedConnection(refused, refused));
    next.gate.open(here);
    await next.clock.advance(REFUSED_GRACE_MS);
    expect(next.outcome()).toEqual({ kind: "refused", reason: refusedReason });
  });

  test("a client that leaves a young pod is not tried again", async () => {
    const connection = new ScriptedConnection(refused, done);
    const { clock, gate, outcome } = world(connection);
    gate.open(way("a", 2_000));
    await clock.advance(100);
    connection.client.abort();
    await settle();
    expect(outcome()?.kind).toBe("refused");
    expect(connection.attempts).toBe(1);
  });

  test("an answer that broke off is never tried again", async () => {
    const connection = new ScriptedConnection(broken, done);
    const { clock, gate, outcome } = world(connection);
    gate.open(way("a"));
    await clock.advance(0);
    expect(outcome()).toEqual({ kind: "broken", reason: refusedReason });
    expect(connection.attempts).toBe(1);
    expect(connection.resets).toBe(1);
  });

  test("waits for the next upgrade when one could not be had", async () => {
    const connection = new ScriptedConnection(new Error("upgrade failed"), done);
    const { gate, outcome, clock } = world(connection);
    gate.open(way("a"));
    await settle();
    gate.shut();
    await clock.advance(3_000);
    expect(outcome()).toBe(undefined);
    gate.open(way("a"));
    await settle();
    expect(outcome()).toEqual({ kind: "carried" });
  });

  test("a client that leaves while it waits is no failure", async () => {
    const connection = new ScriptedConnection();
    const { outcome, clock } = world(connection);
    connection.client.abort();
    await settle();
    expect(outcome()).toEqual({ kind: "carried" });
    expect(clock.pending).toBe(0);
  });
});
