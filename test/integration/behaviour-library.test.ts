import { afterAll, beforeAll } from "vitest";
import { describeLibrary } from "../behaviour/library.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeLibrary(() => world);
