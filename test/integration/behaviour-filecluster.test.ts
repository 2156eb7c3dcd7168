import { afterAll, beforeAll } from "vitest";
import { describeFileAndCluster } from "../behaviour/filecluster.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeFileAndCluster(() => world);
