import { afterAll, beforeAll, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { describeStreams } from "../behaviour/streams.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
  world.sandbox.faults.proxyPasses = "websocket";
});
afterAll(() => world[Symbol.asyncDispose]());

describeStreams(() => world);

test("all of that went through WebSockets; SPDY was asked for only before that was known", () => {
  const { requests } = world.sandbox;
  expect(requests.count({ upgrade: "websocket" })).toBeGreaterThan(10);
  expect(requests.count({ upgrade: "SPDY/3.1" })).toBeLessThan(10);
});
