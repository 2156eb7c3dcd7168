import { afterAll, beforeAll } from "vitest";
import { describeLife } from "../behaviour/life.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeLife(() => world);
