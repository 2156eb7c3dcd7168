/** Keeps a project's forwards: makes them what the file says, tells how they are, ends them. */
import type { ForwardSpec } from "../schema/spec.ts";
import { KfwdError } from "../errors.ts";
import { isRelayed } from "../relayed.ts";
import type { Change } from "./core/plan.ts";
import type { StatusReport, SupervisorEvent } from "./core/status.ts";
import { planApply, withLeastTtls, withTtlsOf } from "./applyplan.ts";
import { Claims } from "./claims.ts";
import type {
  ApplyRequest,
  ApplyResult,
  Client,
  Deps,
  HaltRequest,
  NamesRequest,
  NamesResult,
  ReadAgain,
  ReleaseRequest,
  ServedControl,
  StopRequest,
  StopResult,
} from "./deps.ts";
import { ContextWatch } from "./contextwatch.ts";
import { Fleet } from "./fleet.ts";
import type { Term } from "./forwards/lifetime.ts";
import type { Pinned } from "./pin.ts";

/** What a supervisor knows of itself; the rest of its report comes with the first `apply`. */
export type SupervisorSelf = StatusReport["supervisor"];

/** Calls that change something run one after the other, in the order they came. */
export class Supervisor implements ServedControl {
  /** Resolves with the reason when everything has been stopped; the process has nothing left to do then. */
  readonly ended: Promise<string>;
  readonly #deps: Deps;
  readonly #self: SupervisorSelf;
  readonly #listeners = new Set<(event: SupervisorEvent) => void>();
  readonly #fleet: Fleet;
  #project = "";
  #config: StatusReport["config"] = { path: null, sha256: "" };
  #turn: Promise<unknown> = Promise.resolve();
  #applying = 0;
  readonly #claims = new Claims((client) => void this.release({ names: null }, client));
  #ownersTold = "[]";
  readonly #contexts: ContextWatch;
  #stage:
    | { readonly kind: "running" }
    | { readonly kind: "ending" | "ended"; readonly drainUntilMs: number } = { kind: "running" };
  #resolveEnded: (why: string) => void = () => {};

  constructor(deps: Deps, self: SupervisorSelf) {
    this.#deps = deps;
    this.#self = self;
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    this.#fleet = new Fleet(
      deps,
      (event) => this.#tell(event),
      (name) => void this.#inTurn(() => this.#fleet.expire(name)),
    );
    this.#contexts = new ContextWatch({
      clock: deps.clock,
      log: deps.log,
      current: (kubeconfig) => deps.cluster.current(kubeconfig),
      followers: () => (this.#stage.kind === "running" ? this.#fleet.followers : []),
      move: (names, context) => this.#fleet.move(names, context),
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
      entries: this.#fleet.statuses,
      ...this.#notes(),
      ...(this.#claims.owners.length > 0 && { owners: this.#claims.owners, kept: this.#claims.kept }),
    });
  }

  apply(request: ApplyRequest, client?: Client): Promise<ApplyResult> {
    const claimant = request.owner === "client" ? client : undefined;
    const onGone = (): void => {
      if (this.#fleet.names.length === 0) void this.#stopAll(0); // a plugin may ask for a login that nobody sees
    };
    return this.#inTurn(async () => {
      this.#applying++;
      claimant?.closed.addEventListener("abort", onGone, { once: true });
      try {
        return await this.#apply(request, claimant);
      } finally {
        claimant?.closed.removeEventListener("abort", onGone);
        this.#applying--;
        this.endIfIdle(); // a first file that was refused leaves nothing to keep
      }
    });
  }

  plan(request: ApplyRequest): Promise<ApplyResult> {
    return this.#inTurn(async () => {
      this.#refuseIfEnding();
      const { changes } = planApply(request, this.#fleet.running, this.#deps.cluster);
      return { changes: changes.map(({ name, action }) => ({ name, action })) };
    });
  }

  /** The end of everything does not wait for its turn, and a second call can only hurry the first. */
  stop(request: StopRequest): Promise<StopResult> {
    if (request.names === null) return this.#stopAll(request.drainMs);
    return this.#stopSome(request.names, request.drainMs);
  }

  /** Others have their turn while its connections go on. */
  async halt({ names, drainMs }: HaltRequest): Promise<NamesResult> {
    const halting = await this.#inTurn(async () => {
      this.#refuseIfEnding();
      return this.#fleet.halt(names, drainMs);
    });
    await halting.over;
    return { names: halting.names };
  }

  start({ names }: NamesRequest): Promise<NamesResult> {
    return this.#switch(() => this.#fleet.resume(names, () => this.#refuseIfEnding()));
  }

  restart({ names }: NamesRequest): Promise<NamesResult> {
    return this.#switch(() => this.#fleet.restart(names, () => this.#refuseIfEnding()));
  }

  /** Without a client it is somebody in this process, whose forwards end with it. */
  release({ names, to }: ReleaseRequest, client?: Client): Promise<StopResult> {
    return this.#inTurn(async () => {
      if (client !== undefined && to === "project") this.#claims.handOver(client, names);
      const unwanted = client === undefined ? [] : this.#claims.release(client, names);
      this.#tellOwners();
      if (this.#stage.kind !== "running") return { stopped: [] }; // and is drained for as long as was said
      await this.#fleet.end(unwanted, 0);
      for (const name of unwanted) this.#remove(name);
      this.endIfIdle();
      return { stopped: unwanted };
    });
  }

  follow(listener: (event: SupervisorEvent) => void): Promise<AsyncDisposable> {
    for (const status of this.#fleet.statuses) {
      listener({ type: "forward", status });
      if (status.state === "stopped") listener({ type: "halted", name: status.name });
    }
    this.#listeners.add(listener);
    return Promise.resolve({
      [Symbol.asyncDispose]: async () => void this.#listeners.delete(listener),
    });
  }

  /** The machine woke up: every wait ends, and what may have died in its sleep is tried. */
  wake(): void {
    this.#deps.cluster.wake();
    this.#deps.relays.wake();
    this.#fleet.wake();
    this.#contexts.wake();
  }

  /** Ends the supervisor if it keeps no forward, nor is about to. */
  endIfIdle(): void {
    if (this.#fleet.names.length === 0 && this.#applying === 0) void this.#stopAll(0);
  }

  async #apply(request: ApplyRequest, client: Client | undefined): Promise<ApplyResult> {
    this.#refuseIfEnding(); // what would be started anew still has connections that may go on
    const { running } = this.#fleet;
    const wanted = withLeastTtls(running, client === undefined ? request : withTtlsOf(running, request));
    const terms = request.occasion === "reread" ? this.#fleet.terms : NO_TERMS;
    const { changes, chosen, pinned, unheeded } = planApply(wanted, running, this.#deps.cluster);

    // Nothing can fail from here on but single forwards, and they tell so in their status.
    this.#project = request.project;
    const leaving = changes.filter(({ action }) => action !== "keep" && action !== "update");
    const held = changes.some(needsRelayAgain) ? this.#deps.relays.hold() : undefined;
    try {
      await this.#fleet.end(namesOf(leaving), 0);
      this.#deps.autoPorts.reserve(request.forwards);
      await this.#login([...pinned.values()]);
      this.#refuseIfEnding();
      for (const change of changes) this.#make(change, pinned, terms.get(change.name));
    } finally {
      held?.[Symbol.dispose]();
    }
    const heeded = chosen.map(({ name }) => name).filter((name) => !unheeded.includes(name));
    this.#fleet.applied(request.forwards.filter(({ name }) => heeded.includes(name)));
    this.#own(chosen, client);
    this.#claims.haveRead(client, request.again);
    if (request.names === null) this.#claims.wantAll(client);
    const matches =
      (request.names === null && request.orphans !== "keep" && unheeded.length === 0) ||
      this.#fleet.matches(request.forwards);
    this.#config = matches ? request.config : { ...request.config, sha256: "" };
    this.#fleet.sort(request.forwards);
    const kept = namesOf(changes.filter(({ action }) => action === "keep" || action === "update"));
    this.#fleet.renew(kept, terms);
    this.#fleet.retry(kept);
    this.#contexts.begin();
    return { changes: changes.map(({ name, action }) => ({ name, action })) };
  }

  /** As {@link Claims.again}. */
  get again(): ReadAgain | undefined {
    return this.#claims.again;
  }

  #own(specs: readonly ForwardSpec[], client: Client | undefined): void {
    const names = specs.map(({ name }) => name);
    if (client === undefined) this.#claims.keep(names);
    else this.#claims.claim(client, names);
    this.#tellOwners();
  }

  #tellOwners(): void {
    const { owners } = this.#claims;
    const text = JSON.stringify(owners);
    if (text === this.#ownersTold) return;
    this.#ownersTold = text;
    this.#tell({ type: "owners", owners });
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

  #make(change: Change, pinned: ReadonlyMap<string, Pinned>, term: Term | undefined): void {
    switch (change.action) {
      case "start":
      case "replace": {
        const place = pinned.get(change.name)?.place;
        if (place) this.#fleet.start(change.spec, place, term);
        return;
      }
      case "update":
        this.#fleet.update(change.spec);
        return;
      case "remove":
        this.#deps.log.info("removed", { forward: change.name, reason: "it is not in the file any more" });
        this.#remove(change.name);
        return;
      case "keep":
    }
  }

  /** Others have their turn while connections go on; what they start anew stays. */
  async #stopSome(names: readonly string[], drainMs: number): Promise<StopResult> {
    const { over } = await this.#inTurn(async () => this.#fleet.leave(names, drainMs));
    const isStill = await over;
    return this.#inTurn(async () => {
      for (const name of names) if (isStill(name)) this.#remove(name);
      this.endIfIdle();
      return { stopped: names };
    });
  }

  async #stopAll(drainMs: number): Promise<StopResult> {
    const untilMs = this.#deps.clock.now() + drainMs;
    if (this.#stage.kind === "ended") return { stopped: [] };
    const drainUntilMs =
      this.#stage.kind === "ending" ? Math.min(this.#stage.drainUntilMs, untilMs) : untilMs;
    this.#stage = { kind: "ending", drainUntilMs };
    this.#contexts[Symbol.dispose]();
    const { names, live: stopped } = this.#fleet;
    await this.#fleet.end(names, drainMs);
    if (this.#hasEnded()) return { stopped }; // a call that came later was quicker
    this.#stage = { kind: "ended", drainUntilMs: this.#deps.clock.now() };
    this.#tell({ type: "ended", why: "stopped" });
    this.#resolveEnded("stopped");
    return { stopped };
  }

  #hasEnded(): boolean {
    return this.#stage.kind === "ended";
  }

  #remove(name: string): void {
    this.#fleet.remove(name);
    this.#claims.forget(name);
    this.#tellOwners();
  }

  #notes(): Pick<StatusReport, "notes"> {
    const ofPlaces = this.#fleet.places.flatMap((place) => this.#deps.cluster.notes(place));
    const notes = [...ofPlaces, ...this.#contexts.notes];
    const once = new Map(notes.map((note) => [note.message, note]));
    return once.size === 0 ? {} : { notes: [...once.values()] };
  }

  /** Starts something of what is there. */
  #switch(work: () => Promise<readonly string[]>): Promise<NamesResult> {
    return this.#inTurn(async () => {
      this.#refuseIfEnding();
      const names = await work();
      this.#contexts.resume();
      return { names };
    });
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

const NO_TERMS: ReadonlyMap<string, Term> = new Map();

/** Whether a relay may be let go of and asked for again. */
function needsRelayAgain(change: Change): boolean {
  return change.action === "replace" && isRelayed(change.spec);
}

function namesOf(changes: readonly Change[]): readonly string[] {
  return changes.map(({ name }) => name);
}
