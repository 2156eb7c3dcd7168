/** Who wants which forward: the project until somebody stops it, and clients for as long as they are connected. */
import type { Owner } from "./core/status.ts";
import type { Client, ReadAgain } from "./deps.ts";

/** A forward that is neither kept nor claimed is to be stopped. */
export class Claims {
  readonly #kept = new Set<string>();
  readonly #claims = new Map<Client, Set<string>>();
  /** Who wanted all of the file at some time: clients, and the project, for which this stands. */
  readonly #wholes = new WeakSet<Client | this>();
  /** How each read the files last: clients, and the project, for which this stands. */
  readonly #agains = new WeakMap<Client | this, ReadAgain>();
  readonly #onGone: (client: Client) => void;

  /** `onGone` is told of each client that claims something when its connection is over. */
  constructor(onGone: (client: Client) => void) {
    this.#onGone = onGone;
  }

  /** Who claims what, in the order in which they came. */
  get owners(): readonly Owner[] {
    return [...this.#claims]
      .filter(([, names]) => names.size > 0)
      .map(([{ pid }, names]) => ({ pid, names: [...names] }));
  }

  /** What the project wants. */
  get kept(): readonly string[] {
    return [...this.#kept];
  }

  /** How the files of what the project keeps are read again; undefined where it keeps nothing, or they cannot be. */
  get again(): ReadAgain | undefined {
    const again = this.#agains.get(this);
    if (again === undefined || this.#kept.size === 0) return undefined;
    return this.#wholes.has(this) ? again : { ...again, args: [...again.args, ...this.#kept] };
  }

  /** The client, or the project, has read the files. */
  haveRead(client: Client | undefined, again: ReadAgain | undefined): void {
    if (again !== undefined) this.#agains.set(client ?? this, again);
  }

  /** The client, or the project, wants all of the file. */
  wantAll(client: Client | undefined): void {
    this.#wholes.add(client ?? this);
  }

  /** Of these, with null of all, what the client claims. */
  of(client: Client, names: readonly string[] | null): readonly string[] {
    return [...(this.#claims.get(client) ?? [])].filter((name) => names?.includes(name) ?? true);
  }

  /** The project wants them. */
  keep(names: readonly string[]): void {
    for (const name of names) this.#kept.add(name);
  }

  /** The project wants them as the client does. */
  handOver(client: Client, names: readonly string[] | null): void {
    this.keep(this.of(client, names));
    this.haveRead(undefined, this.#agains.get(client));
    if (names === null && this.#wholes.has(client)) this.wantAll(undefined);
  }

  /** The client wants them. */
  claim(client: Client, names: readonly string[]): void {
    const claimed = this.#claims.get(client) ?? this.#welcome(client);
    for (const name of names) claimed.add(name);
  }

  /** The client wants them no more, with null none of its own; answers those that nobody wants now. */
  release(client: Client, names: readonly string[] | null): readonly string[] {
    const given = this.of(client, names);
    for (const name of given) this.#claims.get(client)?.delete(name);
    if (client.closed.aborted) this.#claims.delete(client);
    return given.filter((name) => !this.#isWanted(name));
  }

  /** It was stopped, whoever wanted it. */
  forget(name: string): void {
    this.#kept.delete(name);
    for (const claimed of this.#claims.values()) claimed.delete(name);
  }

  #isWanted(name: string): boolean {
    return this.#kept.has(name) || [...this.#claims.values()].some((claimed) => claimed.has(name));
  }

  #welcome(client: Client): Set<string> {
    const claimed = new Set<string>();
    this.#claims.set(client, claimed);
    const gone = (): void => this.#onGone(client);
    if (client.closed.aborted) queueMicrotask(gone);
    else client.closed.addEventListener("abort", gone, { once: true });
    return claimed;
  }
}
