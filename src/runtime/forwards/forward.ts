/** One running forward: acts out what core/forward.ts decides, and carries the connections of its listener. */
import type { ForwardSpec } from "../../schema/spec.ts";
import { KfwdError } from "../../errors.ts";
import { describeForward, stageOf, ttlOver } from "../core/describe.ts";
import { begin, step, wakeAt } from "../core/forward.ts";
import type { ForwardEffect, ForwardEvent, ForwardState, Policy, Step } from "../core/forward.ts";
import type { ForwardStatus, LocalAddress, Reason } from "../core/status.ts";
import { AppWatch } from "./appwatch.ts";
import { listenFor } from "./autoports.ts";
import { Datagrams } from "./datagrams.ts";
import type { Connection, Deps, Listener, Place } from "../deps.ts";
import { followTarget } from "./following.ts";
import { Gate } from "./gate.ts";
import { Journal } from "../journal.ts";
import { Lifetime, type Term } from "./lifetime.ts";
import { policyFor, routeOf, type Route, type Way } from "./route.ts";
import { HOLD_MAX, HOLD_MS, serve } from "./serve.ts";
import { Tally } from "./tally.ts";

/** What a {@link Forward} tells; neither must throw. */
export interface ForwardListener {
  /** Every change that a user may want to see. */
  readonly onStatus: (status: ForwardStatus) => void;
  /** Its `ttl` is over: whoever keeps it calls {@link Forward.expire} in its turn. */
  readonly onOver: () => void;
}

/**
 * Owns the listener, the follower, the route, one timer and the live connections of a forward.
 */
export class Forward {
  /** Resolves when the forward has stopped for good and holds nothing any more: its port is free again. */
  readonly ended: Promise<void>;
  readonly #deps: Deps;
  readonly #tell: (status: ForwardStatus) => void;
  readonly #lifetime: Lifetime;
  #over: Reason | undefined;
  readonly #gate: Gate<Way>;
  readonly #journal: Journal;
  readonly #tally = new Tally();
  #route: Route;
  /** Of UDP only. */
  readonly #datagrams: Datagrams | undefined;
  readonly #policy: Omit<Policy, "random">;
  #spec: ForwardSpec;
  #place: Place;
  #state: ForwardState = { kind: "stopped" };
  #sinceMs = 0;
  #timesReady = 0;
  #local: readonly LocalAddress[] = [];
  #listener: Listener | undefined;
  #follower: Disposable | undefined;
  readonly #app: AppWatch;
  #timer: Disposable | undefined;
  /** Events that came while one is being acted upon; they are few, each effect ends in at most one. */
  readonly #pending: ForwardEvent[] = [];
  #acting: "idle" | "acting" = "idle";
  /** What must be over before it has ended. */
  readonly #closing = new Set<PromiseLike<void>>();
  #end: () => void = () => {};

  constructor(deps: Deps, spec: ForwardSpec, place: Place, events: ForwardListener) {
    this.#deps = deps;
    this.#spec = spec;
    this.#place = place;
    this.#tell = events.onStatus;
    this.#lifetime = new Lifetime(deps.clock, events.onOver);
    this.#policy = policyFor(spec);
    this.#gate = new Gate(deps.clock, HOLD_MAX);
    this.#journal = new Journal(deps, spec.name);
    this.#route = this.#routeTo(place);
    this.#app = new AppWatch(deps.clock, spec, (endpoint, trouble, nextMs) => {
      if (trouble) this.#journal.keep(trouble);
      this.#dispatch({ type: "probed", endpoint, trouble, nextMs });
    });
    const keep = spec.whenUnavailable === "refuse" ? "drop" : "keep";
    if (spec.protocol === "udp")
      this.#datagrams = new Datagrams(deps.clock, keep, (reason) => this.#onTrouble(reason));
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  get spec(): ForwardSpec {
    return this.#spec;
  }

  /** Where it leads. */
  get place(): Place {
    return this.#place;
  }

  get status(): ForwardStatus {
    const { clock } = this.#deps;
    const facts = {
      context: this.place.context,
      namespace: this.place.namespace,
      local: this.#local,
      sinceMs: this.#sinceMs,
      timesReady: this.#timesReady,
      lastError: this.#journal.lastError,
      traffic: this.#tally.traffic(this.#gate, this.#datagrams?.bytes),
      relay: this.#route.pod,
      datagrams: this.#datagrams?.traffic ?? null,
      endsAtMs: this.#lifetime.endsAtMs,
      over: this.#over,
    };
    return describeForward(this.#spec, this.#state, facts, clock.now(), clock.wall());
  }

  /** The time of its `ttl`; undefined while there is no limit. */
  get term(): Term | undefined {
    return this.#lifetime.term;
  }

  /** Takes the first step; events follow. Called once. Of a `term` it has what is left. */
  start(term?: Term): void {
    this.#lifetime.begin(this.#spec.ttlMs, term);
    this.#take(begin());
  }

  /** Its `ttl` begins anew, or goes on from where that of `term` did. */
  renew(term?: Term): void {
    if (this.#state.kind === "stopping" || this.#state.kind === "stopped") return;
    const before = this.#lifetime.endsAtMs;
    this.#lifetime.begin(this.#spec.ttlMs, term);
    if (before !== this.#lifetime.endsAtMs) this.#tell(this.status);
  }

  /** Stops if its `ttl` is over; false where it was renewed meanwhile. */
  async expire(): Promise<boolean> {
    if (!this.#lifetime.isOver) return false;
    this.#over = ttlOver(this.#spec);
    await this.stop(0);
    return true;
  }

  /** Takes over what is only said about the forward: description, `required`. */
  update(spec: ForwardSpec): void {
    this.#spec = spec;
    this.#tell(this.status);
  }

  /** Leads to another cluster on the same local port; its connections are reset, who waits for a pod included. */
  moveTo(spec: ForwardSpec, place: Place): void {
    if (this.#state.kind === "stopping" || this.#state.kind === "stopped") return;
    this.#spec = spec;
    this.#place = place;
    this.#awaitAtEnd(this.#route[Symbol.asyncDispose]());
    this.#route = this.#routeTo(place);
    this.#dispatch({ type: "moved" });
  }

  /** Chooses where it leads anew, on the same local port; its connections are reset, who waits for a pod included. */
  restart(): void {
    this.#journal.restarted();
    this.#lifetime.begin(this.#spec.ttlMs);
    this.#dispatch({ type: "restart" });
  }

  /** Stops listening at once, lets connections go on for `drainMs`, then resets them. Resolves when all is over. */
  async stop(drainMs: number): Promise<void> {
    this.#dispatch({ type: "stop", drainMs });
    if (this.#tally.isEmpty) this.#dispatch({ type: "drained" });
    await this.ended;
  }

  /** Ends every wait that a new try may end: the machine woke up, or a person has mended something. */
  wake(): void {
    this.#lifetime.look();
    this.#dispatch({ type: "woke" });
    this.#app.stop();
    this.#watchApp();
  }

  #routeTo(place: Place): Route {
    return routeOf(this.#spec, place, this.#deps, {
      onOpen: (endpoint) => this.#dispatch({ type: "opened", endpoint }),
      onLost: (endpoint, reason) => this.#dispatch({ type: "lost", endpoint, reason }),
      onDelayed: (endpoint, reason) => this.#dispatch({ type: "delayed", endpoint, reason }),
      onPod: () => this.#tell(this.status),
    });
  }

  #dispatch(event: ForwardEvent): void {
    this.#pending.push(event);
    if (this.#acting === "acting") return;
    this.#acting = "acting";
    try {
      for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
        const policy = { ...this.#policy, random: this.#deps.random() };
        this.#take(step(this.#state, next, this.#deps.clock.now(), policy));
      }
    } finally {
      this.#acting = "idle";
    }
  }

  #take({ state, effects }: Step): void {
    const before = this.#state;
    this.#state = state;
    for (const effect of effects) this.#tryTo(effect, before);
    this.#setTimer(); // also when nothing changed: a timer may fire a fraction too early
    if (state === before) return;
    if (state.kind === "stopping" || state.kind === "stopped") this.#lifetime[Symbol.dispose]();
    if (stageOf(state) !== stageOf(before)) this.#sinceMs = this.#deps.clock.wall();
    if (state.kind === "ready" && before.kind !== "ready") this.#timesReady++;
    const held = this.#gate.waiting;
    this.#swingGate();
    this.#watchApp();
    if (state.kind === "stopped") {
      this.#local = [];
      this.#awaitAtEnd(this.#route[Symbol.asyncDispose]());
      void Promise.allSettled(this.#closing).then(this.#end);
    }
    this.#report(held);
  }

  /** What throws must not keep the forward from its next event. */
  #tryTo(effect: ForwardEffect, before: ForwardState): void {
    try {
      this.#act(effect, before);
    } catch (thrown) {
      const { reasonCode, message } = KfwdError.from(thrown);
      this.#deps.log.error("effect failed", { forward: this.#spec.name, doing: effect.do, error: message });
      if (effect.do !== "connect") return;
      const reason: Reason = { code: reasonCode, kind: "transient", message };
      this.#dispatch({ type: "lost", endpoint: effect.endpoint, reason });
    }
  }

  #act(effect: ForwardEffect, before: ForwardState): void {
    switch (effect.do) {
      case "bind":
        this.#awaitAtEnd(this.#bind()); // one that ends meanwhile lets go of its port when it has it
        return;
      case "follow":
        this.#follower?.[Symbol.dispose]();
        this.#follower = followTarget(this.#deps.cluster, this.#spec, this.#place, this.#route, (event) =>
          this.#dispatch(event),
        );
        return;
      case "connect":
        this.#route.connect(effect.endpoint, before.kind === "resolving" ? 0 : HOLD_MS);
        return;
      case "disconnect":
        this.#route.disconnect();
        return;
      case "close":
        this.#close();
        return;
      case "resetConnections":
        this.#tally.resetAll();
        this.#datagrams?.reset();
        return;
    }
  }

  async #bind(): Promise<void> {
    try {
      const listener = await listenFor(this.#deps.autoPorts, this.#spec, (port) => this.#listen(port));
      if (this.#state.kind !== "binding" && this.#state.kind !== "failed") {
        await listener[Symbol.asyncDispose]();
        return;
      }
      this.#listener = listener;
      this.#local = listener.local;
      this.#dispatch({ type: "bound" });
    } catch (thrown) {
      const { reasonCode, message, hint } = KfwdError.from(thrown);
      const reason: Reason = { code: reasonCode, kind: "local", message };
      this.#dispatch({ type: "bindFailed", reason: hint === undefined ? reason : { ...reason, hint } });
    }
  }

  async #listen(port: number): Promise<Listener> {
    const { bind, name } = this.#spec;
    const request = { bind, port, label: name };
    if (this.#datagrams === undefined) {
      return this.#deps.net.listen(request, {
        onConnection: (connection) => void this.#accept(connection),
        onRefused: (reason) => this.#onRefused(reason),
      });
    }
    const listener = await this.#deps.udp.listen(request, this.#datagrams.take);
    this.#datagrams.count(listener);
    return listener;
  }

  /** Probes the application as long as a way to it stands. */
  #watchApp(): void {
    const stands = this.#state.kind === "ready" || this.#state.kind === "proving";
    this.#app.watch(stands ? this.#route.way : undefined);
  }

  /** A port that is taken is tried again for days, so what is over is forgotten. */
  #awaitAtEnd(work: PromiseLike<void>): void {
    const forget = (): void => void this.#closing.delete(work);
    this.#closing.add(work);
    work.then(forget, forget);
  }

  #close(): void {
    this.#follower?.[Symbol.dispose]();
    if (this.#listener) this.#awaitAtEnd(this.#listener[Symbol.asyncDispose]());
    this.#gate[Symbol.dispose]();
    this.#datagrams?.[Symbol.dispose]();
  }

  async #accept(connection: Connection): Promise<void> {
    this.#tally.came(connection);
    const refuses = this.#spec.whenUnavailable === "refuse";
    const outcome = await serve(connection, {
      clock: this.#deps.clock,
      gate: this.#gate,
      holdMs: refuses ? 0 : (this.#spec.holdMs ?? HOLD_MS),
      isNear: () => refuses && this.#state.kind === "connecting" && this.#state.reason === null,
      onGone: (endpoint, reason) => this.#dispatch({ type: "lost", endpoint, reason }),
    });
    this.#tally.went(connection, outcome);
    if (outcome.kind !== "carried") this.#journal.failed(outcome.reason, this.#tally.refused);
    if (this.#tally.isEmpty && this.#state.kind === "stopping") this.#dispatch({ type: "drained" });
  }

  #onRefused(reason: Reason): void {
    this.#tally.turnedAway();
    this.#onTrouble(reason);
  }

  #onTrouble(reason: Reason): void {
    this.#journal.turnedAway(reason, this.#tally.refused);
  }

  #swingGate(): void {
    const way: Way | undefined = this.#state.kind === "ready" ? this.#route.way : undefined;
    if (way) this.#gate.open(way);
    else this.#gate.shut();
    if (way) this.#datagrams?.open(way);
    else this.#datagrams?.shut();
  }

  #setTimer(): void {
    this.#timer?.[Symbol.dispose]();
    const wake = wakeAt(this.#state);
    if (wake === undefined) return;
    const ms = Math.max(0, wake.atMs - this.#deps.clock.now());
    this.#timer = this.#deps.clock.timer(ms, () => this.#dispatch({ type: "tick" }));
  }

  #report(held: number): void {
    const { status } = this;
    this.#journal.changed(status, held);
    this.#tell(status);
  }
}
