import { afterAll, beforeAll } from "vitest";
import { ClusterWorld } from "../behaviour/clusterworld.ts";
import { describeProbes } from "../behaviour/probes.ts";

let world: ClusterWorld;
beforeAll(async () => {
  world = await ClusterWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeProbes(() => world);
