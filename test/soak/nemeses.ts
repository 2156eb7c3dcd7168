import type { Fault } from "../rig/faultlane.ts";
import { REPLICAS, type Ground } from "./ground.ts";

/** What a nemesis needs to know of the run. */
export interface Around {
  readonly ground: Ground;
  readonly roll: () => number;
  /** Long faults are this much shorter in a short run. */
  readonly haste: number;
  readonly sleep: (ms: number) => Promise<void>;
  /** From a moment after now, and until it is disposed, no forward to the app, or to any, can truly be ready. */
  readonly dark: (afterMs: number, app?: string) => Disposable;
  /** Each forward to the app must serve a new client now; it is told in the report when one does not. */
  readonly served: (app: string) => Promise<void>;
}

/** Something that goes wrong. `act` resolves when it is over and the cluster itself is well again. */
export interface Nemesis {
  readonly name: string;
  readonly kind: "pods" | "network" | "process";
  /** Whose pods end. */
  readonly app?: string;
  readonly act: (around: Around) => Promise<void>;
}

/** Faults of the network last so long in a run that has time. */
const SPAN_MS = 10_000;

/** How long a peer may be dead before that is found. */
const DEAD_FOUND_MS = 16_000;
const BLACKHOLE_MS = 22_000;

/** What the API server says, or a reset, is in `status` so much later at the latest, on a machine that is busy. */
const TOLD_MS = 2_000;

/** The machine counts as asleep when a look comes 5 s late. */
const [FROZEN_MIN_MS, FROZEN_MORE_MS] = [2_000, 8_000];

function ofPods(name: string, app: string, act: Nemesis["act"]): Nemesis {
  return {
    name: `${name} (${app})`,
    kind: "pods",
    app,
    act: async (around) => {
      await act(around);
      await around.ground.untilWell(app);
    },
  };
}

function inForce(name: string, ms: number, faults: (roll: () => number) => readonly Fault[]): Nemesis {
  return {
    name,
    kind: "network",
    act: async ({ ground, roll, haste, sleep, dark }) => {
      const wanted = faults(roll);
      const added = wanted.map((fault) => ground.proxy.add(fault));
      const isHole = wanted.some(({ kind }) => kind === "blackhole");
      await during(isHole ? dark(DEAD_FOUND_MS + TOLD_MS) : undefined, () => sleep(ms / haste));
      for (const fault of added) fault[Symbol.dispose]();
    },
  };
}

/** Something that holds until the work is done. */
export async function during(held: Disposable | undefined, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } finally {
    held?.[Symbol.dispose]();
  }
}

async function podOf({ ground, roll }: Around, app: string): Promise<string> {
  const pods = await ground.pods(app);
  const pod = pods[Math.floor(roll() * pods.length)];
  if (!pod) throw new Error(`no pod of ${app}`);
  return pod.name;
}

async function deletePod(around: Around, app: string, force: boolean): Promise<void> {
  const { ground } = around;
  await ground.world.deletePod(ground.namespace, await podOf(around, app), { force });
}

const OF_PODS = Object.keys(REPLICAS).flatMap((app) => [
  ofPods("pod deleted", app, (around) => deletePod(around, app, false)),
  ofPods("pod deleted by force", app, (around) => deletePod(around, app, true)),
  ofPods("container killed", app, async (around) => {
    const { ground, sleep } = around;
    await ground.world.restartContainer(ground.namespace, await podOf(around, app));
    await sleep(1_500); // until then the kubelet has not seen it
  }),
  ofPods("readiness flips", app, async (around) => {
    const { ground, haste, sleep, dark } = around;
    const pod = await podOf(around, app);
    await ground.world.setReady(ground.namespace, pod, false);
    await during(REPLICAS[app] === 1 ? dark(TOLD_MS, app) : undefined, () => sleep(4_000 / haste));
    await ground.world.setReady(ground.namespace, pod, true);
  }),
]);

/** All that goes wrong in any cluster. */
export const NEMESES: readonly Nemesis[] = [
  ...OF_PODS,
  ofPods("rollout", "web", ({ ground }) =>
    ground.world.rollout(ground.namespace, "web", { replicas: REPLICAS["web"] ?? 1 }),
  ),
  ofPods("scaled to 0 and back", "web", async ({ ground, haste, sleep, dark }) => {
    await ground.world.scale(ground.namespace, "web", 0);
    await during(dark(TOLD_MS, "web"), () => sleep(6_000 / haste));
    await ground.world.scale(ground.namespace, "web", REPLICAS["web"] ?? 1);
  }),
  {
    name: "connections reset",
    kind: "network",
    act: async ({ ground, roll }) => ground.proxy.reset(() => roll() < 0.7),
  },
  inForce("black hole", BLACKHOLE_MS, () => [{ kind: "blackhole" }]),
  inForce("black hole that forgets", BLACKHOLE_MS, () => [{ kind: "blackhole", forgets: true }]),
  inForce("short black hole", 4_000, () => [{ kind: "blackhole" }]),
  inForce("latency", SPAN_MS, (roll) => [{ kind: "latency", ms: 50 + 250 * roll(), jitterMs: 100 }]),
  inForce("slicer", SPAN_MS, () => [{ kind: "slicer", maxBytes: 900, pauseMs: 1 }]),
  inForce("bandwidth", SPAN_MS, () => [{ kind: "bandwidth", bytesPerS: 300_000 }]),
  inForce("byte limit", SPAN_MS, (roll) => [
    { kind: "limit", bytes: 20_000 + Math.floor(2_000_000 * roll()) },
  ]),
  inForce("idle connections cut", SPAN_MS, () => [{ kind: "idleCut", ms: 3_000 }]),
  {
    name: "API server restarts",
    kind: "network",
    act: async ({ ground, roll, haste, sleep, dark }) => {
      ground.proxy.refuse();
      await during(dark(TOLD_MS), () => sleep((2_000 + 6_000 * roll()) / haste));
      await ground.proxy.open();
    },
  },
  {
    name: "supervisor frozen",
    kind: "process",
    act: async ({ ground, roll, haste, sleep }) => {
      const pid = ground.project.supervisorPid;
      process.kill(pid, "SIGSTOP");
      try {
        await sleep((FROZEN_MIN_MS + FROZEN_MORE_MS * roll()) / haste);
      } finally {
        process.kill(pid, "SIGCONT");
      }
    },
  },
];

/** All of them in a random order, again and again, each time in another one. */
export function* bag(nemeses: readonly Nemesis[], roll: () => number): Generator<Nemesis, never> {
  for (;;) {
    const left = [...nemeses];
    while (left.length > 0) yield* left.splice(Math.floor(roll() * left.length), 1);
  }
}
