import { expect, test, vi } from "vitest";
import { Cleanup } from "./cleanup.ts";

function thing(end: () => void): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => end(),
  };
}

test("ends everything once, the newest first, and takes nothing more", async () => {
  const ended: string[] = [];
  const cleanup = new Cleanup();
  cleanup.own(thing(() => ended.push("namespace")));
  cleanup.own(thing(() => ended.push("process")));
  await Promise.all([cleanup[Symbol.asyncDispose](), cleanup[Symbol.asyncDispose]()]);
  expect(ended).toEqual(["process", "namespace"]);
  expect(() => cleanup.own(thing(() => {}))).toThrow("being ended");
});

test("one that cannot be ended is told and keeps no other from ending", async () => {
  using told = vi.spyOn(console, "error").mockImplementation(() => {});
  const ended: string[] = [];
  const cleanup = new Cleanup();
  cleanup.own(thing(() => ended.push("namespace")));
  cleanup.own(
    thing(() => {
      throw new Error("stuck");
    }),
  );
  await cleanup[Symbol.asyncDispose]();
  expect(ended).toEqual(["namespace"]);
  expect(told).toHaveBeenCalledWith("not ended: Error: stuck");
});
