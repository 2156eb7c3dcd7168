/** Addresses of host names, also while the name server is slow, gone, or that of another network. */
import { lookup as systemLookup, type LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import type { Clock } from "../deps.ts";

/** A name server that is well answers in milliseconds. */
const LIMIT_MS = 5_000;

/** What worked before is tried when the name server has been silent for this long. */
const PATIENCE_MS = 1_000;

/** Hosts that are remembered: API servers come by the dozen, not by the thousand. */
const HOSTS_MAX = 256;

/** Asks the system, which may take as long as it likes. */
export type Ask = (host: string) => Promise<readonly LookupAddress[]>;

/** Where a host is: as the name server says, or as it was when a connection last came about. */
export interface Whereabouts {
  readonly addresses: readonly LookupAddress[];
  /** What the name server said, or failed to say, where these addresses are from before. */
  readonly doubt: Error | undefined;
}

/**
 * The system answers through a few threads that files need too, and may hold one for half a minute: so nobody asks for a
 * host again while it is being asked for.
 */
export class Names {
  readonly #clock: Clock;
  readonly #ask: Ask;
  readonly #asking = new Map<string, Promise<readonly LookupAddress[]>>();
  readonly #proven = new Map<string, readonly LookupAddress[]>();

  constructor(clock: Clock, ask: Ask = askSystem) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** @throws what the system says of the name, an `EAI_AGAIN` after five seconds, or the signal's reason. */
  async find(host: string, signal: AbortSignal): Promise<Whereabouts> {
    signal.throwIfAborted();
    const known = this.#proven.get(host);
    try {
      const addresses = await this.#within(known ? PATIENCE_MS : LIMIT_MS, this.#askOnce(host), signal);
      return { addresses, doubt: undefined };
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      const doubt = thrown instanceof Error ? thrown : new Error(String(thrown));
      if (known === undefined) throw doubt;
      return { addresses: known, doubt };
    }
  }

  /** A connection to the host came about at one of these. */
  worked(host: string, { addresses, doubt }: Whereabouts): void {
    if (doubt) return;
    this.#proven.delete(host);
    this.#proven.set(host, addresses);
    const [oldest] = this.#proven.keys();
    if (this.#proven.size > HOSTS_MAX && oldest !== undefined) this.#proven.delete(oldest);
  }

  #askOnce(host: string): Promise<readonly LookupAddress[]> {
    const asking = this.#asking.get(host) ?? this.#ask(host).finally(() => this.#asking.delete(host));
    this.#asking.set(host, asking);
    return asking;
  }

  #within<T>(ms: number, work: Promise<T>, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const limit = this.#clock.timer(ms, () => reject(noAnswer()));
      const onAbort = (): void => reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      work.then(resolve, reject).finally(() => {
        limit[Symbol.dispose]();
        signal.removeEventListener("abort", onAbort);
      });
    });
  }
}

/** For a socket that is to connect to these and to nothing else. */
export function lookupOf({ addresses }: Whereabouts): LookupFunction {
  return (_host, options, found) => {
    const [first] = addresses;
    // Later, as the system does: where there is no route the socket fails at once, before anybody listens to it.
    queueMicrotask(() => {
      if (options.all) found(null, [...addresses]);
      else if (first) found(null, first.address, first.family);
      else found(noAnswer(), "", 0);
    });
  };
}

function askSystem(host: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(host, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });
}

function noAnswer(): Error {
  return Object.assign(new Error("no answer from the name server"), { code: "EAI_AGAIN" });
}
