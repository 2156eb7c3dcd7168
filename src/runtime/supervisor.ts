/** Keeps a project's forwards: makes them what the file says, tells how they are, ends them. */
import type { ForwardSpec } from "../schema/spec.ts";
import { KfwdError } from "../errors.ts";
import { plan, type Change } from "./core/plan.ts";
import type { ForwardStatus, StatusReport, SupervisorEvent } from "./core/status.ts";
import type { ApplyRequest, ApplyResult, Deps, ServedControl, StopRequest, StopResult } from "./deps.ts";
import { ContextWatch, type ContextFollower } from "./contextwatch.ts";
import { Forward } from "./forward.ts";
import { pin, refuseProtected, type Pinned } from "./pin.ts";

/** What a supervisor knows of itself; the rest of its report comes with the first `apply`. */
export type SupervisorSelf = StatusReport["supervisor"];

/** Calls that change something run one after the other, in the order they came. */
export class Supervisor implements ServedControl {
  /** Resolves with the reason when everything has been stopped; the process has nothing left to do then. */
  readonly ended: Promise<string>;
  readonly #deps: Deps;
  readonly #self: SupervisorSelf;
  readonly #listeners = new Set<(event: SupervisorEvent) => void>();
  #forwards = new Map<string, Forward>();
  /** As the file had each forward when it was applied, before its context was filled in. */
  readonly #texts = new Map<string, ForwardSpec>();
  #project = "";
  #config: StatusReport["config"] = { path: null, sha256: "" };
  #turn: Promise<unknown> = Promise.resolve();
  #applying = 0;
  readonly #contexts: ContextWatch;
  #stage:
    | { readonly kind: "running" }
    | { readonly kind: "ending" | "ended"; readonly drainUntilMs: number } = { kind: "running" };
  #resolveEnded: (why: string) => void = () => {};

  constructor(deps: Deps, self: SupervisorSelf) {
    this.#deps = deps;
    this.#self = self;
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    this.#contexts = new ContextWatch({
      clock: deps.clock,
      log: deps.log,
      current: (kubeconfig) => deps.cluster.current(kubeconfig),
      followers: () => this.#followers(),
      move: (names, context) => this.#move(names, context),
    });
  }

  get drainLeftMs(): number | undefined {
    if (this.#stage.kind === "running") return undefined;
    return Math.max(0, this.#stage.drainUntilMs - this.#deps.clock.now());
  }

  status(): Promise<StatusReport> {
    return Promise.resolve({
      schema: "kfwd.status/1",
      project: this.#project,
      supervisor: this.#self,
      config: this.#config,
      entries: this.#statuses(),
      ...this.#notes(),
    });
  }

  apply(request: ApplyRequest): Promise<ApplyResult> {
    return this.#inTurn(async () => {
      this.#applying++;
      try {
        return await this.#apply(request);
      } finally {
        this.#applying--;
        this.endIfIdle(); // a first file that was refused leaves nothing to keep
      }
    });
  }

  /** The end of everything does not wait for its turn, and a second call can only hurry the first. */
  stop(request: StopRequest): Promise<StopResult> {
    if (request.names === null) return this.#stopAll(request.drainMs);
    const { names, drainMs } = request;
    return this.#inTurn(() => this.#stopSome(names, drainMs));
  }

  follow(listener: (event: SupervisorEvent) => void): Promise<AsyncDisposable> {
    for (const status of this.#statuses()) listener({ type: "forward", status });
    this.#listeners.add(listener);
    return Promise.resolve({
      [Symbol.asyncDispose]: async () => void this.#listeners.delete(listener),
    });
  }

  /** The machine woke up: every wait ends, and what may have died in its sleep is tried. */
  wake(): void {
    this.#deps.cluster.wake();
    this.#deps.relays.wake();
    for (const forward of this.#forwards.values()) forward.wake();
    this.#contexts.wake();
  }

  /** Ends the supervisor if it keeps no forward, nor is about to. */
  endIfIdle(): void {
    if (this.#forwards.size === 0 && this.#applying === 0) void this.#stopAll(0);
  }

  async #apply(request: ApplyRequest): Promise<ApplyResult> {
    const { cluster } = this.#deps;
    this.#refuseIfEnding(); // what would be started anew still has connections that may go on
    const chosen = request.forwards.filter(({ name }) => request.names?.includes(name) ?? true);
    const ofAll = new Set(request.forwards.map(wayOf)).size === 1;
    const pinned = new Map(
      chosen.map((spec) => [spec.name, pin(spec, cluster, ofAll ? "all" : "its own")] as const),
    );
    for (const { spec } of pinned.values()) refuseProtected(spec, request.allowContexts);
    const running = new Map(
      [...this.#forwards].map(([name, f]) => [name, { spec: f.spec, stage: f.status.state }] as const),
    );
    const wanted = [...pinned.values()].map((p) => p.spec);
    const changes = plan(running, wanted, request.names);

    // Nothing can fail from here on but single forwards, and they tell so in their status.
    this.#project = request.project;
    const leaving = changes.filter(({ action }) => action !== "keep" && action !== "update");
    await this.#end(
      leaving.map(({ name }) => name),
      0,
    );
    this.#deps.autoPorts.reserve(request.forwards);
    await this.#login([...pinned.values()]);
    this.#refuseIfEnding();
    for (const change of changes) {
      switch (change.action) {
        case "start":
        case "replace":
          this.#start(change.spec, pinned);
          break;
        case "update":
          this.#forwards.get(change.name)?.update(change.spec);
          break;
        case "remove":
          this.#remove(change.name);
          break;
        case "keep":
      }
    }
    for (const spec of chosen) this.#texts.set(spec.name, spec);
    const matches = this.#matches(request);
    this.#config = matches ? request.config : { ...request.config, sha256: "" };
    this.#sort(request.forwards);
    this.#wakeKept(changes);
    this.#contexts.begin();
    return { changes: changes.map(({ name, action }) => ({ name, action })) };
  }

  /** One after the other: they share a terminal. */
  async #login(wanted: readonly Pinned[]): Promise<void> {
    const ways = new Map(
      wanted.map(({ place }) => [JSON.stringify([place.kubeconfig, place.context]), place]),
    );
    for (const place of ways.values()) await this.#deps.cluster.login(place);
  }

  #refuseIfEnding(): void {
    if (this.#stage.kind === "running") return;
    throw new KfwdError("NOT_RUNNING", "the supervisor is being stopped");
  }

  /** Whether all that runs is as the file says, also what was left alone. */
  #matches({ forwards, names }: ApplyRequest): boolean {
    if (names === null) return true;
    const texts = [...this.#texts].filter(([name]) => this.#forwards.has(name));
    const running = new Map(texts.map(([name, spec]) => [name, { spec, stage: "ready" as const }]));
    return plan(running, forwards, null).every(({ action }) => action === "keep" || action === "start");
  }

  /** Whoever applies a file again may have logged in, or been given a right: what was refused is tried again. */
  #wakeKept(changes: readonly Change[]): void {
    const kept = changes
      .filter(({ action }) => action === "keep" || action === "update")
      .map(({ name }) => this.#forwards.get(name))
      .filter((forward) => forward !== undefined);
    const places = new Map(kept.map(({ place }) => [JSON.stringify(place), place]));
    for (const place of places.values()) this.#deps.cluster.wake(place);
    for (const forward of kept) forward.wake();
  }

  #start(spec: ForwardSpec, pinned: ReadonlyMap<string, Pinned>): void {
    const place = pinned.get(spec.name)?.place;
    if (!place) return;
    const forward = new Forward(this.#deps, spec, place, (status) => this.#tell({ type: "forward", status }));
    this.#forwards.set(spec.name, forward);
    forward.start();
  }

  async #stopSome(names: readonly string[], drainMs: number): Promise<StopResult> {
    const unknown = names.find((name) => !this.#forwards.has(name));
    if (unknown !== undefined) {
      const running = [...this.#forwards.keys()].join(", ");
      throw new KfwdError("UNKNOWN_FORWARD", `no forward named "${unknown}" is running`, {
        hint: running === "" ? undefined : `running: ${running}`,
      });
    }
    await this.#end(names, drainMs);
    for (const name of names) this.#remove(name);
    this.endIfIdle();
    return { stopped: names };
  }

  async #stopAll(drainMs: number): Promise<StopResult> {
    const untilMs = this.#deps.clock.now() + drainMs;
    if (this.#stage.kind === "ended") return { stopped: [] };
    const drainUntilMs =
      this.#stage.kind === "ending" ? Math.min(this.#stage.drainUntilMs, untilMs) : untilMs;
    this.#stage = { kind: "ending", drainUntilMs };
    this.#contexts[Symbol.dispose]();
    const names = [...this.#forwards.keys()];
    await this.#end(names, drainMs);
    if (this.#hasEnded()) return { stopped: names }; // a call that came later was quicker
    this.#stage = { kind: "ended", drainUntilMs: this.#deps.clock.now() };
    this.#tell({ type: "ended", why: "stopped" });
    this.#resolveEnded("stopped");
    return { stopped: names };
  }

  #hasEnded(): boolean {
    return this.#stage.kind === "ended";
  }

  async #end(names: readonly string[], drainMs: number): Promise<void> {
    const forwards = names.map((name) => this.#forwards.get(name)).filter((forward) => forward !== undefined);
    await Promise.all(forwards.map((forward) => forward.stop(drainMs)));
  }

  #remove(name: string): void {
    this.#forwards.delete(name);
    this.#texts.delete(name);
    this.#tell({ type: "removed", name });
  }

  #followers(): readonly ContextFollower[] {
    return [...this.#forwards].flatMap(([name, { place }]) => {
      const text = this.#texts.get(name);
      if (text?.followContext !== true || this.#stage.kind !== "running") return [];
      const { kubeconfig, protect = [] } = text;
      return [{ name, kubeconfig, protect, context: place.context }];
    });
  }

  /** All of them can go, or none does. */
  #move(names: readonly string[], context: string): void {
    const moves = names.flatMap((name) => {
      const [forward, text] = [this.#forwards.get(name), this.#texts.get(name)];
      return forward && text
        ? [{ forward, pinned: pin({ ...text, context }, this.#deps.cluster, "all") }]
        : [];
    });
    for (const { forward, pinned } of moves) forward.moveTo(pinned.spec, pinned.place);
  }

  /** The order of the file; what is not in it (a forward that was not touched) keeps its place at the end. */
  #sort(wanted: readonly ForwardSpec[]): void {
    const order = new Map(wanted.map((spec, index) => [spec.name, index]));
    const rank = (name: string): number => order.get(name) ?? order.size;
    this.#forwards = new Map([...this.#forwards].sort(([a], [b]) => rank(a) - rank(b)));
  }

  #notes(): Pick<StatusReport, "notes"> {
    const places = [...this.#forwards.values()].map(({ place }) => place);
    const notes = [...places.flatMap((place) => this.#deps.cluster.notes(place)), ...this.#contexts.notes];
    const once = new Map(notes.map((note) => [note.message, note]));
    return once.size === 0 ? {} : { notes: [...once.values()] };
  }

  #statuses(): readonly ForwardStatus[] {
    return [...this.#forwards.values()].map((forward) => forward.status);
  }

  #tell(event: SupervisorEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {}); // the caller gets the error; the next in turn goes on
    return mine;
  }
}

/** Which way a forward goes to its cluster, as text to compare. */
function wayOf({ kubeconfig, context }: ForwardSpec): string {
  return JSON.stringify([kubeconfig, context]);
}
