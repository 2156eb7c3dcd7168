/** `local: auto`: which port a forward gets. It keeps the one it had, and takes none that another forward must have. */
import { KfwdError } from "../../errors.ts";
import type { ForwardSpec } from "../../schema/spec.ts";
import type { LocalAddress } from "../core/status.ts";
import type { AutoPorts, PortStore } from "../deps.ts";

/** A busy port may take 30 ms to be explained. */
const TRIES_MAX = 200;

/** The ports of one project. */
export class KeptPorts implements AutoPorts {
  readonly #store: PortStore;
  /** The last port of each forward. */
  readonly #last: Map<string, number>;
  #reserved: ReadonlySet<number> = new Set();

  constructor(store: PortStore) {
    this.#store = store;
    this.#last = new Map(store.read());
  }

  /** Takes note of the ports that other forwards of the file are to have, whether they have them yet or not. */
  reserve(specs: readonly ForwardSpec[]): void {
    this.#reserved = new Set(specs.flatMap(({ local }) => (local === "auto" ? [] : [local])));
  }

  /** The ports to try in their order: the last one, the others of the range from the lowest; 0 is any. */
  candidates({ name, localRange }: Pick<ForwardSpec, "name" | "localRange">): readonly number[] {
    const last = this.#last.get(name);
    const isLastFit =
      last !== undefined &&
      !this.#reserved.has(last) &&
      (localRange === undefined || (last >= localRange.first && last <= localRange.last));
    const first = isLastFit ? [last] : [];
    if (localRange === undefined) return [...first, 0];
    const others = new Set([...this.#last].filter(([owner]) => owner !== name).map(([, port]) => port));
    const free: number[] = [];
    const lent: number[] = [];
    for (let port = localRange.first; port <= localRange.last; port++) {
      if (port === last || this.#reserved.has(port)) continue;
      (others.has(port) ? lent : free).push(port);
    }
    return [...first, ...free, ...lent].slice(0, TRIES_MAX);
  }

  /** Remembers the port that a forward got. */
  keep(name: string, port: number): void {
    if (this.#last.get(name) === port) return;
    for (const [owner, had] of this.#last) if (had === port) this.#last.delete(owner);
    this.#last.set(name, port);
    this.#store.write([...this.#last]);
  }
}

/** Binds the local side of a forward: `listen` tries one port. @throws what `listen` throws. */
export async function listenFor<L extends { readonly local: readonly LocalAddress[] }>(
  autoPorts: AutoPorts,
  spec: ForwardSpec,
  listen: (port: number) => Promise<L>,
): Promise<L> {
  const { local, name, localRange } = spec;
  if (local !== "auto") return listen(local);
  for (const port of autoPorts.candidates(spec)) {
    try {
      const listener = await listen(port);
      const got = listener.local[0]?.port;
      if (got !== undefined) autoPorts.keep(name, got);
      return listener;
    } catch (thrown) {
      if (!(thrown instanceof KfwdError) || thrown.code !== "PORT_BUSY" || port === 0) throw thrown;
    }
  }
  const range = `${localRange?.first}-${localRange?.last}`;
  throw new KfwdError("PORT_BUSY", `cannot bind a port of ${range} for forward "${name}": none is free`, {
    hint: "widen its range, or stop a program that has one of these ports",
  });
}
