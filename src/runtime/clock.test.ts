import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { realClock } from "./clock.ts";

const DAY_MS = 86_400_000;

/** When a timer is due, what has come is read before it fires. */
const read = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

test("a timer of more than 24 days fires when it is due, not at once", async () => {
  let fired = 0;
  realClock.timer(30 * DAY_MS, () => fired++);
  vi.advanceTimersByTime(30 * DAY_MS - 1);
  expect(fired).toBe(0);
  vi.advanceTimersByTime(1);
  await read();
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
  await read();
  expect(ended).toBe("slept");
  stop.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(ended).toBe("slept stopped");
  expect(vi.getTimerCount()).toBe(0);
  await expect(realClock.sleep(1, stop.signal)).rejects.toBe(stop.signal.reason);
});

test("whoever could not run for a while reads what has come before a deadline is missed", async () => {
  vi.useRealTimers();
  const { port1: near, port2: far } = new MessageChannel();
  const answered = new Promise<"answered">((resolve) => near.on("message", () => resolve("answered")));
  const late = new Promise<"late">((resolve) => realClock.timer(1, () => resolve("late")));
  far.postMessage("answer");
  for (const untilMs = performance.now() + 20; performance.now() < untilMs;);
  expect(await Promise.race([late, answered])).toBe("answered");
  near.close();
});

test("a timer can be disposed until it fires", async () => {
  let fired = 0;
  const timer = realClock.timer(5, () => fired++);
  vi.advanceTimersByTime(5);
  timer[Symbol.dispose]();
  await read();
  expect(fired).toBe(0);
});
