import fc from "fast-check";
import { test } from "vitest";
import type { ForwardSpec } from "../../src/schema/spec.ts";
import { KfwdError } from "../../src/errors.ts";
import { DENIED_RETRY_MS } from "../../src/runtime/core/backoff.ts";
import type { ForwardStatus, Reason } from "../../src/runtime/core/status.ts";
import { HOLD_MAX, HOLD_MS, REFUSED_GRACE_MS } from "../../src/runtime/forwards/serve.ts";
import { Supervisor } from "../../src/runtime/supervisor.ts";
import { settle } from "../fakes/clock.ts";
import { ModelWorld, must } from "./world.ts";

/** How many runs, and from where: KFWD_MODEL_SEED and KFWD_MODEL_PATH ("path replayPath") show a failure again. */
const [RUNS, SEED, PATH] = ["RUNS", "SEED", "PATH"].map((name) => process.env[`KFWD_MODEL_${name}`]);

const self = { pid: 1, mode: "detached", version: "0.0.0", startedAt: "", log: "" } as const;

const REASONS: Readonly<Record<"transient" | "denied" | "gone" | "missing", Reason>> = {
  transient: { code: "ConnectionLost", kind: "transient", message: "connection lost" },
  denied: { code: "Forbidden", kind: "denied", message: "may not" },
  gone: { code: "PodGone", kind: "gone", message: "the pod is gone" },
  missing: { code: "NoReadyPods", kind: "missing", message: "0 of 1 pods ready" },
};

function spec(name: string, local: number, change: Partial<ForwardSpec> = {}): ForwardSpec {
  const source = { file: "forwards.yaml", line: 1, column: 1 };
  const fixed = { protocol: "tcp", bind: ["localhost"], required: true } as const;
  return { name, target: { kind: "svc", name: "api" }, local, source, ...fixed, ...change };
}

/** What the file may say. */
const FILES: Readonly<Record<string, readonly ForwardSpec[]>> = {
  both: [spec("api", 8080), spec("db", 8081)],
  "only api": [spec("api", 8080)],
  "api moved to another port": [spec("api", 8082), spec("db", 8081)],
  "api to another port of the pod": [
    spec("api", 8080, { remotePort: { via: "pod", port: 9000 } }),
    spec("db", 8081),
  ],
  described: [spec("api", 8080, { description: "what it is" }), spec("db", 8081)],
  "db listens where api did": [spec("db", 8080)],
};

interface Model {
  crowd: "due" | "came";
}

class Real {
  readonly world = new ModelWorld();
  readonly supervisor = new Supervisor(this.world, self);
  readonly calls = new Set<Promise<unknown>>();
  ended = false;

  constructor() {
    void this.supervisor.ended.then(() => (this.ended = true));
  }

  /** Calls that may take until others come are not waited for. */
  call(what: Promise<unknown>): void {
    const settled = what.catch((thrown: unknown) => {
      const { code } = KfwdError.from(thrown);
      must(["NOT_RUNNING", "UNKNOWN_FORWARD"].includes(code), `no call fails with ${String(thrown)}`);
    });
    this.calls.add(settled);
    void settled.then(() => this.calls.delete(settled));
  }

  apply(file: readonly ForwardSpec[]): void {
    const config = { path: "/shop/forwards.yaml", sha256: "0" };
    this.call(this.supervisor.apply({ project: "shop", config, forwards: file, names: null }));
  }

  async entries(): Promise<readonly ForwardStatus[]> {
    return (await this.supervisor.status()).entries;
  }

  /** All that must be true after each thing that happens, once everything has been acted upon. */
  async check(): Promise<void> {
    await this.world.clock.advance(0);
    await settle();
    const { world } = this;
    const entries = await this.entries();
    const listening = entries.filter(
      ({ state }) => !["binding", "failed", "stopping", "stopped"].includes(state),
    );
    const wanted = listening.map(({ localPort }) => Number(localPort)).toSorted((a, b) => a - b);
    const bound = [...world.net.bound.keys()].toSorted((a, b) => a - b);
    must(
      JSON.stringify(bound) === JSON.stringify(wanted),
      `bound ${bound.join()} iff not stopped (${wanted.join()})`,
    );
    must(world.tunnels.length <= entries.length, "a forward has at most one tunnel");
    must(world.cluster.followers.size === listening.length, "a forward follows its target iff it listens");
    for (const entry of entries) this.#checkEntry(entry);
    this.#checkConnections(entries);
    if (entries.some(({ state }) => state !== "stopped")) return;
    must(world.tunnels.length === 0, "no tunnel is left");
    must(world.clock.pending === 0, "no timer is left");
  }

  #checkEntry({ name, state, reason, pod, podPort, retryAt, traffic }: ForwardStatus): void {
    must(traffic.held <= HOLD_MAX, `${name} holds at most ${HOLD_MAX}, not ${traffic.held}`);
    must(state !== "waiting" || reason !== null, `${name} waits for a reason`);
    const stands = this.world.tunnels.some(
      ({ stage, endpoint }) => stage === "standing" && endpoint.pod === pod && endpoint.port === podPort,
    );
    must(state !== "ready" || stands, `${name} is ready only while a tunnel to ${pod}:${podPort} stands`);
    const waitMs = retryAt === null ? 0 : Date.parse(retryAt) - this.world.clock.wall();
    must(waitMs <= DENIED_RETRY_MS, `${name} tries again within a minute`);
    const { said } = this.world.cluster;
    if (said === undefined || !["connecting", "ready", "waiting"].includes(state)) return;
    const [wantedPod, wantedPort] =
      said.kind === "found" ? [said.endpoint.pod, said.endpoint.port] : [null, null];
    const follows = state === "waiting" && retryAt === null ? said.kind === "none" : pod === wantedPod;
    must(follows && (pod === null || podPort === wantedPort), `${name} follows what the cluster says`);
  }

  #checkConnections(entries: readonly ForwardStatus[]): void {
    const nowMs = this.world.clock.now();
    let [held, carried] = [0, 0];
    for (const { stage, bornMs } of this.world.connections) {
      if (stage === "carried") carried++;
      if (stage !== "held") continue;
      held++;
      must(nowMs - bornMs <= HOLD_MS + REFUSED_GRACE_MS, "nobody is held for longer than ten seconds");
    }
    const counted = entries.reduce((sum, { traffic }) => sum + traffic.connections + traffic.held, 0);
    must(
      counted === held + carried,
      `${counted} connections are counted, ${held} held and ${carried} carried`,
    );
  }

  /** The cluster is well: every forward that shall run does, and a client is carried. */
  async heal(): Promise<void> {
    this.world.cluster.podIsReady("last");
    this.call(this.supervisor.start({ names: null }));
    const untilMs = this.world.clock.now() + 2 * DENIED_RETRY_MS;
    while (this.world.clock.now() < untilMs) {
      for (const tunnel of this.world.tunnels) if (tunnel.stage === "trying") tunnel.opens();
      await this.world.clock.advance(5_000);
      await this.check();
    }
    for (const { name, state, localPort } of await this.entries()) {
      must(state === "ready", `${name} is ${state} though its pod is ready and its tunnel opens`);
      this.world.come(localPort ?? 0);
      await settle();
      must(this.world.connections.at(-1)?.stage === "carried", `${name} serves a client when it is ready`);
    }
    await this.check();
  }

  /** Nothing is left when it has stopped. */
  async end(): Promise<void> {
    this.call(this.supervisor.stop({ names: null, drainMs: 0 }));
    await this.check();
    must(this.ended, "a supervisor that is stopped ends");
    must(this.calls.size === 0, "every call is answered");
    for (const { stage } of this.world.connections) {
      must(stage === "done" || stage === "reset", `every connection ends, none is ${stage}`);
    }
    must(!this.world.log.lines.includes("effect failed"), "nothing that a forward does throws");
  }
}

/** What happens, in words for the report of a failure. */
function happens(what: string, act: (real: Real) => void | Promise<void>): fc.AsyncCommand<Model, Real> {
  return {
    check: () => true,
    run: async (_model, real) => {
      await act(real);
      await real.check();
    },
    toString: () => what,
  };
}

/** Once a run: so many take their time. */
const CROWD: fc.AsyncCommand<Model, Real> = {
  check: ({ crowd }) => crowd === "due",
  run: async (model, real) => {
    model.crowd = "came";
    for (let count = 0; count < HOLD_MAX + 10; count++) real.world.come(8080);
    await real.check();
  },
  toString: () => "a crowd comes",
};

const kind = fc.constantFrom("transient", "denied", "gone" as const);
const index = fc.nat({ max: 5 });
const names = fc.constantFrom(["api"], ["db"], null);

/** The tunnels or connections that something happens to are numbered from the newest. */
function nth<T>(items: readonly T[], back: number): T | undefined {
  return items.at(-1 - back);
}

const COMMANDS = [
  fc
    .tuple(fc.constantFrom("a", "b"), fc.constantFrom(8080, 9090))
    .map(([name, port]) =>
      happens(`pod ${name} is ready at ${port}`, ({ world }) => world.cluster.podIsReady(name, port)),
    ),
  fc.constant(happens("no pod is ready", ({ world }) => world.cluster.noPodIsReady())),
  fc.constant(
    happens("the list is refused", ({ world }) =>
      world.cluster.says({ kind: "none", reason: REASONS.denied }),
    ),
  ),
  fc.constant(
    happens("tunnels open", ({ world }) => {
      for (const tunnel of world.tunnels) if (tunnel.stage === "trying") tunnel.opens();
    }),
  ),
  index.map((back) =>
    happens(`tunnel -${back} opens`, ({ world }) => nth(world.cluster.made, back)?.opens()),
  ),
  fc
    .tuple(index, kind)
    .map(([back, why]) =>
      happens(`tunnel -${back} is lost: ${why}`, ({ world }) =>
        nth(world.cluster.made, back)?.breaks(REASONS[why]),
      ),
    ),
  fc
    .constantFrom(8080, 8081, 8082)
    .map((port) => happens(`a client comes to ${port}`, ({ world }) => world.come(port))),
  fc.constant(CROWD),
  index.map((back) =>
    happens(`client -${back} leaves`, ({ world }) => nth(world.connections, back)?.leaves()),
  ),
  fc
    .tuple(index, fc.constantFrom("answered", "refused", "gone", "broken" as const))
    .map(([back, how]) =>
      happens(`client -${back} is ${how}`, ({ world }) => nth(world.connections, back)?.ends(how)),
    ),
  fc
    .oneof(fc.nat({ max: 300 }), fc.nat({ max: 12_000 }))
    .map((ms) => happens(`${ms} ms pass`, ({ world }) => world.clock.advance(ms))),
  fc.constant(
    happens("the machine wakes", async (real) => {
      real.supervisor.wake();
      for (const { name, retryAt } of await real.entries()) must(retryAt === null, `${name} tries at once`);
    }),
  ),
  fc
    .constantFrom(...Object.entries(FILES))
    .map(([name, file]) => happens(`up: ${name}`, (real) => real.apply(file))),
  fc
    .tuple(fc.constantFrom("api", "db"), fc.constantFrom(0, 5_000))
    .map(([name, drainMs]) =>
      happens(`down ${name} within ${drainMs} ms`, (real) =>
        real.call(real.supervisor.stop({ names: [name], drainMs })),
      ),
    ),
  fc
    .tuple(names, fc.constantFrom(0, 5_000))
    .map(([which, drainMs]) =>
      happens(`stop ${which?.join() ?? "all"} within ${drainMs} ms`, (real) =>
        real.call(real.supervisor.halt({ names: which, drainMs })),
      ),
    ),
  names.map((which) =>
    happens(`start ${which?.join() ?? "all"}`, (real) => real.call(real.supervisor.start({ names: which }))),
  ),
  names.map((which) =>
    happens(`restart ${which?.join() ?? "all"}`, (real) =>
      real.call(real.supervisor.restart({ names: which })),
    ),
  ),
];

test("whatever happens to a supervisor, in any order, it keeps its promises, heals, and leaves nothing", async () => {
  const commands = fc.commands(COMMANDS, {
    maxCommands: 60,
    size: "max", // by default runs are of ten commands at most
    ...(PATH === undefined ? {} : { replayPath: PATH.split(" ")[1] ?? "" }),
  });
  const inOneOfTen = fc.nat({ max: 9 }).map((number) => (number === 9 ? "due" : "came"));
  const property = fc.asyncProperty(commands, inOneOfTen, async (run, crowd) => {
    const setup = (): { model: Model; real: Real } => ({
      model: { crowd },
      real: real(),
    });
    let made: Real | undefined;
    const real = (): Real => (made = new Real());
    await fc.asyncModelRun(setup, [happens("up", (real) => real.apply(FILES["both"] ?? [])), ...run]);
    if (made === undefined) return;
    if (!made.ended) await made.heal();
    await made.end();
  });
  await fc.assert(property, {
    numRuns: Number(RUNS ?? 100),
    ...(SEED === undefined ? {} : { seed: Number(SEED) }),
    ...(PATH === undefined ? {} : { path: PATH.split(" ")[0] ?? "" }),
  });
}, 600_000);
