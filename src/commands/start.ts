/** The start phase of `up`: once the supervisor has the file, watch until it is clear how each forward fares. */
import { KfwdError } from "../errors.ts";
import {
  Board,
  deathText,
  readinessOf,
  type ForwardStatus,
  type Session,
  type SessionEnd,
} from "../runtime/index.ts";
import type { Output } from "./output.ts";
import { fitsTerminal, showStart } from "./render/startview.ts";
import type { Chosen } from "./plan.ts";
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
  /** What is so then. */
  readonly ifLate?: string;
}

/**
 * How a start came out.
 * - `over`: what was waited for came or did not
 * - `ended`: the supervisor has ended meanwhile
 */
type StartOutcome =
  | { readonly kind: "over"; readonly exit: number }
  | { readonly kind: "ended"; readonly end: SessionEnd };

/** One start. `board` and `reporter` go on listening when it is over. */
export class Start {
  readonly board = new Board();
  readonly reporter: Reporter;
  readonly #world: World;
  readonly #out: Output;
  readonly #session: Session;
  readonly #chosen: Chosen;

  constructor(world: World, out: Output, session: Session, chosen: Chosen) {
    this.#world = world;
    this.#out = out;
    this.#session = session;
    this.#chosen = chosen;
    this.reporter = new Reporter(out, world.clock, chosen);
  }

  /** Nothing is left that could ever work. */
  get isHopeless(): boolean {
    return this.#forwards.length > 0 && this.#forwards.every(({ state }) => state === "failed");
  }

  /** Of a start that is interrupted, the outcome means nothing. `refuse` may throw before it is told how it came out. */
  async run(
    patience: Patience,
    interrupt: AbortSignal,
    refuse: () => Promise<void> = () => Promise.resolve(),
  ): Promise<StartOutcome> {
    const { changes, replaced } = this.#session;
    if (replaced) {
      this.#out.note(`removed the lock of pid ${replaced.record.pid}, which ${deathText(replaced.why)}`);
    }
    const { names } = this.#chosen;
    const drawn = this.#out.progress === "terminal" && fitsTerminal(this.#out.stderr, names.length);
    if (drawn) this.reporter.view = "drawn";
    this.reporter.plan(changes);
    for (const { name } of changes.filter(({ action }) => action === "remove")) {
      this.#out.note(`removed ${name}: it is not in the file any more`);
    }
    const unchanged = changes.flatMap(({ name, action }) => (action === "keep" ? [name] : []));
    if (this.#out.progress === "terminal" && unchanged.length > 0) this.#out.note(unchangedText(unchanged));
    if ((await this.#follow()) === "following") await this.#watch(patience, drawn, interrupt);
    if (interrupt.aborted) return { kind: "over", exit: 0 };
    await refuse();
    const end = await this.#endNow();
    return end ? { kind: "ended", end } : { kind: "over", exit: this.#judge(patience) };
  }

  get #forwards(): readonly ForwardStatus[] {
    return this.board.of(this.#chosen.names);
  }

  async #follow(): Promise<"following" | "gone"> {
    try {
      await this.#session.control.follow((event) => {
        this.reporter.take(event); // the line first, then what waits for it
        this.board.take(event);
      });
      return "following";
    } catch (thrown) {
      if (!(thrown instanceof KfwdError) || thrown.code !== "UNRESPONSIVE") throw thrown;
      await this.#session.ended;
      return "gone";
    }
  }

  async #watch({ until, withinMs }: Patience, drawn: boolean, interrupt: AbortSignal): Promise<void> {
    const over = new AbortController();
    const stop = (): void => over.abort();
    const deadline = this.#world.clock.timer(withinMs, stop);
    interrupt.addEventListener("abort", stop, { once: true });
    if (interrupt.aborted) stop();
    void this.#session.ended.then(stop);
    const { names } = this.#chosen;
    const drawing = drawn ? showStart(this.#out.stderr, names, this.board, over.signal) : undefined;
    await this.board.until(() => {
      if (!this.board.haveSpoken(this.#chosen.names)) return false;
      return until === "words" || readinessOf(this.#forwards).verdict !== "pending";
    }, over.signal);
    stop();
    await drawing;
    deadline[Symbol.dispose]();
    interrupt.removeEventListener("abort", stop);
    if (drawn) this.reporter.conclude();
  }

  /** How the supervisor ended, if it has. */
  #endNow(): Promise<SessionEnd | undefined> {
    const { ended } = this.#session;
    return this.board.ended === undefined ? Promise.race([ended, Promise.resolve(undefined)]) : ended;
  }

  #judge({ strict, withinMs, ifLate = "all stay up" }: Patience): number {
    const readiness = readinessOf(this.#forwards);
    const failed = readinessOf(this.#forwards.filter(({ state }) => state === "failed"));
    const gone = this.#chosen.names.filter((name) => this.board.of([name]).every(isStopped));
    if (strict && gone.length > 0) {
      throw new KfwdError("FORWARD_FAILED", `stopped from elsewhere while it started: ${gone.join(", ")}`);
    }
    const exit = strict ? readiness.exit : failed.exit;
    if (strict && readiness.verdict === "pending") {
      const late = readiness.late.map(({ name, state, reason }) => `${name} (${reason?.code ?? state})`);
      const count = `${late.length} of ${readiness.total}`;
      const message = `${count} not ready after ${withinMs / 1_000} s: ${late.join(", ")}; ${ifLate}`;
      this.#out.error(new KfwdError("NOT_READY_IN_TIME", message));
    }
    this.reporter.summary(readiness, exit); // the last line, which scripts wait for
    return exit;
  }
}

/** Names that a line has room for. */
const UNCHANGED_SHOWN = 10;

function unchangedText(names: readonly string[]): string {
  const shown = names.slice(0, UNCHANGED_SHOWN).join(", ");
  const more = names.length - UNCHANGED_SHOWN;
  return `unchanged: ${shown}${more > 0 ? ` and ${more} more` : ""}`;
}

function isStopped({ state }: ForwardStatus): boolean {
  return state === "stopped";
}
