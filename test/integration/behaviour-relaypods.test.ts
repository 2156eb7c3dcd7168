import { afterAll, beforeAll } from "vitest";
import { describeRelayPods } from "../behaviour/relaypods.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeRelayPods(() => world);
