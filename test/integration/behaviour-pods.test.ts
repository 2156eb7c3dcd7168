import { afterAll, beforeAll } from "vitest";
import { describePods } from "../behaviour/pods.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describePods(() => world);
