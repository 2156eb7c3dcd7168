import type { ForwardStatus } from "../../src/runtime/core/status.ts";
import type { Project } from "../rig/project.ts";

/** A look each second and a half; it is a whole command. */
const EVERY_MS = 1_500;

/** A status that takes longer is no status, however busy the machine. */
const LATE_MS = 10_000;

interface Dark {
  readonly fromMs: number;
  readonly app: string | undefined;
}

/** Looks at `status` all the while, and knows what cannot be true. */
export class Watcher {
  /** What it said that was not so. */
  readonly lies: string[] = [];
  /** How long each look took. */
  readonly tookMs: number[] = [];
  readonly #project: Project;
  readonly #appOf: (forward: string) => string;
  readonly #dark = new Set<Dark>();
  #frozen = 0;
  #thaws = 0;
  #stage: "watching" | "over" = "watching";
  #looking: Promise<void> = Promise.resolve();

  constructor(project: Project, appOf: (forward: string) => string) {
    this.#project = project;
    this.#appOf = appOf;
  }

  start(): void {
    this.#looking = this.#watch();
  }

  /** From a moment after now until it is disposed no forward to the app, or to any, may be called ready. */
  readonly dark = (afterMs: number, app?: string): Disposable => {
    const dark = { fromMs: performance.now() + afterMs, app };
    this.#dark.add(dark);
    return { [Symbol.dispose]: () => void this.#dark.delete(dark) };
  };

  /** Until it is disposed nobody answers. */
  freeze(): Disposable {
    this.#frozen++;
    return {
      [Symbol.dispose]: () => {
        this.#frozen--;
        this.#thaws++;
      },
    };
  }

  async end(): Promise<void> {
    this.#stage = "over";
    await this.#looking;
  }

  async #watch(): Promise<void> {
    while (this.#stage === "watching") {
      await this.#look();
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }

  async #look(): Promise<void> {
    const startMs = performance.now();
    const darkBefore = [...this.#dark].filter(({ fromMs }) => fromMs <= startMs);
    const thawsBefore = this.#thaws;
    const wasFrozen = this.#frozen > 0;
    try {
      const { entries } = await this.#project.status();
      const tookMs = performance.now() - startMs;
      if (wasFrozen || this.#frozen > 0 || this.#thaws !== thawsBefore) return;
      this.tookMs.push(tookMs);
      if (tookMs > LATE_MS) this.lies.push(`status took ${Math.round(tookMs)} ms`);
      const stillDark = darkBefore.filter((dark) => this.#dark.has(dark));
      for (const entry of entries) this.#judge(entry, stillDark, startMs);
    } catch (thrown) {
      if (wasFrozen || this.#frozen > 0 || this.#thaws !== thawsBefore) return;
      this.lies.push(`no status though the supervisor runs: ${String(thrown)}`);
    }
  }

  #judge({ name, state, reason, pod }: ForwardStatus, darkness: readonly Dark[], nowMs: number): void {
    if (state === "waiting" && reason === null) this.lies.push(`${name} waits without a reason`);
    if (state === "failed" || state === "stopped") this.lies.push(`${name} is ${state}`);
    if (state !== "ready") return;
    if (pod === null) this.lies.push(`${name} is ready without a pod`);
    const app = this.#appOf(name);
    const dark = darkness.find((each) => each.app === undefined || each.app === app);
    if (dark)
      this.lies.push(
        `${name} is called ready ${Math.round(nowMs - dark.fromMs)} ms after it could be (${pod})`,
      );
  }
}
