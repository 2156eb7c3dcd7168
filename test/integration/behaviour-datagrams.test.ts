import { afterAll, beforeAll } from "vitest";
import { describeDatagrams } from "../behaviour/datagrams.ts";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";

let world: SandboxWorld;
beforeAll(async () => {
  world = await SandboxWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeDatagrams(() => world);
