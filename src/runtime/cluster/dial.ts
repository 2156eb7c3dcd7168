/** Sockets for upgrades, with the credentials that each was made with. */
import type { Clock } from "../deps.ts";
import type { Dialled, RenewableAccess } from "./access.ts";
import { Connector } from "./connector.ts";
import { DialAhead } from "./dialahead.ts";
import { Intake } from "./intake.ts";

/** Dials one API server, for whoever asks or ahead of that. */
export class Dialler implements Disposable {
  readonly access: RenewableAccess;
  readonly #clock: Clock;
  readonly #connector: Connector;
  #ahead: DialAhead | undefined;

  constructor(access: RenewableAccess, clock: Clock) {
    this.access = access;
    this.#clock = clock;
    this.#connector = new Connector(access, clock);
  }

  /** Dials for the next {@link dial} while nobody knows yet to which pod: that saves it the handshakes' round trips. */
  prepare(): void {
    if (!this.#ahead?.usable) this.#ahead = new DialAhead(this.#clock, (signal) => this.#dialNow(signal));
  }

  /** @throws KfwdError of exit status 4, or the signal's reason. */
  async dial(signal: AbortSignal): Promise<Dialled> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
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
    this.forgetPrepared();
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
