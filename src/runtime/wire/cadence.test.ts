import { describe, expect, test } from "vitest";
import { Cadence } from "./cadence.ts";

/** Writes each `everyMs` what `perMs` brought, for so long. */
function run(cadence: Cadence, perMs: number, everyMs: number, fromMs: number, untilMs: number): void {
  let added = 0;
  for (let nowMs = fromMs; nowMs < untilMs; nowMs += everyMs) {
    for (; added < (nowMs - fromMs) * perMs; added++) cadence.add();
    cadence.wrote(nowMs);
  }
}

describe("a cadence", () => {
  test("at first and while there are few, nothing is gathered", () => {
    const cadence = new Cadence();
    expect(cadence.gathers(0)).toBe(false);
    run(cadence, 1, 0.5, 0, 100);
    expect(cadence.gathers(100)).toBe(false);
  });

  test("while there are many, a write soon after another waits", () => {
    const cadence = new Cadence();
    run(cadence, 10, 0.25, 0, 100);
    cadence.wrote(100);
    expect(cadence.gathers(100.1)).toBe(true);
    expect(cadence.gathers(100.9)).toBe(false);
  });

  test("the pace changes within milliseconds, to many and back", () => {
    const cadence = new Cadence();
    run(cadence, 1, 1, 0, 50);
    run(cadence, 10, 1, 50, 70);
    expect(cadence.gathers(69.5)).toBe(true);
    run(cadence, 1, 1, 70, 90);
    expect(cadence.gathers(89.5)).toBe(false);
  });

  test("a burst after silence leaves at once", () => {
    const cadence = new Cadence();
    cadence.wrote(0);
    for (let i = 0; i < 1_000; i++) cadence.add();
    expect(cadence.gathers(5_000)).toBe(false);
    cadence.wrote(5_000);
    cadence.add();
    expect(cadence.gathers(5_000.1)).toBe(false);
  });
});
