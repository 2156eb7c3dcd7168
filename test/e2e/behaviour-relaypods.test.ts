import { afterAll, beforeAll } from "vitest";
import { describeRelayPods } from "../behaviour/relaypods.ts";
import { ClusterWorld } from "../behaviour/clusterworld.ts";

let world: ClusterWorld;
beforeAll(async () => {
  world = await ClusterWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeRelayPods(() => world);
