import { afterAll, beforeAll } from "vitest";
import { describeSingle } from "../behaviour/single.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeSingle(() => world);
