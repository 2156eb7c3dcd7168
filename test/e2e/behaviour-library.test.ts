import { afterAll, beforeAll } from "vitest";
import { describeLibrary } from "../behaviour/library.ts";
import { ClusterWorld } from "../behaviour/clusterworld.ts";

let world: ClusterWorld;
beforeAll(async () => {
  world = await ClusterWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeLibrary(() => world);
