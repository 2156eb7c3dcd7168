import { afterAll, beforeAll } from "vitest";
import { ClusterWorld } from "../behaviour/clusterworld.ts";
import { describeTruth } from "../behaviour/truth.ts";

let world: ClusterWorld;
beforeAll(async () => {
  world = await ClusterWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeTruth(() => world);
