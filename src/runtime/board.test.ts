import { describe, expect, test } from "vitest";
import { settle } from "../../test/fakes/clock.ts";
import { Board } from "./board.ts";
import type { ForwardStatus, Stage } from "./core/status.ts";

const forward = (name: string, state: Stage) =>
  ({ type: "forward", status: { name, state } as ForwardStatus }) as const;
const never = new AbortController().signal;

describe("a board", () => {
  test("knows the latest of each forward, in the order asked for", () => {
    const board = new Board();
    board.take(forward("a", "binding"));
    board.take(forward("b", "ready"));
    board.take(forward("a", "ready"));
    board.take({ type: "removed", name: "b" });
    expect(board.of(["b", "a", "c"]).map(({ name, state }) => `${name} ${state}`)).toEqual(["a ready"]);
  });

  test("tells what somebody has stopped from what is on its way out", () => {
    const board = new Board();
    board.take(forward("a", "stopped"));
    expect(board.isHalted("a")).toBe(false);
    board.take({ type: "halted", name: "a" });
    expect(board.isHalted("a")).toBe(true);
    board.take(forward("a", "binding"));
    board.take(forward("a", "stopped"));
    expect(board.isHalted("a")).toBe(false);
  });

  test("waits for what becomes of a forward that has stopped: it was halted, or leaves with the supervisor", () => {
    const board = new Board();
    board.take(forward("a", "ready"));
    board.take(forward("b", "connecting"));
    expect(board.haveSpoken(["a"])).toBe(true);
    expect(board.haveSpoken(["a", "b"])).toBe(false);
    board.take(forward("b", "waiting"));
    expect(board.haveSpoken(["a", "b"])).toBe(true);
    board.take(forward("b", "stopped"));
    expect(board.haveSpoken(["a", "b"])).toBe(false);
    board.take({ type: "halted", name: "b" });
    expect(board.haveSpoken(["a", "b"])).toBe(true);
  });

  test("resolves as soon as it is as wanted, also when it is already", async () => {
    const board = new Board();
    let met = false;
    const isReady = (b: Board): boolean => b.of(["a"])[0]?.state === "ready";
    const waiting = board.until(isReady, never).then(() => (met = true));
    board.take(forward("a", "connecting"));
    await settle();
    expect(met).toBe(false);
    board.take(forward("a", "ready"));
    await waiting;
    expect(await board.until(isReady, never)).toBe(true);
  });

  test("gives up with the signal", async () => {
    const stop = new AbortController();
    const waiting = new Board().until(() => false, stop.signal);
    stop.abort();
    expect(await waiting).toBe(false);
    expect(await new Board().until(() => true, stop.signal)).toBe(false);
  });

  test("does not wait for a supervisor that has ended", async () => {
    const board = new Board();
    const waiting = board.until(() => false, never);
    board.take({ type: "ended", why: "stopped" });
    expect(await waiting).toBe(true);
    expect(board.ended).toBe("stopped");
  });
});
