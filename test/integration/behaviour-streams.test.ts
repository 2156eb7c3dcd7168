import { afterAll, beforeAll } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { describeStreams } from "../behaviour/streams.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeStreams(() => world);
