import { afterAll, beforeAll } from "vitest";
import { describeReplacing } from "../behaviour/replacing.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start({ startMs: 1_500 });
});
afterAll(() => world[Symbol.asyncDispose]());

describeReplacing(() => world);
