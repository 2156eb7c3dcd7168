import { afterAll, beforeAll } from "vitest";
import { ClusterWorld } from "../behaviour/clusterworld.ts";
import { describeAccess } from "../behaviour/access.ts";

let world: ClusterWorld;
beforeAll(async () => {
  world = await ClusterWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeAccess(() => world);
