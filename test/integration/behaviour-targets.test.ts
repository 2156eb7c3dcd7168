import { afterAll, beforeAll } from "vitest";
import { describeTargets } from "../behaviour/targets.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeTargets(() => world);
