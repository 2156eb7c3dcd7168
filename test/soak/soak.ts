import { fdsOf, rssOf } from "../behaviour/stage.ts";
import { diceOf } from "../puppets/app.mjs";
import { Probed, type Holding } from "../rig/probed.ts";
import { Traffic, type Door } from "./clients.ts";
import { Ground, REPLICAS } from "./ground.ts";
import { check, tally, type Disturbance, type Violation } from "./history.ts";
import { bag, during, type Nemesis } from "./nemeses.ts";
import { Watcher } from "./watcher.ts";

/** What answers behind each forward of the ground. */
const SPEAKS: Readonly<Record<string, Door["speaks"]>> = { talk: "history", echo: "echo", greet: "greeting" };

/** After the last fault every forward serves again, and says so, within this time: the longest wait and a start. */
export const RECOVERY_MAX_MS = 20_000;

/** Connections kept ready for a burst are closed a minute after it. */
const SETTLE_MS = 100_000;

const HEAP_GROWTH_MAX_BYTES = 4 * 1024 * 1024;
const RSS_GROWTH_MAX_MB = 40;

/** How often two things go wrong at once. */
const PAIRED = 0.3;

export interface SoakOptions {
  readonly where: "sandbox" | "cluster";
  readonly seed: number;
  readonly seconds: number;
  /** It goes on for longer if so many things have not gone wrong by then. */
  readonly strikes?: number;
  readonly nemeses: readonly Nemesis[];
  /** Default 1: faults last as long as they should. */
  readonly haste?: number;
  /** `foreground`: the supervisor tells its heap and its timers, too. */
  readonly mode: "detached" | "foreground";
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** What a supervisor holds when no client is there; heap and timers where it can be asked. */
export interface Holdings extends Partial<Holding> {
  readonly fds: number;
  readonly rssMb: number;
}

/** One thing that went wrong, and how long until every forward served again, and said so. */
export interface Strike extends Disturbance {
  readonly servedMs: number;
  readonly readyMs: number;
}

export interface SoakReport {
  readonly schema: "kfwd.soak/1";
  readonly where: string;
  readonly seed: number;
  readonly seconds: number;
  readonly strikes: readonly Strike[];
  readonly clients: ReturnType<typeof tally>;
  readonly statusMs: readonly number[];
  readonly before: Holdings;
  readonly after: Holdings;
  readonly violations: readonly Violation[];
  /** Everything else that is not as it should be, in words. */
  readonly wrong: readonly string[];
}

/** Lets things go wrong while clients come and go, and says what came of it. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  await using ground = await Ground.lay(options.where, options.seed);
  const run = new Run(ground, options);
  return await run.go();
}

class Run {
  readonly #ground: Ground;
  readonly #options: SoakOptions;
  readonly #roll: () => number;
  readonly #strikes: Strike[] = [];
  readonly #wrong: string[] = [];
  readonly #watcher: Watcher;
  #probed: Probed | undefined;
  #doors: readonly Door[] = [];

  constructor(ground: Ground, options: SoakOptions) {
    this.#ground = ground;
    this.#options = options;
    this.#roll = diceOf(options.seed);
    this.#watcher = new Watcher(ground.project, appOf);
  }

  async go(): Promise<SoakReport> {
    const options = this.#options;
    const { project } = this.#ground;
    if (options.mode === "foreground") this.#probed = await Probed.up(project);
    else await project.ok("up", "--wait");
    const { entries } = await project.status();
    this.#doors = entries.map(({ name, localPort }) => ({
      forward: name,
      app: appOf(name),
      port: localPort ?? 0,
      speaks: SPEAKS[name.split("-")[1] ?? ""] ?? "echo",
    }));
    const warm = new Traffic(options.seed + 500_000, this.#doors); // what it keeps ready from now on is open
    warm.start();
    await this.#sleep(3_000);
    await warm.end();
    const before = await this.#holdings(() => true);
    const traffic = new Traffic(options.seed, this.#doors);
    traffic.start();
    this.#watcher.start();
    await this.#strikeOn(traffic);
    options.say("the clients leave");
    await traffic.end();
    await this.#watcher.end();
    options.say("what is held is counted");
    await this.#untilNoneCounted();
    const after = await this.#holdings((now) => this.#leaks(before, now).length === 0);
    this.#wrong.push(...this.#leaks(before, after), ...this.#watcher.lies, ...(await this.#podsLeft()));
    const records = [...warm.records, ...traffic.records];
    return {
      schema: "kfwd.soak/1",
      where: options.where,
      seed: options.seed,
      seconds: options.seconds,
      strikes: this.#strikes,
      clients: tally(records),
      statusMs: this.#watcher.tookMs,
      before,
      after,
      violations: check(records, await this.#ground.ledger(), this.#strikes),
      wrong: this.#wrong,
    };
  }

  async #strikeOn(traffic: Traffic): Promise<void> {
    const { seconds, strikes = 0, nemeses, signal } = this.#options;
    const untilMs = performance.now() + seconds * 1000;
    const drawn = bag(nemeses, this.#roll);
    await this.#sleep(1_000);
    while ((performance.now() < untilMs || this.#strikes.length < strikes) && !signal.aborted) {
      const chosen = [drawn.next().value];
      if (this.#roll() < PAIRED) {
        const other = drawn.next().value;
        if (other.kind !== chosen[0]?.kind) chosen.push(other);
      }
      await this.#strike(traffic, chosen);
      await this.#sleep(500 + 2_000 * this.#roll());
    }
  }

  async #strike(traffic: Traffic, chosen: readonly Nemesis[]): Promise<void> {
    const { haste = 1, say } = this.#options;
    const around = {
      ground: this.#ground,
      roll: this.#roll,
      haste,
      sleep: (ms: number) => this.#sleep(ms),
      dark: this.#watcher.dark,
      served: async (app: string) => {
        const doors = this.#doors.filter((door) => door.app === app);
        const visits = await Promise.all(doors.map((door) => traffic.probe(door)));
        const failed = visits.filter(({ complete }) => !complete);
        if (failed.length > 0)
          this.#wrong.push(`not served: ${failed.map(({ forward }) => forward).join(", ")}`);
      },
    };
    const fromMs = performance.now();
    const name = chosen.map((each) => each.name).join(" + ");
    const frozen = chosen.some(({ kind }) => kind === "process") ? this.#watcher.freeze() : undefined;
    await during(frozen, () => Promise.all(chosen.map((each) => each.act(around))));
    const overMs = performance.now();
    const [served, ready] = await Promise.all([this.#untilServed(traffic), this.#untilReady()]);
    const toMs = performance.now();
    const [servedMs, readyMs] = [served - overMs, ready - overMs];
    const app = chosen.find((each) => each.app !== undefined)?.app;
    this.#strikes.push({ name, fromMs, toMs, app, servedMs, readyMs });
    for (const other of chosen) {
      if (other.app !== undefined && other.app !== app)
        this.#strikes.push({ name, fromMs, toMs, app: other.app, servedMs, readyMs });
    }
    say(
      `${name}: ${Math.round(overMs - fromMs)} ms, served after ${Math.round(servedMs)}, ready after ${Math.round(readyMs)}`,
    );
    for (const [what, ms] of Object.entries({ served: servedMs, ready: readyMs })) {
      if (ms > RECOVERY_MAX_MS) this.#wrong.push(`${what} again ${Math.round(ms)} ms after "${name}"`);
    }
  }

  /** The time when the last forward had served a client again; those that fail are in the records, too. */
  async #untilServed(traffic: Traffic): Promise<number> {
    const served = this.#doors.map(async (door) => {
      const giveUpMs = performance.now() + 3 * RECOVERY_MAX_MS;
      for (;;) {
        const { complete } = await traffic.probe(door);
        if (complete || performance.now() > giveUpMs) return performance.now();
        await this.#sleep(100);
      }
    });
    return Math.max(...(await Promise.all(served)));
  }

  async #untilReady(): Promise<number> {
    const giveUpMs = performance.now() + 3 * RECOVERY_MAX_MS;
    for (;;) {
      const startMs = performance.now();
      const { entries } = await this.#ground.project.status();
      if (entries.every(({ state }) => state === "ready") || startMs > giveUpMs) return startMs;
      await this.#sleep(100);
    }
  }

  async #untilNoneCounted(): Promise<void> {
    const giveUpMs = performance.now() + SETTLE_MS;
    for (;;) {
      const { entries } = await this.#ground.project.status();
      const counted = entries.reduce((sum, { traffic }) => sum + traffic.connections + traffic.held, 0);
      if (counted === 0) return;
      if (performance.now() > giveUpMs) {
        this.#wrong.push(`${counted} connections are still counted`);
        return;
      }
      await this.#sleep(200);
    }
  }

  /** What it holds as soon as that is as wanted, or when it will not be any more. */
  async #holdings(met: (now: Holdings) => boolean): Promise<Holdings> {
    await this.#untilNoneCounted();
    const giveUpMs = performance.now() + SETTLE_MS;
    for (;;) {
      const pid = this.#ground.project.supervisorPid;
      const now = { fds: fdsOf(pid), rssMb: rssOf(pid), ...(await this.#probed?.look()) };
      if (met(now) || performance.now() > giveUpMs) return now;
      await this.#sleep(500);
    }
  }

  #leaks(before: Holdings, after: Holdings): readonly string[] {
    const wrong: string[] = [];
    if (after.fds > before.fds) wrong.push(`${after.fds - before.fds} file descriptors more than before`);
    if (after.rssMb - before.rssMb > RSS_GROWTH_MAX_MB)
      wrong.push(`RSS has grown by ${Math.round(after.rssMb - before.rssMb)} MB`);
    const timers = (after.timers ?? 0) - (before.timers ?? 0);
    if (timers > 0) wrong.push(`${timers} timers more than before`);
    const heap = (after.heapBytes ?? 0) - (before.heapBytes ?? 0);
    if (heap > HEAP_GROWTH_MAX_BYTES) wrong.push(`the heap has grown by ${Math.round(heap / 1e5) / 10} MB`);
    return wrong;
  }

  async #podsLeft(): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const [app, wanted] of Object.entries({ ...REPLICAS, ledger: 1 })) {
      const { length } = await this.#ground.pods(app);
      if (length !== wanted) wrong.push(`${length} pods of ${app}`);
    }
    return wrong;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}

function appOf(forward: string): string {
  return forward.split("-")[0] ?? "";
}
