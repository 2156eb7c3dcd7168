/** Composition root of what commands ask clusters without a supervisor; the CLI loads it only then. */
import { KubeApi } from "./runtime/cluster/kubeapi.ts";
import { ClusterSurvey } from "./runtime/cluster/survey.ts";
import { realClock } from "./runtime/clock.ts";
import { homeFolder } from "./runtime/daemon/whereabouts.ts";
import { SILENT_LOG } from "./runtime/silentlog.ts";
import type { Surveyor } from "./runtime/surveyor.ts";
import { VERSION } from "./version.ts";

/** To be disposed by whoever asked for it. */
export function openSurvey(): Surveyor {
  const clock = realClock;
  const world = { clock, random: Math.random, log: SILENT_LOG, env: process.env };
  return new ClusterSurvey(new KubeApi({ ...world, home: homeFolder(), version: VERSION }), clock);
}
