import type { Endpoint, Reason } from "../../src/runtime/core/status.ts";
import type {
  CarryEnd,
  Connection,
  Place,
  PodStream,
  Resolution,
  StreamHandler,
  Tunnel,
  TunnelEvents,
} from "../../src/runtime/deps.ts";
import { KfwdError } from "../../src/errors.ts";
import { FakeCluster, FakeWorld } from "../fakes/world.ts";

/** Rules that were broken since the world was made: what throws below the product may be caught by it. */
const broken: string[] = [];

/** A rule of the contract is broken: the run ends, and fast-check shrinks it. */
export function must(holds: boolean, rule: string): void {
  if (!holds) broken.push(rule);
  if (broken.length > 0) throw new Error(`broken: ${broken.join("; ")}`);
}

/** A tunnel that fares as a run of the model says, and minds its callers. */
export class ModelTunnel implements Tunnel {
  readonly endpoint: Endpoint;
  stage: "trying" | "standing" | "down" = "trying";
  disposed = false;
  readonly #events: TunnelEvents;
  readonly #waiting = new Set<{ go: () => void; stop: (why: Error) => void }>();

  constructor(endpoint: Endpoint, events: TunnelEvents) {
    this.endpoint = endpoint;
    this.#events = events;
  }

  /** An upgraded connection stands. Who has disposed of a tunnel hears no more of it. */
  opens(): void {
    if (this.disposed) return;
    this.stage = "standing";
    for (const waiting of this.#waiting) waiting.go();
    this.#events.onOpen();
  }

  breaks(reason: Reason): void {
    if (this.disposed) return;
    this.stage = "down";
    this.#drop(reason.message);
    this.#events.onLost(reason);
  }

  retry(): void {
    must(!this.disposed, "a tunnel that was disposed of is not asked to try again");
    if (this.stage === "down") this.stage = "trying";
  }

  open(_port: number, _handler: StreamHandler, signal: AbortSignal): Promise<PodStream> {
    must(!this.disposed, "no stream is asked of a tunnel that was disposed of");
    if (this.stage === "standing") return Promise.resolve(STREAM);
    if (this.stage === "down") return Promise.reject(new KfwdError("CLUSTER_ANSWER", "the tunnel is down"));
    return new Promise((resolve, reject) => {
      const settle = (outcome: () => void): void => {
        this.#waiting.delete(waiting);
        signal.removeEventListener("abort", onLeft);
        outcome();
      };
      const onLeft = (): void => settle(() => reject(signal.reason as Error));
      const waiting = {
        go: () => settle(() => resolve(STREAM)),
        stop: (why: Error) => settle(() => reject(why)),
      };
      signal.addEventListener("abort", onLeft, { once: true });
      this.#waiting.add(waiting);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    must(!this.disposed, "a tunnel is disposed of once");
    this.disposed = true;
    this.#drop("the tunnel was closed");
  }

  #drop(why: string): void {
    for (const waiting of this.#waiting) waiting.stop(new KfwdError("CLUSTER_ANSWER", why));
  }
}

const STREAM: PodStream = { write: () => true, end() {}, abort() {}, pause() {}, resume() {} };

const HANDLER: StreamHandler = { onData: () => "taken", onEnd() {}, onDrain() {}, onClose() {} };

/** A client that dials through `open`, as a real connection does, and counts what is done with it. */
export class ModelConnection implements Connection {
  readonly traffic = { bytesIn: 0, bytesOut: 0 };
  readonly bornMs: number;
  stage: "held" | "carried" | "reset" | "done" = "held";
  readonly #client = new AbortController();
  #carriers = 0;
  #finish: ((end: CarryEnd) => void) | undefined;

  constructor(nowMs: number) {
    this.bornMs = nowMs;
  }

  get closed(): AbortSignal {
    return this.#client.signal;
  }

  async carry(open: (handler: StreamHandler) => Promise<PodStream>): Promise<CarryEnd> {
    must(++this.#carriers === 1, "at most one dial of a connection at a time");
    must(this.stage === "held", `a connection is not carried once it is ${this.stage}`);
    try {
      await open(HANDLER);
      if (this.closed.aborted) return { end: { kind: "done" }, replayable: false };
      this.stage = "carried";
      return await new Promise<CarryEnd>((resolve) => (this.#finish = resolve));
    } finally {
      this.#finish = undefined;
      this.#carriers--;
    }
  }

  reset(): void {
    const carried = this.#finish;
    this.stage = "reset";
    carried?.({ end: { kind: "done" }, replayable: false });
    this.#client.abort(new Error("reset"));
  }

  /** How the pod, or what is on the way to it, ends a connection that is carried. */
  ends(how: "answered" | "refused" | "gone" | "broken"): void {
    const finish = this.#finish;
    if (!finish) return;
    const replayable = how === "refused" || how === "gone";
    this.stage = replayable ? "held" : how === "answered" ? "done" : "carried"; // what broke must be reset
    if (how === "answered") this.traffic.bytesIn += 1;
    const reason: Reason = {
      code: "X",
      kind: how === "gone" ? "gone" : "transient",
      message: `the pod: ${how}`,
    };
    if (how === "answered") finish({ end: { kind: "done" }, replayable: false });
    else finish({ end: { kind: replayable ? "refused" : "lost", reason }, replayable });
  }

  leaves(): void {
    if (this.stage === "held" || this.stage === "carried") this.stage = "done";
    this.#finish?.({ end: { kind: "done" }, replayable: false });
    this.#client.abort(new Error("the client has left"));
  }
}

class ModelCluster extends FakeCluster {
  /** All that were asked for, oldest first. */
  readonly made: ModelTunnel[] = [];
  /** What it said last. */
  said: Resolution | undefined;

  override says(resolution: Resolution): void {
    this.said = resolution;
    super.says(resolution);
  }

  override tunnel(_place: Place, endpoint: Endpoint, events: TunnelEvents): never {
    const tunnel = new ModelTunnel(endpoint, events);
    this.made.push(tunnel);
    return tunnel as never; // not one of those that the base class counts
  }
}

/** The fakes, with tunnels and connections that look after the contract. */
export class ModelWorld extends FakeWorld {
  override readonly cluster = new ModelCluster();
  readonly connections: ModelConnection[] = [];

  constructor() {
    super();
    broken.length = 0;
  }

  /** Those that a forward has not disposed of. */
  get tunnels(): readonly ModelTunnel[] {
    return this.cluster.made.filter(({ disposed }) => !disposed);
  }

  /** A client comes, if somebody listens. */
  come(port: number): void {
    const clients = this.net.bound.get(port);
    if (!clients) return;
    const connection = new ModelConnection(this.clock.now());
    this.connections.push(connection);
    clients.onConnection(connection);
  }
}
