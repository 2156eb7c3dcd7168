/** The forwards that a supervisor keeps, in the order of the file: those that run, and those that somebody has stopped. */
import type { ForwardSpec } from "../schema/spec.ts";
import { KfwdError } from "../errors.ts";
import { plan, type Running } from "./core/plan.ts";
import type { ForwardStatus, SupervisorEvent } from "./core/status.ts";
import type { ContextFollower } from "./contextwatch.ts";
import type { Deps, Place } from "./deps.ts";
import { Forward } from "./forwards/forward.ts";
import type { Term } from "./forwards/lifetime.ts";
import { pin } from "./pin.ts";

/** Each is there from its start to its removal. */
export class Fleet {
  readonly #deps: Deps;
  readonly #tell: (event: SupervisorEvent) => void;
  readonly #onOver: (name: string) => void;
  #forwards = new Map<string, Forward>();
  /** As the file had each forward when it was applied, before its context was filled in. */
  readonly #texts = new Map<string, ForwardSpec>();

  /** `onOver` is told of each forward whose `ttl` is over. */
  constructor(deps: Deps, tell: (event: SupervisorEvent) => void, onOver: (name: string) => void) {
    this.#deps = deps;
    this.#tell = tell;
    this.#onOver = onOver;
  }

  get names(): readonly string[] {
    return [...this.#forwards.keys()];
  }

  /** Those that are not stopped. */
  get live(): readonly string[] {
    return this.names.filter((name) => !this.#isStopped(name));
  }

  get statuses(): readonly ForwardStatus[] {
    return [...this.#forwards.values()].map((forward) => forward.status);
  }

  /** Where they lead. */
  get places(): readonly Place[] {
    return [...this.#forwards.values()].map(({ place }) => place);
  }

  /** What `plan` compares with the file. */
  get running(): ReadonlyMap<string, Running> {
    return new Map(
      [...this.#forwards].map(([name, { spec, status }]) => [name, { spec, stage: status.state }] as const),
    );
  }

  /** Those that want to lead where the kubeconfig's current context does. */
  get followers(): readonly ContextFollower[] {
    return [...this.#forwards].flatMap(([name, { place, status }]) => {
      const text = this.#texts.get(name);
      if (text?.followContext !== true || status.state === "stopped") return [];
      const { kubeconfig, protect = [] } = text;
      return [{ name, kubeconfig, protect, context: place.context }];
    });
  }

  /** The times of those that have a `ttl`. */
  get terms(): ReadonlyMap<string, Term> {
    return new Map(
      [...this.#forwards].flatMap(([name, { term }]) => (term === undefined ? [] : [[name, term] as const])),
    );
  }

  /** Takes the place of a stopped one of that name, and has what is left of its `term`. */
  start(spec: ForwardSpec, place: Place, term?: Term): void {
    const forward = new Forward(this.#deps, spec, place, {
      onStatus: (status) => this.#tell({ type: "forward", status }),
      onOver: () => this.#onOver(spec.name),
    });
    this.#forwards.set(spec.name, forward);
    forward.start(term);
  }

  update(spec: ForwardSpec): void {
    this.#forwards.get(spec.name)?.update(spec);
  }

  /** Those with a `ttl` have all of it again, but for what is left of these terms. */
  renew(names: readonly string[], terms: ReadonlyMap<string, Term>): void {
    for (const forward of this.#of(names)) forward.renew(terms.get(forward.spec.name));
  }

  /** Stops one whose `ttl` is over; it stays, as one that was halted. */
  async expire(name: string): Promise<void> {
    if (await this.#forwards.get(name)?.expire()) this.#tell({ type: "halted", name });
  }

  /** Of one that has ended. */
  remove(name: string): void {
    this.#forwards.delete(name);
    this.#texts.delete(name);
    this.#tell({ type: "removed", name });
  }

  /** Resolves when none of them holds anything any more. */
  async end(names: readonly string[], drainMs: number): Promise<void> {
    await Promise.all(this.#of(names).map((forward) => forward.stop(drainMs)));
  }

  /** Whoever asks for it may have logged in, or been given a right: what was refused is tried again. */
  retry(names: readonly string[]): void {
    const forwards = this.#of(names);
    this.#wakePlaces(forwards);
    for (const forward of forwards) forward.wake();
  }

  /** The machine woke up. */
  wake(): void {
    for (const forward of this.#forwards.values()) forward.wake();
  }

  // --- one at a time ----------------------------------------------------------------------------------------------

  /**
   * Begins to stop them; they stay. Answers those that were not stopped, and resolves `over` when nobody uses them any
   * more, which others need not wait for: whoever starts one before cuts that short. @throws KfwdError `UNKNOWN_FORWARD`.
   */
  halt(
    names: readonly string[] | null,
    drainMs: number,
  ): { readonly names: readonly string[]; readonly over: Promise<void> } {
    const halting = this.choose(names).filter((name) => !this.#isStopped(name));
    const forwards = this.#of(halting);
    const told = forwards.map(async (forward) => {
      await forward.stop(drainMs);
      const { name } = forward.spec;
      if (this.#forwards.get(name) === forward) this.#tell({ type: "halted", name });
    });
    return { names: halting, over: Promise.all(told).then(() => {}) };
  }

  /**
   * Begins to stop them for good. `over` resolves as that of `halt`, with a way to ask whether a name still means the one
   * that was stopped. @throws KfwdError `UNKNOWN_FORWARD`.
   */
  leave(names: readonly string[], drainMs: number): { readonly over: Promise<(name: string) => boolean> } {
    const leaving = new Map(this.choose(names).map((name) => [name, this.#forwards.get(name)]));
    const isStill = (name: string): boolean =>
      leaving.has(name) && leaving.get(name) === this.#forwards.get(name);
    return { over: this.end(names, drainMs).then(() => isStill) };
  }

  /**
   * Starts those that are stopped, where they led, and answers them. `check` throws when nothing may be started any
   * more, which may come to be so meanwhile. @throws KfwdError `UNKNOWN_FORWARD`; what `check` throws.
   */
  async resume(names: readonly string[] | null, check: () => void): Promise<readonly string[]> {
    const stopped = this.choose(names).filter((name) => this.#isLeaving(name));
    await this.end(stopped, 0);
    check();
    for (const { spec, place } of this.#of(stopped)) this.start(spec, place);
    return stopped;
  }

  /** What is stopped is started if it is named. @throws as {@link resume}. */
  async restart(names: readonly string[] | null, check: () => void): Promise<readonly string[]> {
    const chosen = this.choose(names);
    const running = chosen.filter((name) => !this.#isLeaving(name));
    for (const forward of this.#of(running)) forward.restart();
    this.#wakePlaces(this.#of(running));
    if (names === null) return running;
    await this.resume(names, check);
    return chosen;
  }

  /** Those of the names, or all, in the order of the file. @throws KfwdError `UNKNOWN_FORWARD`. */
  choose(names: readonly string[] | null): readonly string[] {
    const unknown = names?.find((name) => !this.#forwards.has(name));
    if (unknown !== undefined) {
      const known = this.names.join(", ");
      throw new KfwdError("UNKNOWN_FORWARD", `no forward named "${unknown}" is running`, {
        hint: known === "" ? undefined : `running: ${known}`,
      });
    }
    return names === null ? this.names : this.names.filter((name) => names.includes(name));
  }

  #isStopped(name: string): boolean {
    return this.#forwards.get(name)?.status.state === "stopped";
  }

  #isLeaving(name: string): boolean {
    return this.#isStopped(name) || this.#forwards.get(name)?.status.state === "stopping";
  }

  // --- beside the file --------------------------------------------------------------------------------------------

  /** Takes note of what the file said. */
  applied(specs: readonly ForwardSpec[]): void {
    for (const spec of specs) this.#texts.set(spec.name, spec);
  }

  /** Whether all that is kept is as the file says, also what was left alone. */
  matches(file: readonly ForwardSpec[]): boolean {
    const texts = [...this.#texts].filter(([name]) => this.#forwards.has(name));
    const kept = new Map(texts.map(([name, spec]) => [name, { spec, stage: "ready" as const }]));
    return plan(kept, file, null).every(({ action }) => action === "keep" || action === "start");
  }

  /** The order of the file; what is not in it (a forward that was not touched) keeps its place at the end. */
  sort(file: readonly ForwardSpec[]): void {
    const order = new Map(file.map((spec, index) => [spec.name, index]));
    const rank = (name: string): number => order.get(name) ?? order.size;
    this.#forwards = new Map([...this.#forwards].sort(([a], [b]) => rank(a) - rank(b)));
  }

  /** Leads them to another context: all of them can go, or none does. @throws as `pin`. */
  move(names: readonly string[], context: string): void {
    const moves = names.flatMap((name) => {
      const [forward, text] = [this.#forwards.get(name), this.#texts.get(name)];
      return forward && text
        ? [{ forward, pinned: pin({ ...text, context }, this.#deps.cluster, "all") }]
        : [];
    });
    for (const { forward, pinned } of moves) forward.moveTo(pinned.spec, pinned.place);
  }

  #of(names: readonly string[]): readonly Forward[] {
    return names.map((name) => this.#forwards.get(name)).filter((forward) => forward !== undefined);
  }

  #wakePlaces(forwards: readonly Forward[]): void {
    const places = new Map(forwards.map(({ place }) => [JSON.stringify(place), place]));
    for (const place of places.values()) this.#deps.cluster.wake(place);
  }
}
