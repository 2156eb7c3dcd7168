import { describe, expect, test } from "vitest";
import { Board, type ForwardStatus } from "../runtime/index.ts";
import { forwardsOf, isDown, lateText, outlookOf, reasonsText } from "./outlook.ts";

type Stage = ForwardStatus["state"];

/** As far as it is looked at here. */
function forward(name: string, state: Stage, more: Partial<ForwardStatus> = {}): ForwardStatus {
  return { name, state, reason: null, required: true, ...more } as ForwardStatus;
}

const BUSY = { code: "PortBusy", kind: "local", message: "it is in use" } as const;

describe("what can be said of forwards that are waited for", () => {
  test.each<[string, ForwardStatus[], string[], string, number, number]>([
    ["nothing yet", [], [], "pending", 0, 0],
    ["all ready", [forward("a", "ready"), forward("b", "ready")], [], "ready", 2, 2],
    ["one connects", [forward("a", "ready"), forward("b", "connecting")], [], "pending", 1, 2],
    [
      "one is not required",
      [forward("a", "ready"), forward("b", "waiting", { required: false })],
      [],
      "ready",
      1,
      2,
    ],
    [
      "that one was named",
      [forward("a", "ready"), forward("b", "waiting", { required: false })],
      ["b"],
      "pending",
      0,
      1,
    ],
    [
      "one needs a person",
      [forward("a", "ready"), forward("b", "failed", { reason: BUSY })],
      [],
      "stuck",
      1,
      2,
    ],
    ["one was stopped", [forward("a", "ready"), forward("b", "stopped")], [], "ready", 1, 1],
    [
      "the one that was named was stopped",
      [forward("a", "ready"), forward("b", "stopped")],
      ["b"],
      "stuck",
      0,
      1,
    ],
    ["all were stopped", [forward("a", "stopped")], [], "stuck", 0, 1],
    ["one was not started", [forward("a", "ready")], ["a", "late"], "pending", 1, 2],
    [
      "several ports of one name",
      [forward("k:x", "ready"), forward("k:y", "waiting")],
      ["k"],
      "pending",
      1,
      2,
    ],
  ])("%s", (_, all, wanted, verdict, ready, total) => {
    expect(outlookOf(all, wanted, ["late"])).toMatchObject({ verdict, ready, total });
  });

  test("one that is stopped to be replaced is waited for, one that somebody has stopped is not", () => {
    const board = new Board();
    const take = (state: Stage): void => board.take({ type: "forward", status: forward("a", state) });
    const verdicts = (): unknown[] =>
      [[], ["a"]].map((wanted) => outlookOf(forwardsOf(board), wanted, []).verdict);
    take("stopped");
    expect(verdicts()).toEqual(["pending", "pending"]);
    expect(isDown(forwardsOf(board), ["a"], [])).toBe(false);
    board.take({ type: "halted", name: "a" });
    expect(verdicts()).toEqual(["stuck", "stuck"]);
    expect(isDown(forwardsOf(board), ["a"], [])).toBe(true);
    take("ready");
    expect(verdicts()).toEqual(["ready", "ready"]);
  });

  test("says who is late, and why", () => {
    const outlook = outlookOf(
      [forward("a", "failed", { reason: BUSY }), forward("b", "connecting")],
      ["a", "b", "c"],
      ["c"],
    );
    expect(lateText(outlook)).toBe("a (PortBusy), b (connecting), c (not started)");
    expect(reasonsText(outlook)).toBe("  a: it is in use");
    expect(reasonsText({ ...outlook, late: [] })).toBeUndefined();
  });

  test("a name that is not known is refused, once anything is known", () => {
    expect(() => outlookOf([forward("a", "ready")], ["b"], [])).toThrow('no forward named "b"');
    expect(outlookOf([], ["b"], []).verdict).toBe("pending");
    expect(() => isDown([forward("a", "ready")], ["b"], [])).toThrow('no forward named "b"');
    expect(isDown([], ["b"], [])).toBe(false);
  });

  test("down is what was stopped, has left or was never started", () => {
    const all = [forward("a", "ready"), forward("b", "stopped"), forward("c", "stopping")];
    const down = ["a", "b", "c", "d"].map((name) => isDown(all, [name], ["d"]));
    expect(down).toEqual([false, true, false, true]);
    expect(isDown(all, ["b", "d"], ["d"])).toBe(true);
    expect(isDown(all, ["a", "b"], [])).toBe(false);
  });
});
