/** The start phase of `up`: apply the file, then watch until it is clear how each forward fares. */
import { KfwdError } from "../errors.ts";
import { Board, readinessOf, type ForwardStatus, type Session, type UpPlan } from "../runtime/index.ts";
import type { Output } from "./output.ts";
import { deathText } from "./render/death.ts";
import { fitsTerminal, showStart } from "./render/startview.ts";
import { Reporter } from "./reporter.ts";
import type { World } from "./world.ts";

/** What a start waits for. */
export interface Patience {
  /**
   * - `words`: a first word on each forward
   * - `ready`: all that is required is ready, or needs a person
   */
  readonly until: "words" | "ready";
  readonly withinMs: number;
  /** Whether what is not ready then is a failure. */
  readonly strict: boolean;
}

/** The forwards that a command is about. */
export interface Chosen {
  readonly names: readonly string[];
  /** The user named them: the others are left alone. */
  readonly only: boolean;
}

/** One start. `board` and `reporter` go on listening when it is over. */
export class Start {
  readonly board = new Board();
  readonly reporter: Reporter;
  readonly #world: World;
  readonly #out: Output;
  readonly #session: Session;
  readonly #names: readonly string[];

  constructor(world: World, out: Output, session: Session, names: readonly string[]) {
    this.#world = world;
    this.#out = out;
    this.#session = session;
    this.#names = names;
    this.reporter = new Reporter(out, world.clock, names);
  }

  /** Nothing is left that could ever work. */
  get isHopeless(): boolean {
    return this.#forwards.length > 0 && this.#forwards.every(({ state }) => state === "failed");
  }

  /** Resolves with the exit status of the start; 0 when it was interrupted. */
  async run(plan: UpPlan, only: boolean, patience: Patience, interrupt: AbortSignal): Promise<number> {
    const { control, replaced } = this.#session;
    if (replaced) {
      this.#out.note(`removed the lock of pid ${replaced.record.pid}, which ${deathText(replaced.why)}`);
    }
    const drawn = this.#out.progress === "terminal" && fitsTerminal(this.#out.stderr, this.#names.length);
    if (drawn) this.reporter.view = "drawn";
    const { config, project, forwards } = plan;
    const { changes } = await control.apply({
      project,
      config: { path: config.path, sha256: config.sha256 },
      forwards,
      names: only ? this.#names : null,
    });
    this.reporter.plan(changes);
    for (const { name } of changes.filter(({ action }) => action === "remove")) {
      this.#out.note(`removed ${name}: it is not in the file any more`);
    }
    await control.follow((event) => {
      this.reporter.take(event); // the line first, then what waits for it
      this.board.take(event);
    });
    await this.#watch(patience, drawn, interrupt);
    return interrupt.aborted ? 0 : this.#judge(patience);
  }

  get #forwards(): readonly ForwardStatus[] {
    return this.board.of(this.#names);
  }

  async #watch({ until, withinMs }: Patience, drawn: boolean, interrupt: AbortSignal): Promise<void> {
    const over = new AbortController();
    const stop = (): void => over.abort();
    const deadline = this.#world.clock.timer(withinMs, stop);
    interrupt.addEventListener("abort", stop, { once: true });
    if (interrupt.aborted) stop();
    const drawing = drawn ? showStart(this.#out.stderr, this.#names, this.board, over.signal) : undefined;
    await this.board.until(() => {
      const spoken = this.#forwards.length === this.#names.length && this.#forwards.every(hasSpoken);
      return spoken && (until === "words" || readinessOf(this.#forwards).verdict !== "pending");
    }, over.signal);
    stop();
    await drawing;
    deadline[Symbol.dispose]();
    interrupt.removeEventListener("abort", stop);
    if (drawn) this.reporter.conclude();
  }

  #judge({ strict, withinMs }: Patience): number {
    const readiness = readinessOf(this.#forwards);
    const failed = readinessOf(this.#forwards.filter(({ state }) => state === "failed"));
    const exit = strict ? readiness.exit : failed.exit;
    if (strict && readiness.verdict === "pending") {
      const late = readiness.late.map(({ name, state, reason }) => `${name} (${reason?.code ?? state})`);
      const count = `${late.length} of ${readiness.total}`;
      const message = `${count} not ready after ${withinMs / 1_000} s: ${late.join(", ")}; all stay up`;
      this.#out.error(new KfwdError("NOT_READY_IN_TIME", message));
    }
    this.reporter.summary(readiness, exit); // the last line, which scripts wait for
    return exit;
  }
}

function hasSpoken({ state }: ForwardStatus): boolean {
  return state === "ready" || state === "waiting" || state === "failed";
}
