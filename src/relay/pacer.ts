/**
 * How fast a burst goes out to one target. All that came in one turn would go out within a millisecond, and the default
 * receive buffer of a Linux socket has room for less than 300 small datagrams: the application would lose the rest
 * before it is scheduled at all.
 */

/** At once; a large datagram counts as several. */
const BURST = 64;

/** So many thousand datagrams a second, of who sends a burst and of who sends as much all the time. */
const PER_MS = 20;
const STEADY_PER_MS = 100;

/** Who is held back for so long sends no burst. */
const STEADY_AFTER_MS = 50;

/** What one unit stands for. */
const UNIT_BYTES = 2_048;

/** Of one target; its flows wait in line. */
export class Pacer {
  #left = BURST;
  #sinceMs = performance.now();
  /** Since when there was always somebody to hold back. */
  #heldSinceMs: number | undefined;
  #line: (() => void)[] = [];
  #serving: "no" | "due" = "no";

  /** Whether a datagram of this length may go now. */
  take(bytes: number): boolean {
    if (this.#left <= 0) this.#refill();
    if (this.#left <= 0) return false;
    this.#left -= 1 + Math.floor(bytes / UNIT_BYTES);
    return true;
  }

  /** Calls once when some may go again. */
  whenFree(go: () => void): void {
    this.#line.push(go);
    if (this.#serving === "due") return;
    this.#serving = "due";
    setTimeout(() => this.#serve(), 1);
  }

  #serve(): void {
    this.#serving = "no";
    const line = this.#line;
    this.#line = [];
    for (const go of line) go();
  }

  #refill(): void {
    const nowMs = performance.now();
    this.#heldSinceMs ??= nowMs;
    const perMs = nowMs - this.#heldSinceMs < STEADY_AFTER_MS ? PER_MS : STEADY_PER_MS;
    const more = Math.floor((nowMs - this.#sinceMs) * perMs);
    if (more <= 0) return;
    this.#left += more;
    this.#sinceMs = nowMs;
    if (this.#left < BURST) return;
    this.#left = BURST;
    this.#heldSinceMs = undefined;
  }
}

/** Those of one tunnel, by target. */
export class Pacers {
  readonly #pacers = new Map<string, { readonly pacer: Pacer; users: number }>();

  /** To be given back with {@link leave}. */
  join(target: string): Pacer {
    const known = this.#pacers.get(target) ?? { pacer: new Pacer(), users: 0 };
    known.users++;
    this.#pacers.set(target, known);
    return known.pacer;
  }

  leave(target: string): void {
    const known = this.#pacers.get(target);
    if (known && --known.users === 0) this.#pacers.delete(target);
  }
}
