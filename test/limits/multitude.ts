import { once } from "node:events";
import { fork } from "node:child_process";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { projectOf } from "../behaviour/stage.ts";
import type { World } from "../behaviour/world.ts";
import { Crowd, type Tally } from "../rig/crowd.ts";
import { Probed, type Holding } from "../rig/probed.ts";
import type { Project } from "../rig/project.ts";

/** Clients before anything is counted: by then all code has run, and all connections that are kept are open. */
const WARM_UP = 300;

/** How long a supervisor may take until nothing is left of its clients. */
const SETTLE_MS = 90_000;
const LOOK_MS = 250;

/** How much more heap a supervisor may have, in bytes. */
export const HEAP_GROWTH_MAX_BYTES = 2 * 1024 * 1024;

/** What came of many clients. */
export interface Outcome {
  /** How they fared, step by step. */
  readonly tallies: readonly Tally[];
  readonly tookMs: number;
  readonly before: Holding;
  /** With all of them there; of those in turn, with the last ones gone. */
  readonly crowded: Holding;
  readonly after: Holding;
  /** Connections and held clients that `status` counts at the end. */
  readonly counted: number;
  /** What `status` says of the connection that failed last, if one did. */
  readonly lastError: string | undefined;
}

/** A supervisor with one forward to an app that greets, and clients in a process of their own. */
export class Multitude implements AsyncDisposable {
  readonly #project: Project;
  readonly #supervisor: Probed;
  readonly #crowd: Crowd;
  readonly #port: number;

  private constructor(project: Project, supervisor: Probed, crowd: Crowd, port: number) {
    this.#project = project;
    this.#supervisor = supervisor;
    this.#crowd = crowd;
    this.#port = port;
  }

  static async start(world: World): Promise<Multitude> {
    const namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
    const project = await projectOf(world, namespace, {
      greeter: { target: "svc/app", port: 7001, local: "auto" },
    });
    try {
      const supervisor = await Probed.up(project);
      const many = new Multitude(project, supervisor, new Crowd(), await project.port("greeter"));
      await many.#crowd.inTurn(many.#port, WARM_UP, 32);
      return many;
    } catch (thrown) {
      await project[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** `count` clients that are there at once, talk, and leave in every way. */
  async atOnce(count: number): Promise<Outcome> {
    const before = await this.#rest();
    const startedMs = performance.now();
    await this.#crowd.come(this.#port, count);
    const arrived = await this.#crowd.greeted();
    const talked = await this.#crowd.talk();
    const tookMs = performance.now() - startedMs;
    const crowded = await this.#supervisor.look();
    const left = await this.#crowd.leave();
    return this.#outcome([arrived, talked, left], tookMs, before, crowded);
  }

  /** `count` clients that come while the supervisor is held up, and leave. */
  async burst(count: number): Promise<readonly Tally[]> {
    process.kill(this.#supervisor.pid, "SIGSTOP");
    await this.#crowd.come(this.#port, count).finally(() => process.kill(this.#supervisor.pid, "SIGCONT"));
    return [await this.#crowd.greeted(), await this.#crowd.leave()];
  }

  /** `count` clients one after the other, in `width` lines. */
  async inTurn(count: number, width = 16): Promise<Outcome> {
    const before = await this.#rest();
    const startedMs = performance.now();
    const talked = await this.#crowd.inTurn(this.#port, count, width);
    const tookMs = performance.now() - startedMs;
    return this.#outcome([talked], tookMs, before, await this.#supervisor.look());
  }

  /** Whoever waits for clients is told that they have ended; everything else is to be disposed. */
  breakOff(): void {
    void this.#crowd[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#crowd[Symbol.asyncDispose]();
    await this.#project[Symbol.asyncDispose]();
  }

  async #outcome(
    tallies: readonly Tally[],
    tookMs: number,
    before: Holding,
    crowded: Holding,
  ): Promise<Outcome> {
    const after = await this.#until((held) => holdsNoMore(before, held));
    const { lastError } = await this.#project.forward("greeter");
    const counted = await this.#counted();
    return { tallies, tookMs, before, crowded, after, counted, lastError: lastError?.message };
  }

  /** What it holds when no client is left. */
  async #rest(): Promise<Holding> {
    const untilMs = performance.now() + SETTLE_MS;
    while ((await this.#counted()) > 0) if (performance.now() > untilMs) throw new Error("clients are left");
    return this.#supervisor.look();
  }

  /** Looks until it holds as little as wanted, or the time is over. */
  async #until(met: (held: Holding) => boolean): Promise<Holding> {
    const untilMs = performance.now() + SETTLE_MS;
    for (;;) {
      const held = await this.#supervisor.look();
      if (met(held) || performance.now() > untilMs) return held;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async #counted(): Promise<number> {
    const { traffic } = await this.#project.forward("greeter");
    return traffic.connections + traffic.held;
  }
}

function holdsNoMore(before: Holding, now: Holding): boolean {
  return (
    now.fds <= before.fds &&
    now.timers <= before.timers &&
    sockets(now) <= sockets(before) &&
    now.heapBytes - before.heapBytes <= HEAP_GROWTH_MAX_BYTES
  );
}

/** Sockets to clients and to the API server. */
export function sockets({ resources }: Holding): number {
  return (resources["TCPSocketWrap"] ?? 0) + (resources["TLSWrap"] ?? 0);
}

/** An app that greets and echoes in a process of its own, so that a sandbox has only its own ends of so many sockets. */
export class Elsewhere implements AsyncDisposable {
  readonly #child = fork(fileURLToPath(new URL("../puppets/greeter.mjs", import.meta.url)), { execArgv: [] });

  readonly greet = (socket: Socket): void => {
    this.#child.send("a client", socket);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}
