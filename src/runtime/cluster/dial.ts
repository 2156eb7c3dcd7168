/** Sockets for upgrades, with the credentials that each was made with. */
import type { Clock } from "../deps.ts";
import type { Dialled, RenewableAccess } from "./access.ts";
import { Connector } from "./connector.ts";
import { DialAhead, type AheadEnd } from "./dialahead.ts";
import { Intake } from "./intake.ts";

/** A connection that stands by and is gone sooner is replaced only after a rest, and a longer one each time. */
const STAND_BY_MIN_MS = 1_000;
const REST_MAX_MS = 20_000;

/** Dials one API server, for whoever asks or ahead of that. */
export class Dialler implements Disposable {
  readonly access: RenewableAccess;
  readonly #clock: Clock;
  readonly #connector: Connector;
  readonly #standBys = new Set<() => void>();
  #ahead: DialAhead | undefined;
  #preparedMs = 0;
  #restMs = STAND_BY_MIN_MS;
  #rest: Disposable | undefined;

  constructor(access: RenewableAccess, clock: Clock) {
    this.access = access;
    this.#clock = clock;
    this.#connector = new Connector(access, clock);
  }

  /** Dials for the next {@link dial} while nobody knows yet to which pod: that saves it the handshakes' round trips. */
  prepare(): void {
    if (this.#ahead?.usable) return;
    this.#preparedMs = this.#clock.now();
    this.#rest?.[Symbol.dispose]();
    const ahead: DialAhead = new DialAhead(
      this.#clock,
      (signal) => this.#dialNow(signal),
      (how) => ahead === this.#ahead && this.#standByAgain(how),
    );
    this.#ahead = ahead;
  }

  /**
   * Sees to it that a connection stands ready for each dial, until it is disposed of or one is not to be had: then
   * `tell` is called, once.
   */
  standBy(tell: () => void): Disposable {
    this.#standBys.add(tell);
    this.prepare();
    return { [Symbol.dispose]: () => void this.#standBys.delete(tell) };
  }

  /** @throws KfwdError of exit status 4, or the signal's reason. */
  async dial(signal: AbortSignal): Promise<Dialled> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (this.#standBys.size > 0) this.prepare();
    if (!ahead?.usable) return this.#dialNow(signal);
    const dialled = await ahead.take(signal);
    if (dialled && (await this.#isCurrent(dialled, signal))) return dialled;
    return this.#dialNow(signal);
  }

  /** Gives up what is prepared: it may be dead, or nobody will need it. */
  forgetPrepared(): void {
    this.#ahead?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#standBys.clear();
    this.#rest?.[Symbol.dispose]();
    this.forgetPrepared();
  }

  #standByAgain(how: AheadEnd): void {
    if (this.#standBys.size === 0) return;
    if (how === "failed") {
      const tells = [...this.#standBys];
      this.#standBys.clear();
      for (const tell of tells) tell();
    } else if (this.#clock.now() - this.#preparedMs >= STAND_BY_MIN_MS) {
      this.#restMs = STAND_BY_MIN_MS;
      this.prepare();
    } else {
      this.#rest = this.#clock.timer(this.#restMs, () => this.#standBys.size > 0 && this.prepare());
      this.#restMs = Math.min(2 * this.#restMs, REST_MAX_MS);
    }
  }

  /** A socket that was made with other credentials is closed. */
  async #isCurrent({ socket, credentials }: Dialled, signal: AbortSignal): Promise<boolean> {
    socket.on("error", ignore);
    const current = await this.access.credentials(signal).catch(() => undefined);
    socket.off("error", ignore);
    if (current === credentials && !socket.destroyed) return true;
    socket.on("error", ignore).destroy();
    return false;
  }

  async #dialNow(signal: AbortSignal): Promise<Dialled> {
    const credentials = await this.access.credentials(signal);
    const intake = new Intake();
    const socket = await this.#connector.connect(credentials, signal, intake.onread);
    return { socket, intake: intake.attach(socket), credentials };
  }
}

function ignore(): void {}
