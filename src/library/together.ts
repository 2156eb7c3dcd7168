/** What `up` answers: forwards under their names, and what belongs to all of them under names with a `$`. */
import { addressOf, allVariables, hostOf, needUrl, variablesOf, type Located } from "../schema/exports.ts";
import { KfwdError } from "../errors.ts";
import { quoted } from "../printable.ts";
import type { ForwardStatus } from "../runtime/index.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { suggestFrom } from "../suggest.ts";
import type { EventOptions, Forward, Forwards, Together, Warning } from "./api.ts";
import type { Kept } from "./kept.ts";
import { telling, told } from "./told.ts";

/** Forwards are what can be listed; `$` methods are there and not shown. No prototype: each name is free. */
export function together<Name extends string>(kept: Kept, warnings: readonly Warning[]): Forwards<Name> {
  const forwards = kept.specs.map((spec) => new KeptForward(kept, spec));
  const named = forwards.map((forward) => [forward.name, { value: forward, enumerable: true }] as const);
  const own = Object.getOwnPropertyDescriptors(ownThings(kept, forwards, warnings));
  const hidden = Object.entries(own).map(([name, thing]) => [name, { ...thing, enumerable: false }] as const);
  const symbols = [Symbol.iterator, Symbol.asyncDispose] as const;
  const all: Forwards<Name> = Object.create(null, Object.fromEntries([...named, ...hidden]));
  for (const symbol of symbols) Object.defineProperty(all, symbol, { value: own[symbol].value });
  return all;
}

function ownThings(kept: Kept, forwards: readonly KeptForward[], warnings: readonly Warning[]): Together {
  return {
    $get: (name) => {
      const found = forwards.find((forward) => forward.name === name);
      if (found) return found;
      const hint = suggestFrom(
        name,
        forwards.map((one) => one.name),
        "brought up",
      );
      throw told(
        new KfwdError("UNKNOWN_FORWARD", `no forward named ${quoted(name)} was brought up`, { hint }),
      );
    },
    $events: (options?: EventOptions) => kept.events(options),
    $status: () => kept.report(),
    get $env() {
      return telling(() => Object.fromEntries(allVariables(forwards.map((forward) => forward.located))));
    },
    $project: kept.project,
    $warnings: warnings,
    $closed: kept.closed,
    $close: () => kept.close(),
    [Symbol.iterator]: () => forwards[Symbol.iterator](),
    [Symbol.asyncDispose]: () => kept.close(),
  };
}

/** Getters look at what was heard last. */
class KeptForward implements Forward {
  readonly #kept: Kept;
  readonly #spec: ForwardSpec;

  constructor(kept: Kept, spec: ForwardSpec) {
    this.#kept = kept;
    this.#spec = spec;
  }

  get name(): string {
    return this.#spec.name;
  }

  get host(): string {
    return hostOf(this.#spec);
  }

  get port(): number {
    return this.located.port;
  }

  get address(): string {
    return addressOf(this.located);
  }

  get url(): string {
    return telling(() => needUrl(this.located));
  }

  get env(): Readonly<Record<string, string>> {
    return Object.fromEntries(variablesOf(this.located));
  }

  get isReady(): boolean {
    return this.status.state === "ready";
  }

  get status(): ForwardStatus {
    const status = this.#kept.statusOf(this.name);
    if (status) return status;
    throw new KfwdError("INTERNAL", `nothing was heard of forward ${quoted(this.name)}`);
  }

  /** The forward and its local port. */
  get located(): Located {
    const { local } = this.#spec;
    const port = this.status.localPort ?? (local === "auto" ? undefined : local);
    if (port !== undefined) return { spec: this.#spec, port };
    const hint = this.status.reason?.message;
    throw told(new KfwdError("NOT_RUNNING", `forward ${quoted(this.name)} has no local port`, { hint }));
  }

  close(): Promise<void> {
    return this.#kept.release(this.name);
  }

  /** What can be shown of it. */
  toJSON(): object {
    const { name, host, status } = this;
    return { name, host, port: status.localPort, isReady: this.isReady, status };
  }

  [Symbol.for("nodejs.util.inspect.custom")](): object {
    return this.toJSON();
  }
}
