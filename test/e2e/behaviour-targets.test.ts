import { afterAll, beforeAll } from "vitest";
import { ClusterWorld } from "../behaviour/clusterworld.ts";
import { describeTargets } from "../behaviour/targets.ts";

let world: ClusterWorld;
beforeAll(async () => {
  world = await ClusterWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeTargets(() => world);
