/** Keeps a project's forwards: makes them what the file says, tells how they are, ends them. */
import type { ForwardSpec } from "../schema/spec.ts";
import { KfwdError } from "../errors.ts";
import { plan } from "./core/plan.ts";
import type { ForwardStatus, StatusReport, SupervisorEvent } from "./core/status.ts";
import type {
  ApplyRequest,
  ApplyResult,
  Deps,
  Place,
  StopRequest,
  StopResult,
  SupervisorControl,
} from "./deps.ts";
import { Forward } from "./forward.ts";

/** What a supervisor knows of itself; the rest of its report comes with the first `apply`. */
export type SupervisorSelf = StatusReport["supervisor"];

/** A spec and where it leads, as the kubeconfig says at the time of `apply`. */
interface Pinned {
  readonly spec: ForwardSpec;
  readonly place: Place;
}

/** Calls that change something run one after the other, in the order they came. */
export class Supervisor implements SupervisorControl {
  /** Resolves with the reason when everything has been stopped; the process has nothing left to do then. */
  readonly ended: Promise<string>;
  readonly #deps: Deps;
  readonly #self: SupervisorSelf;
  readonly #listeners = new Set<(event: SupervisorEvent) => void>();
  #forwards = new Map<string, Forward>();
  #project = "";
  #config: StatusReport["config"] = { path: null, sha256: "" };
  #turn: Promise<unknown> = Promise.resolve();
  #stage: "running" | "ending" = "running";
  #resolveEnded: (why: string) => void = () => {};

  constructor(deps: Deps, self: SupervisorSelf) {
    this.#deps = deps;
    this.#self = self;
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
  }

  status(): Promise<StatusReport> {
    return Promise.resolve({
      schema: "kfwd.status/1",
      project: this.#project,
      supervisor: this.#self,
      config: this.#config,
      entries: this.#statuses(),
    });
  }

  apply(request: ApplyRequest): Promise<ApplyResult> {
    return this.#inTurn(async () => {
      try {
        return await this.#apply(request);
      } finally {
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

  /** The machine woke up, or the network is another: every wait for a timer ends. */
  wake(): void {
    for (const forward of this.#forwards.values()) forward.wake();
  }

  /** Ends the supervisor if it keeps no forward. */
  endIfIdle(): void {
    if (this.#forwards.size === 0) void this.#stopAll(0);
  }

  async #apply(request: ApplyRequest): Promise<ApplyResult> {
    const { cluster } = this.#deps;
    const chosen = request.forwards.filter(({ name }) => request.names?.includes(name) ?? true);
    const pinned = new Map(chosen.map((spec) => [spec.name, pin(spec, cluster)] as const));
    const running = new Map(
      [...this.#forwards].map(([name, f]) => [name, { spec: f.spec, stage: f.status.state }] as const),
    );
    const wanted = [...pinned.values()].map((p) => p.spec);
    const changes = plan(running, wanted, request.names);

    // Nothing can fail from here on but single forwards, and they tell so in their status.
    this.#project = request.project;
    this.#config = request.config;
    const leaving = changes.filter(({ action }) => action !== "keep" && action !== "update");
    await this.#end(
      leaving.map(({ name }) => name),
      0,
    );
    if (this.#stage === "ending") throw new KfwdError("NOT_RUNNING", "the supervisor is being stopped");
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
    this.#sort(request.forwards);
    return { changes: changes.map(({ name, action }) => ({ name, action })) };
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
    this.#stage = "ending";
    const names = [...this.#forwards.keys()];
    await this.#end(names, drainMs);
    this.#tell({ type: "ended", why: "stopped" });
    this.#resolveEnded("stopped");
    return { stopped: names };
  }

  async #end(names: readonly string[], drainMs: number): Promise<void> {
    const forwards = names.map((name) => this.#forwards.get(name)).filter((forward) => forward !== undefined);
    await Promise.all(forwards.map((forward) => forward.stop(drainMs)));
  }

  #remove(name: string): void {
    this.#forwards.delete(name);
    this.#tell({ type: "removed", name });
  }

  /** The order of the file; what is not in it (a forward that was not touched) keeps its place at the end. */
  #sort(wanted: readonly ForwardSpec[]): void {
    const order = new Map(wanted.map((spec, index) => [spec.name, index]));
    const rank = (name: string): number => order.get(name) ?? order.size;
    this.#forwards = new Map([...this.#forwards].sort(([a], [b]) => rank(a) - rank(b)));
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

function pin(spec: ForwardSpec, cluster: Deps["cluster"]): Pinned {
  const { kubeconfig, context, namespace } = spec;
  const place = cluster.pin({ kubeconfig, context, namespace });
  return { spec: { ...spec, context: place.context, namespace: place.namespace }, place };
}
