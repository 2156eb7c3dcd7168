import { afterAll, beforeAll } from "vitest";
import { describeRights } from "../behaviour/rights.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeRights(() => world);
