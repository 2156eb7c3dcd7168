import { afterAll, beforeAll } from "vitest";
import { describeAccess } from "../behaviour/access.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeAccess(() => world);
