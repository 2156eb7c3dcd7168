/** One reflector per API server and namespace for everyone who needs it. */
import type { Kind } from "./objects.ts";
import {
  Reflector,
  type View,
  type ReflectorSurroundings,
  type Wanted,
  type WakeReason,
} from "./reflector.ts";
import type { RestClient } from "./rest.ts";

/** A share of a reflector. It ends with the last share that is disposed. */
export interface Share<T> extends Disposable, View<T> {}

interface Entry<T> {
  readonly reflector: Reflector<T>;
  /** Each with the name that it wants; undefined: all. */
  readonly listeners: Map<() => void, string | undefined>;
}

/** The reflectors of one kind. Disposing ends them all. */
export class SharedReflectors<T> implements AsyncDisposable {
  readonly #kind: Kind<T>;
  readonly #entries = new Map<RestClient, Map<string, Entry<T>>>();
  readonly #closing = new Set<PromiseLike<void>>();

  constructor(kind: Kind<T>) {
    this.#kind = kind;
  }

  /**
   * `onChange` is called after each change of objects or state, never from within this call. One who needs but the
   * object of one name says so, and is served where a user may read no other; there may be no other in its share.
   */
  share(around: ReflectorSurroundings, namespace: string, onChange: () => void, name?: string): Share<T> {
    const { reflector, listeners } = this.#entry(around, namespace);
    const listener = (): void => onChange(); // a new function, since two shares may bring the same one
    listeners.set(listener, name);
    reflector.wake("look");
    return {
      get state() {
        return reflector.view(name).state;
      },
      get objects() {
        return reflector.view(name).objects;
      },
      get scope() {
        return reflector.view(name).scope;
      },
      [Symbol.dispose]: () => {
        if (listeners.delete(listener) && listeners.size === 0)
          this.#close(around.rest, namespace, reflector);
      },
    };
  }

  /** Whoever shares the objects of this namespace looks at them again, though they have not changed. */
  remind(rest: RestClient, namespace: string): void {
    for (const listener of this.#entries.get(rest)?.get(namespace)?.listeners.keys() ?? []) listener();
  }

  /** @see Reflector.wake. With `only`, those of one API server, or of one namespace there. */
  wake(why: WakeReason, only?: { readonly rest: RestClient; readonly namespace?: string }): void {
    for (const [rest, entries] of this.#entries) {
      if (only !== undefined && only.rest !== rest) continue;
      for (const [namespace, { reflector }] of entries) {
        if (only?.namespace === undefined || only.namespace === namespace) reflector.wake(why);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [rest, entries] of this.#entries) {
      for (const [namespace, { reflector }] of entries) this.#close(rest, namespace, reflector);
    }
    await Promise.all(this.#closing);
  }

  #entry(around: ReflectorSurroundings, namespace: string): Entry<T> {
    const entries = this.#entries.get(around.rest) ?? new Map<string, Entry<T>>();
    this.#entries.set(around.rest, entries);
    const known = entries.get(namespace);
    if (known) return known;
    const listeners: Entry<T>["listeners"] = new Map();
    const onChange = (): void => {
      for (const listener of listeners.keys()) listener();
    };
    const reflector = new Reflector(around, this.#kind, namespace, onChange, () => wantedBy(listeners));
    const entry = { reflector, listeners };
    entries.set(namespace, entry);
    return entry;
  }

  #close(rest: RestClient, namespace: string, reflector: Reflector<T>): void {
    const entries = this.#entries.get(rest);
    if (entries?.get(namespace)?.reflector !== reflector) return;
    entries.delete(namespace);
    if (entries.size === 0) this.#entries.delete(rest);
    const closed = reflector[Symbol.asyncDispose]();
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }
}

function wantedBy(listeners: Entry<unknown>["listeners"]): Wanted {
  const names = [...listeners.values()];
  return {
    names: new Set(names.filter((name) => name !== undefined)),
    others: names.includes(undefined) ? "too" : "not",
  };
}
