/** The foreground after the start: tells what changes until a signal comes or the supervisor ends. */
import {
  readinessOf,
  type Board,
  type Session,
  type SessionEnd,
  type StatusReport,
} from "../runtime/index.ts";
import { KeyView, type KeyDeps } from "./keyview.ts";
import type { Output } from "./output.ts";
import type { Chosen } from "./plan.ts";
import { countText, stoppedText } from "./render/forward.ts";
import type { Reporter } from "./reporter.ts";
import type { Rereader } from "./reread.ts";
import type { Interrupt, World } from "./world.ts";

/** A second Ctrl-C this soon after the first is the same one, delivered twice by a wrapper. */
const SAME_PRESS_MS = 50;

/** What the start leaves behind. */
export interface Started {
  readonly board: Board;
  readonly reporter: Reporter;
  readonly chosen: Chosen;
  readonly drainMs: number;
  /** Exit status when nothing else goes wrong. */
  readonly exit: number;
  /** Listen until whoever made them disposes of them, after the session. */
  readonly interrupts: Interrupts;
  /** What the keys of the terminal act on besides; undefined where nobody listens to them. */
  readonly keys: Pick<KeyDeps, "specs" | "rereader"> | undefined;
  /** Is stopped as soon as we are to end or leave. Absent where no files are read. */
  readonly rereader?: Rereader;
}

/** Resolves with the exit status. @throws as {@link leave}. */
export async function stay(world: World, out: Output, session: Session, started: Started): Promise<number> {
  const { board, reporter, interrupts, chosen, keys } = started;
  const over = new AbortController();
  let view: KeyView | undefined;
  try {
    const detached = new Promise<"detach">((resolve) => {
      if (keys === undefined) return;
      const onQuit = (): void => interrupts.push("SIGINT");
      const onDetach = (): void => resolve("detach");
      view = new KeyView({ ...keys, world, out, session, board, chosen, onQuit, onDetach });
    });
    void board.until(() => {
      summarise(started);
      return false;
    }, over.signal);
    const first = await Promise.race([interrupts.next(), session.ended, detached]);
    over.abort();
    started.rereader?.stop();
    view?.[Symbol.dispose](); // Ctrl-C is a signal again
    if (typeof first === "object") return leave(reporter, first, started.exit);
    const goesOn = session.kind === "joined" || session.kind === "started";
    if (first === "detach" && !goesOn) await session.control.release({ names: null, to: "project" });
    if (first === "detach" || goesOn) {
      out.note("detached: the forwards stay up, `kfwd down` stops them");
      return 0;
    }
    return await end(out, session, started);
  } finally {
    over.abort();
    view?.[Symbol.dispose]();
  }
}

/** Tells that the supervisor ended without our doing. @throws the KfwdError of one that was lost. */
export function leave(reporter: Reporter, end: SessionEnd, exit: number): number {
  if (end.kind === "lost") throw end.error;
  reporter.stopped();
  return exit;
}

/** Nothing is said of the whole while a part of it is on its way out: what counts is what stays. */
function summarise({ board, chosen, exit, reporter }: Started): void {
  const forwards = chosen.only ? board.of(chosen.names) : board.all;
  const leaving = forwards.some(
    ({ name, state }) => state === "stopping" || (state === "stopped" && !board.isHalted(name)),
  );
  const readiness = readinessOf(forwards);
  if (readiness.total > 0 && !leaving) reporter.summary(readiness, exit);
}

/** The first signal drains, the second does not wait. */
async function end(out: Output, session: Session, started: Started): Promise<number> {
  const { drainMs, exit, interrupts } = started;
  const report = await session.control.status();
  const staying = session.kind === "claimed" ? wantedByOthers(report) : [];
  const leaving = report.entries.filter(({ name }) => !staying.includes(name));
  const open = leaving.reduce((sum, { traffic }) => sum + traffic.connections, 0);
  out.note(open === 0 ? "stopping" : `draining ${countText(open, "connection")}, Ctrl-C again to force`);
  const names = staying.length === 0 ? null : leaving.map(({ name }) => name);
  const how = await Promise.race([session.control.stop({ names, drainMs }), interrupts.next()]);
  if (typeof how === "string") {
    if (names === null) await session.control.stop({ names, drainMs: 0 });
    return 130;
  }
  out.note(stoppedText(how.stopped.length));
  if (staying.length > 0) out.note(`others want them, so they stay up: ${staying.join(", ")}`);
  else await Promise.race([session.ended, interrupts.next()]); // what it leaves behind in the cluster goes with it
  return exit;
}

/** Forwards that a project keeps or another program needs. */
function wantedByOthers({ entries, owners = [], kept = [] }: StatusReport): readonly string[] {
  const others = owners.filter(({ pid }) => pid !== process.pid).flatMap(({ names }) => names);
  const wanted = new Set([...kept, ...others]);
  return entries.map(({ name }) => name).filter((name) => wanted.has(name));
}

/** Signals one after the other; one that came early waits. */
export class Interrupts implements Disposable {
  readonly #listening: Disposable;
  readonly #came: Interrupt[] = [];
  #wanted: ((signal: Interrupt) => void) | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor({ clock, onInterrupt }: World) {
    this.#listening = onInterrupt((signal) => {
      if (clock.now() - this.#lastMs < SAME_PRESS_MS) return;
      this.#lastMs = clock.now();
      this.push(signal);
    });
  }

  /** As if the signal had come. */
  push(signal: Interrupt): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    if (wanted) wanted(signal);
    else this.#came.push(signal);
  }

  next(): Promise<Interrupt> {
    const came = this.#came.shift();
    return came ? Promise.resolve(came) : new Promise((resolve) => (this.#wanted = resolve));
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }
}
