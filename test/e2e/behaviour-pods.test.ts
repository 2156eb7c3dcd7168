import { afterAll, beforeAll } from "vitest";
import { ClusterWorld } from "../behaviour/clusterworld.ts";
import { describePods } from "../behaviour/pods.ts";

let world: ClusterWorld;
beforeAll(async () => {
  world = await ClusterWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describePods(() => world);
