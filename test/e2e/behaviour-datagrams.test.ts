import { afterAll, beforeAll } from "vitest";
import { describeDatagrams } from "../behaviour/datagrams.ts";
import { ClusterWorld } from "../behaviour/clusterworld.ts";

let world: ClusterWorld;
beforeAll(async () => {
  world = await ClusterWorld.start();
});
afterAll(() => world[Symbol.asyncDispose]());

describeDatagrams(() => world);
