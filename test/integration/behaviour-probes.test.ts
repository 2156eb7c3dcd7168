import { afterAll, beforeAll } from "vitest";
import { describeProbes } from "../behaviour/probes.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeProbes(() => world);
