import { describe, expect, test } from "vitest";
import { ask, dial, expectEcho, httpGet } from "../rig/client.ts";
import type { Project } from "../rig/project.ts";
import { realClock } from "../../src/runtime/clock.ts";
import type { ForwardStatus } from "../../src/runtime/core/status.ts";
import { connectControl } from "../../src/runtime/daemon/controlclient.ts";
import { readLock } from "../../src/runtime/daemon/readlock.ts";
import { VERSION } from "../../src/version.ts";
import { bringUp, portsOf } from "./stage.ts";
import type { PodHistory, PodMoment, World } from "./world.ts";

const APPS = ["one", "two", "three", "four", "five"] as const;

/** Between two questions for the status. */
const SAMPLE_MS = 100;

/** How long status may lag behind the cluster: the promise. */
const TRUTH_MS = 1_000;

/** How much later than kfwd's watch the one beside it may hear of a change. */
const WATCH_LAG_MS = 300;

/** A client's wait for a ready pod may take this long before it is reset. */
const HOLD_MS = 10_000;

/** How long an app that is asked to end lets its clients finish; those of one that does not may well be reset. */
const LINGER_MS = 1_000;

/** How long everything is looked at after it has settled. */
const AFTER_MS = 1_000;

/** One answer to the question for the status, on `performance.now()`. */
interface Sample {
  readonly askedMs: number;
  readonly answeredMs: number;
  readonly entries: readonly ForwardStatus[];
}

/** One client, from its connection to its answer. */
interface Visit {
  readonly forward: string;
  readonly startedMs: number;
  readonly tookMs: number;
  /** What went wrong; undefined: it was served. */
  readonly failure: string | undefined;
}

/** Every pod of a namespace is deleted at once, under ten forwards that are in use; one into another goes on. */
export function describeTruth(world: () => World): void {
  describe("all pods deleted at once", () => {
    test("every forward serves again by itself, no client fails, and status tells the truth all along", async () => {
      const [namespace, other] = await Promise.all([world().newNamespace(), world().newNamespace()]);
      const deployed = APPS.map((name) => world().deploy(namespace, name, { lingerMs: LINGER_MS }));
      await Promise.all([...deployed, world().deploy(other, "beside")]);
      const web = APPS.map((name) => [name, { target: `svc/${name}`, port: "http", local: "auto" }]);
      const echo = APPS.map((name) => [
        `${name}-echo`,
        { target: `deploy/${name}`, port: 7000, local: "auto" },
      ]);
      await using project = await bringUp(world(), namespace, {
        ...Object.fromEntries([...web, ...echo]),
        beside: { target: `${other}/svc/beside`, port: 7000, local: "auto" },
      });
      await using history = await world().watchPods(namespace);
      const port = await portsOf(project);
      const status = await project.status();
      const before = status.entries.filter(({ name }) => name !== "beside");
      const old = new Set(before.map(({ pod }) => pod));
      const beside = await dial(port("beside"));

      const samples: Sample[] = []; // of the forwards into the namespace that is emptied
      const visits: Visit[] = [];
      const over = new AbortController();
      const watching = [
        sample(project, samples, over.signal),
        ...before.map(({ name }) => visitOften(name, port(name), visits, over.signal)),
      ];
      try {
        const startedMs = performance.now();
        await settled(samples, () => performance.now() > startedMs + TRUTH_MS + WATCH_LAG_MS);
        const deletedMs = performance.now();
        await world().deleteAllPods(namespace);
        await settled(samples, (entries) =>
          entries.every(({ state, pod }) => state === "ready" && !old.has(pod)),
        );
        const servedMs = performance.now();
        await settled(samples, () => performance.now() > servedMs + AFTER_MS);
        const longest = visits.toSorted((a, b) => b.tookMs - a.tookMs)[0];
        console.log(
          `all pods deleted: ready again after ${Math.round(servedMs - deletedMs)} ms; ${visits.length} clients, ` +
            `the longest wait ${Math.round(longest?.tookMs ?? 0)} ms (${longest?.forward}); ${samples.length} samples`,
        );
      } finally {
        over.abort();
        await Promise.all(watching);
      }

      expect(visits.filter(({ failure }) => failure !== undefined)).toEqual([]);
      expect(Math.max(...visits.map(({ tookMs }) => tookMs))).toBeLessThan(HOLD_MS);
      expect(lies(samples, history)).toEqual([]);
      const waited = samples.flatMap(({ entries }) => entries.filter(({ state }) => state === "waiting"));
      expect(new Set(waited.map(({ name }) => name)).size).toBe(before.length); // or nothing was put to the test
      await expectEcho(beside);
      beside.destroy();
      for (const { name, localPort, restarts, traffic } of (await project.status()).entries) {
        expect({ name, localPort, restarts, refused: traffic.refused }).toEqual({
          name,
          localPort: port(name),
          restarts: name === "beside" ? 0 : 1,
          refused: 0,
        });
      }
    });
  });
}

/** Asks for the status over one control connection, ten times a second. */
async function sample(project: Project, samples: Sample[], over: AbortSignal): Promise<void> {
  const reading = readLock(project.lockPath, process.geteuid?.());
  if (reading.kind !== "value") throw new Error(`the lock is ${reading.kind}`);
  const deps = { clock: realClock, version: VERSION };
  const signal = new AbortController().signal;
  await using client = await connectControl(deps, reading.value, { timeoutMs: 2_000, signal });
  while (!over.aborted) {
    const askedMs = performance.now();
    const { entries } = await client.status();
    const concerned = entries.filter(({ name }) => name !== "beside");
    samples.push({ askedMs, answeredMs: performance.now(), entries: concerned });
    await realClock.sleep(SAMPLE_MS, signal);
  }
}

/** One client after the other, each with a connection of its own. */
async function visitOften(forward: string, port: number, visits: Visit[], over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const startedMs = performance.now();
    const answer = forward.endsWith("-echo") ? ask(port) : httpGet(port);
    const failure = await answer.then(
      () => undefined,
      (error: unknown) => String(error),
    );
    visits.push({ forward, startedMs, tookMs: performance.now() - startedMs, failure });
    await realClock.sleep(SAMPLE_MS / 2, new AbortController().signal);
  }
}

/** Resolves when a sample from now on is as wanted. */
async function settled(
  samples: readonly Sample[],
  met: (entries: readonly ForwardStatus[]) => boolean,
): Promise<void> {
  const from = samples.length;
  const untilMs = performance.now() + 60_000;
  for (;;) {
    const latest = samples.slice(from).at(-1);
    if (latest !== undefined && met(latest.entries)) return;
    if (performance.now() > untilMs) {
      const last = samples.at(-1)?.entries.map(({ name, state, reason }) => [name, state, reason?.message]);
      throw new Error(`not settled: ${JSON.stringify(last)}`);
    }
    await realClock.sleep(SAMPLE_MS / 2, new AbortController().signal);
  }
}

/**
 * What status said that was not so, beside the history of another watch:
 * - `ready` with a pod that did not serve at any moment from a second before the question to the answer
 * - `waiting` for pods while one of them served all that time
 * - `waiting` without words, or words without waiting
 * - a state in between for more than a second
 * - a local port that moves, a forward that gives up
 */
function lies(samples: readonly Sample[], { moments }: PodHistory): readonly string[] {
  const found: string[] = [];
  const between = new Map<string, number>();
  const ports = new Map<string, number | null>();
  for (const { askedMs, answeredMs, entries } of samples) {
    const [fromMs, toMs] = [askedMs - TRUTH_MS, answeredMs + WATCH_LAG_MS];
    for (const { name, state, pod, reason, localPort } of entries) {
      const lie = (words: string): void =>
        void found.push(`${Math.round(askedMs)} ${name} ${state}: ${words}`);
      const app = name.replace(/-echo$/, "");
      if (state === "ready" && !(pod !== null && servedWithin(moments, pod, fromMs, toMs))) {
        lie(`${pod} did not serve`);
      }
      if (state === "waiting" && reason?.kind === "missing") {
        const pods = new Set(moments.map((moment) => moment.name).filter((one) => one.startsWith(`${app}-`)));
        const serving = [...pods].find((one) => servedThroughout(moments, one, fromMs, toMs));
        if (serving !== undefined) lie(`${reason.message}, but ${serving} served`);
      }
      if ((state === "waiting") !== (reason !== null && reason.message !== "")) lie("words do not fit");
      if (state === "failed" || state === "stopping" || state === "stopped") lie("gave up");
      if (state !== "resolving" && state !== "connecting") between.delete(name);
      else if (!between.has(name)) between.set(name, askedMs);
      else if (answeredMs - (between.get(name) ?? 0) > TRUTH_MS) lie("for more than a second");
      if (!ports.has(name)) ports.set(name, localPort);
      else if (ports.get(name) !== localPort) lie(`moved to port ${localPort}`);
    }
  }
  return found;
}

/** Whether the pod served at some moment of this time. */
function servedWithin(moments: readonly PodMoment[], pod: string, fromMs: number, toMs: number): boolean {
  const told = moments.filter(({ name, atMs }) => name === pod && atMs <= toMs);
  return told.some(({ serving, atMs }, index) => {
    const endMs = told[index + 1]?.atMs ?? Number.POSITIVE_INFINITY;
    return serving && endMs >= fromMs && atMs <= toMs;
  });
}

/** Whether the pod served all of this time. */
function servedThroughout(moments: readonly PodMoment[], pod: string, fromMs: number, toMs: number): boolean {
  const told = moments.filter(({ name, atMs }) => name === pod && atMs <= toMs);
  const first = told.findLast(({ atMs }) => atMs <= fromMs);
  return first !== undefined && told.slice(told.indexOf(first)).every(({ serving }) => serving);
}
