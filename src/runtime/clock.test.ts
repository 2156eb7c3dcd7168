import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { realClock } from "./clock.ts";

const DAY_MS = 86_400_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

test("a timer of more than 24 days fires when it is due, not at once", () => {
  let fired = 0;
  realClock.timer(30 * DAY_MS, () => fired++);
  vi.advanceTimersByTime(30 * DAY_MS - 1);
  expect(fired).toBe(0);
  vi.advanceTimersByTime(1);
  expect(fired).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("a long timer can be disposed in its second lap", () => {
  let fired = 0;
  const timer = realClock.timer(60 * DAY_MS, () => fired++);
  vi.advanceTimersByTime(30 * DAY_MS);
  timer[Symbol.dispose]();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(60 * DAY_MS);
  expect(fired).toBe(0);
});

test("a sleep of more than 24 days ends when it is due, or with its signal", async () => {
  const stop = new AbortController();
  let ended = "";
  const note = (how: string) => (): void => void (ended += how);
  void realClock.sleep(30 * DAY_MS, stop.signal).then(note("slept"));
  void realClock.sleep(60 * DAY_MS, stop.signal).catch(note(" stopped"));
  await vi.advanceTimersByTimeAsync(30 * DAY_MS - 1);
  expect(ended).toBe("");
  await vi.advanceTimersByTimeAsync(1);
  expect(ended).toBe("slept");
  stop.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(ended).toBe("slept stopped");
  expect(vi.getTimerCount()).toBe(0);
  await expect(realClock.sleep(1, stop.signal)).rejects.toBe(stop.signal.reason);
});
