import { afterAll, beforeAll } from "vitest";
import { describeAccess } from "../behaviour/access.ts";
import { ClusterWorld } from "../behaviour/clusterworld.ts";
import { describeLife } from "../behaviour/life.ts";
import { describeLocal } from "../behaviour/local.ts";
import { describePods } from "../behaviour/pods.ts";
import { describeStreams } from "../behaviour/streams.ts";
import { describeTargets } from "../behaviour/targets.ts";
import { describeTruth } from "../behaviour/truth.ts";

const kubeconfig = process.env["KFWD_E2E_KUBECONFIG"];
if (kubeconfig === undefined || kubeconfig === "") {
  throw new Error("KFWD_E2E_KUBECONFIG must name the kubeconfig of a cluster that tests may use");
}

let world: ClusterWorld;
beforeAll(async () => {
  world = await ClusterWorld.start(kubeconfig);
});
afterAll(() => world[Symbol.asyncDispose]());

describeStreams(() => world, { patient: true });
describePods(() => world);
describeTargets(() => world);
describeLocal(() => world);
describeLife(() => world);
describeAccess(() => world);
describeTruth(() => world);
