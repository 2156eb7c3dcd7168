import { afterAll, beforeAll } from "vitest";
import { describeTruth } from "../behaviour/truth.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start({ startMs: 1_000 });
});
afterAll(() => world[Symbol.asyncDispose]());

describeTruth(() => world);
