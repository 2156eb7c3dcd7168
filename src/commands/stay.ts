/** The foreground after the start: tells what changes until a signal comes or the supervisor ends. */
import { readinessOf, type Board, type Session } from "../runtime/index.ts";
import type { Output } from "./output.ts";
import type { Reporter } from "./reporter.ts";
import type { Interrupt, World } from "./world.ts";

/** A second Ctrl-C this soon after the first is the same one, delivered twice by a wrapper. */
const SAME_PRESS_MS = 50;

/** What the start leaves behind. */
export interface Started {
  readonly board: Board;
  readonly reporter: Reporter;
  readonly names: readonly string[];
  readonly drainMs: number;
  /** Exit status when nothing else goes wrong. */
  readonly exit: number;
  /** Listen until whoever made them disposes of them, after the session. */
  readonly interrupts: Interrupts;
}

/** Resolves with the exit status. */
export async function stay(out: Output, session: Session, started: Started): Promise<number> {
  const { board, reporter, names, interrupts } = started;
  const over = new AbortController();
  try {
    const watching = board.until((b) => {
      reporter.summary(readinessOf(b.of(names)), started.exit);
      return false;
    }, over.signal);
    const first = await Promise.race([
      interrupts.next(),
      session.ended,
      watching.then(() => "the supervisor ended"),
    ]);
    if (!isInterrupt(first)) {
      out.note(`kfwd: ended: ${board.ended ?? first}`);
      return board.ended === "stopped" ? started.exit : 1;
    }
    over.abort();
    if (session.kind !== "here") {
      out.note("detached: the forwards stay up, `kfwd down` stops them");
      return 0;
    }
    return await end(out, session, started);
  } finally {
    over.abort();
  }
}

/** The first signal drains, the second does not wait. */
async function end(out: Output, session: Session, started: Started): Promise<number> {
  const { board, names, drainMs, exit, interrupts } = started;
  const report = await session.control.status();
  const open = report.entries.reduce((sum, { traffic }) => sum + traffic.connections, 0);
  out.note(open === 0 ? "stopping" : `draining ${open} connections, Ctrl-C again to force`);
  const stopped = session.control.stop({ names: null, drainMs }).then(() => "stopped" as const);
  const how = await Promise.race([stopped, interrupts.next()]);
  if (how !== "stopped") {
    await session.control.stop({ names: null, drainMs: 0 });
    return 130;
  }
  out.note(`${board.of(names).length} forwards stopped`);
  return exit;
}

function isInterrupt(text: string): text is Interrupt {
  return text === "SIGINT" || text === "SIGTERM" || text === "SIGHUP";
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
      const wanted = this.#wanted;
      this.#wanted = undefined;
      if (wanted) wanted(signal);
      else this.#came.push(signal);
    });
  }

  next(): Promise<Interrupt> {
    const came = this.#came.shift();
    return came ? Promise.resolve(came) : new Promise((resolve) => (this.#wanted = resolve));
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }
}
