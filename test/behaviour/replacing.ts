import { beforeAll, describe, expect, test } from "vitest";
import { realClock } from "../../src/runtime/clock.ts";
import { StreamOfClients, type Visit } from "../rig/stream-of-clients.ts";
import { bringUp } from "./stage.ts";
import type { PodHistory, World } from "./world.ts";

const CLIENTS_PER_SECOND = 100;

/** Clients before anything happens, and after it is over. */
const CALM_MS = 1_000;

/** An app that lets the clients it has finish; those of one that does not may well be reset. */
const LINGER_MS = 1_000;

/** A pod is replaced in less, or clients may be reset: the promise. */
const HOLD_MS = 10_000;

/** What clients notice while the pods behind a forward are replaced: nothing but a wait. */
export function describeReplacing(world: () => World): void {
  describe("at 100 new clients a second", () => {
    let namespace: string;
    beforeAll(async () => {
      namespace = await world().newNamespace();
      await Promise.all([
        world().deploy(namespace, "rolled", { replicas: 2, lingerMs: LINGER_MS }),
        world().deploy(namespace, "replaced", { lingerMs: LINGER_MS }),
      ]);
    });

    test("a rolling update of two replicas fails none", async () => {
      const { visits } = await underClients(namespace, "rolled", () =>
        world().rollout(namespace, "rolled", { replicas: 2, lingerMs: LINGER_MS }),
      );
      tell("rolling update of 2 replicas", visits);
      expect(failures(visits)).toEqual({});
    });

    test("the replacement of the only pod fails none, and the next is served soon after the new pod is ready", async () => {
      const [pod] = await world().podsOf(namespace, "replaced");
      if (!pod) throw new Error("no pod");
      const { visits, history } = await underClients(namespace, "replaced", async (seen) => {
        await world().deletePod(namespace, pod.name);
        await until(() => readyMs(seen, pod.name) !== undefined);
      });
      const newReadyMs = readyMs(history, pod.name) ?? Number.NaN;
      const served = visits
        .filter(({ failure }) => failure === undefined)
        .map(({ startedMs, tookMs }) => startedMs + tookMs);
      const next = Math.min(...served.filter((atMs) => atMs > newReadyMs)) - newReadyMs;
      tell(`replacement of one pod: next served ${Math.round(next)} ms after it is ready`, visits);
      expect(failures(visits)).toEqual({});
      expect(next).toBeLessThan(HOLD_MS);
    });

    /** Clients come before, while and after `happens`. */
    async function underClients(
      where: string,
      app: string,
      happens: (history: PodHistory) => Promise<void>,
    ): Promise<{ readonly visits: readonly Visit[]; readonly history: PodHistory }> {
      await using project = await bringUp(world(), where, {
        [app]: { target: `svc/${app}`, port: 7000, local: "auto" },
      });
      await using history = await world().watchPods(where);
      const clients = new StreamOfClients(await project.port(app), CLIENTS_PER_SECOND);
      try {
        await until(() => clients.visits.length > (CLIENTS_PER_SECOND * CALM_MS) / 1_000);
        await happens(history);
        const seen = clients.visits.length;
        await until(() => clients.visits.length > seen + (CLIENTS_PER_SECOND * CALM_MS) / 1_000);
      } finally {
        await clients.end();
      }
      const { traffic } = await project.forward(app);
      expect(traffic.refused).toBe(failures(clients.visits)["reset before the echo"] ?? 0);
      return { visits: clients.visits, history };
    }
  });
}

/** When another pod than the old one became ready. */
function readyMs({ moments }: PodHistory, old: string): number | undefined {
  return moments.find(({ name, serving }) => name.startsWith("replaced") && name !== old && serving)?.atMs;
}

function failures(visits: readonly Visit[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { failure } of visits) if (failure !== undefined) counts[failure] = (counts[failure] ?? 0) + 1;
  return counts;
}

function tell(what: string, visits: readonly Visit[]): void {
  const failed = visits.filter(({ failure }) => failure !== undefined).length;
  const longest = Math.max(...visits.map(({ tookMs }) => tookMs));
  console.log(`${what}: ${failed} of ${visits.length} failed, the longest wait ${Math.round(longest)} ms`);
}

async function until(met: () => boolean): Promise<void> {
  const untilMs = performance.now() + 60_000;
  while (!met()) {
    if (performance.now() > untilMs) throw new Error("not within 60 s");
    await realClock.sleep(20, new AbortController().signal);
  }
}
