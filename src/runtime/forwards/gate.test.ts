import { describe, expect, test } from "vitest";
import { FakeClock, settle } from "../../../test/fakes/clock.ts";
import { Gate } from "./gate.ts";

const here = new AbortController().signal;

/** How each who asked was answered, as text, in the order of the answers. */
function askers(gate: Gate<string>) {
  const answers: string[] = [];
  return {
    answers,
    ask(name: string, deadlineMs = 1_000, left: AbortSignal = here): void {
      void gate.pass(deadlineMs, left).then((pass) => {
        answers.push(`${name} ${pass.kind === "through" ? pass.way : pass.why}`);
      });
    },
  };
}

describe("a gate", () => {
  test("lets everyone through in the order they came, once it opens", async () => {
    const gate = new Gate<string>(new FakeClock(), 10);
    const { answers, ask } = askers(gate);
    ask("first");
    ask("second");
    await settle();
    expect(answers).toEqual([]);
    expect(gate.waiting).toBe(2);
    gate.open("pod-a");
    ask("third");
    await settle();
    expect(answers.sort()).toEqual(["first pod-a", "second pod-a", "third pod-a"]);
    expect(gate.waiting).toBe(0);
  });

  test("refuses who waits too long, and leaves no timer behind", async () => {
    const clock = new FakeClock();
    const gate = new Gate<string>(clock, 10);
    const { answers, ask } = askers(gate);
    ask("early", 500);
    ask("late", 1_000);
    await clock.advance(500);
    expect(answers).toEqual(["early late"]);
    gate.open("pod-a");
    await settle();
    expect(answers).toEqual(["early late", "late pod-a"]);
    expect(clock.pending).toBe(0);
  });

  test("refuses the one too many at once", async () => {
    const gate = new Gate<string>(new FakeClock(), 2);
    const { answers, ask } = askers(gate);
    for (const name of ["a", "b", "c"]) ask(name);
    await settle();
    expect(answers).toEqual(["c full"]);
  });

  test("forgets a client that leaves", async () => {
    const gate = new Gate<string>(new FakeClock(), 2);
    const client = new AbortController();
    const { answers, ask } = askers(gate);
    ask("a", 1_000, client.signal);
    client.abort();
    await settle();
    expect(answers).toEqual(["a left"]);
    expect(gate.waiting).toBe(0);
  });

  test("refuses all for good when it is closed", async () => {
    const gate = new Gate<string>(new FakeClock(), 2);
    const { answers, ask } = askers(gate);
    ask("a");
    gate[Symbol.dispose]();
    gate.open("pod-a");
    ask("b");
    await settle();
    expect(answers).toEqual(["a closed", "b closed"]);
  });

  test("tells when it no longer leads the same way", async () => {
    const clock = new FakeClock();
    const gate = new Gate<string>(clock, 2);
    gate.open("pod-a");
    const changed = gate.changes("pod-a", 250, here);
    gate.open("pod-b");
    expect(await changed).toBe(true);
    expect(await gate.changes("pod-a", 250, here)).toBe(true);
    const same = gate.changes("pod-b", 250, here);
    gate.open("pod-b");
    await clock.advance(250);
    expect(await same).toBe(false);
    expect(clock.pending).toBe(0);
  });
});
