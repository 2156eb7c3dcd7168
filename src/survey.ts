/** Composition root of what commands ask clusters without a supervisor; the CLI loads it only then. */
import { KubeApi } from "./runtime/cluster/kubeapi.ts";
import { ClusterSurvey } from "./runtime/cluster/survey.ts";
import { realClock } from "./runtime/clock.ts";
import { portHolder } from "./runtime/daemon/portholder.ts";
import { homeFolder } from "./runtime/daemon/whereabouts.ts";
import { localNet } from "./runtime/net/listener.ts";
import { localUdp } from "./runtime/net/udplistener.ts";
import { SILENT_LOG } from "./runtime/silentlog.ts";
import type { Surveyor, SurveyProgram } from "./runtime/surveyor.ts";
import { VERSION } from "./version.ts";

/** To be disposed by whoever asked for it. */
export function openSurvey(): Surveyor {
  const clock = realClock;
  const sources = { env: process.env, home: homeFolder() };
  const api = new KubeApi({ ...sources, clock, random: Math.random, log: SILENT_LOG, version: VERSION });
  return new ClusterSurvey(api, clock, { sources, platform: process.platform });
}

/** @see SurveyProgram.tryPort */
export async function tryPort(
  ...[{ name, bind, protocol }, port, runtimeFolder]: Parameters<SurveyProgram["tryPort"]>
): Promise<void> {
  const deps = { clock: realClock, knownOwner: portHolder(runtimeFolder, process.geteuid?.()) };
  const request = { bind, port, label: name };
  const listener =
    protocol === "udp"
      ? await localUdp({ ...deps, log: SILENT_LOG }).listen(request, () => {})
      : await localNet(deps).listen(request, {
          onConnection: (connection) => connection.reset(),
          onRefused: () => {},
        });
  await listener[Symbol.asyncDispose]();
}
