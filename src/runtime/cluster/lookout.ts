/**
 * Whether an API server can be reached at all. While it cannot, one small dial every few seconds looks for it, in place of
 * those of all forwards and watches, and everybody is told when it is back.
 */
import { KfwdError } from "../../errors.ts";
import type { Clock, Log, Random } from "../deps.ts";
import type { Reachability } from "./access.ts";
import { isDistrust } from "./failures.ts";

/** The first look comes soon: most often the server was merely restarted. */
const FIRST_WAIT_MS = 250;

/** With what a look takes, a server is found five seconds after it is back at the latest. */
const WAIT_MAX_MS = 2_500;

/** A certificate that is not the server's is that of a login page or of a company's proxy: people take their time. */
const DISTRUST_WAIT_MS = 15_000;

/** A server that is there answers sooner; a packet that was lost is sent again after one second. */
const LOOK_MS = 2_000;

/** Every so often a look has all the time that a dial has: the way may be slow, and not blocked. */
const PATIENT_EVERY = 3;

/** What a {@link Lookout} needs of the world. */
export interface LookoutDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly context: string;
  /** Dials, and hangs up. @throws KfwdError, or the signal's reason. */
  probe(signal: AbortSignal): Promise<void>;
}

/** `doubted`: one dial has failed, and a look is under way that nobody waits for. */
type Stage =
  | { readonly kind: "reached" }
  | { readonly kind: "doubted"; readonly because: KfwdError | undefined }
  | { readonly kind: "down"; readonly trouble: KfwdError; readonly looks: number };

/** Of one server and user. Disposing ends its looks. */
export class Lookout implements Reachability, Disposable {
  readonly #deps: LookoutDeps;
  readonly #tells = new Set<() => void>();
  #stage: Stage = { kind: "reached" };
  #looking: AbortController | undefined;
  #wait: Disposable | undefined;
  /** What was said of it last, so that nothing is said twice, and since when; undefined: it is well. */
  #said: { readonly words: string; readonly sinceMs: number } | undefined;
  #looks = 0;

  constructor(deps: LookoutDeps) {
    this.#deps = deps;
  }

  /** Why a dial is of no use now. */
  get trouble(): KfwdError | undefined {
    return this.#stage.kind === "down" ? this.#stage.trouble : undefined;
  }

  /** `tell` is called whenever the server is back, until disposed. */
  onBack(tell: () => void): Disposable {
    this.#tells.add(tell);
    return { [Symbol.dispose]: () => void this.#tells.delete(tell) };
  }

  /** A dial came to nothing. What was not about the way there is no matter of ours. */
  failed(thrown: unknown): void {
    if (this.#stage.kind !== "reached" || !isAboutTheWay(thrown)) return;
    this.#stage = { kind: "doubted", because: KfwdError.from(thrown) };
    void this.#look(LOOK_MS);
  }

  /** A dial came about. */
  reached(): void {
    const { kind } = this.#stage;
    this.#rest();
    this.#stage = { kind: "reached" };
    if (kind !== "down" && this.#said === undefined) return;
    if (this.#said) {
      const downMs = Math.round(this.#deps.clock.now() - this.#said.sinceMs);
      this.#deps.log.info("reachable", { context: this.#deps.context, downMs, looks: this.#looks });
    }
    this.#said = undefined;
    this.#looks = 0;
    for (const tell of this.#tells) tell();
  }

  /** The network may be another one, or somebody wants to know now: whoever dials finds out. */
  wake(): void {
    this.#rest();
    this.#stage = { kind: "reached" };
  }

  /** What somebody else met may come of there being no way to the server: looks now, and says what is in the way. */
  async ask(): Promise<KfwdError | undefined> {
    if (this.#stage.kind !== "down") {
      this.#rest();
      this.#stage = { kind: "doubted", because: undefined };
      await this.#look(LOOK_MS);
    }
    return this.trouble;
  }

  [Symbol.dispose](): void {
    this.#tells.clear();
    this.#rest();
  }

  #rest(): void {
    this.#wait?.[Symbol.dispose]();
    this.#wait = undefined;
    this.#looking?.abort(new KfwdError("UNREACHABLE", "the look has been called off"));
    this.#looking = undefined;
  }

  /** Without a limit it ends by those of the dial. */
  async #look(limitMs?: number): Promise<void> {
    const looking = new AbortController();
    this.#looking = looking;
    this.#looks++;
    const limit =
      limitMs === undefined
        ? undefined
        : this.#deps.clock.timer(limitMs, () => looking.abort(this.#late(limitMs)));
    let failure: unknown;
    try {
      await this.#deps.probe(looking.signal);
    } catch (thrown) {
      failure = thrown;
    } finally {
      limit?.[Symbol.dispose]();
    }
    if (this.#looking !== looking) return; // called off
    this.#looking = undefined;
    if (isAboutTheWay(failure)) this.#down(KfwdError.from(failure));
    else this.reached();
  }

  /** A look that was short of time says less than what was said before. */
  #late(limitMs: number): KfwdError {
    const { context } = this.#deps;
    const late = `the API server (context "${context}") cannot be reached within ${limitMs / 1000} s`;
    const before = this.#stage.kind === "doubted" ? this.#stage.because : this.trouble;
    return before ?? new KfwdError("UNREACHABLE", late);
  }

  #down(trouble: KfwdError): void {
    const { clock, random, log, context } = this.#deps;
    const looks = this.#stage.kind === "down" ? this.#stage.looks + 1 : 1;
    this.#stage = { kind: "down", trouble, looks };
    if (this.#said?.words !== trouble.message) {
      log.warn("unreachable", { context, reason: trouble.message });
      this.#said = { words: trouble.message, sinceMs: this.#said?.sinceMs ?? clock.now() };
    }
    const bound = isDistrust(trouble)
      ? DISTRUST_WAIT_MS
      : Math.min(WAIT_MAX_MS, FIRST_WAIT_MS * 2 ** (looks - 1));
    const isPatient = looks % PATIENT_EVERY === 0;
    this.#wait = clock.timer(bound * (0.6 + 0.4 * random()), () => {
      this.#wait = undefined;
      void this.#look(isPatient ? undefined : LOOK_MS);
    });
  }
}

/** Names, networks, certificates, deadlines; not passwords and rights. */
function isAboutTheWay(thrown: unknown): boolean {
  return thrown instanceof KfwdError && thrown.code === "UNREACHABLE";
}
