import { afterAll, beforeAll } from "vitest";
import { describeLocal } from "../behaviour/local.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeLocal(() => world);
