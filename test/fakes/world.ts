import type { Endpoint, Note, Reason } from "../../src/runtime/core/status.ts";
import type {
  CarryEnd,
  ClientEvents,
  Cluster,
  Connection,
  Deps,
  Listener,
  Log,
  Net,
  Place,
  PodStream,
  Resolution,
  StreamHandler,
  Tunnel,
  TunnelEvents,
} from "../../src/runtime/deps.ts";
import { KfwdError } from "../../src/errors.ts";
import { FakeClock } from "./clock.ts";

/** A cluster that says what the test says; its verbs are what happens in one. */
export class FakeCluster implements Cluster {
  readonly followers = new Set<(resolution: Resolution) => void>();
  readonly tunnels: FakeTunnel[] = [];
  /** The calls of `wake`. */
  readonly woken: (Place | undefined)[] = [];
  /** The contexts of the calls of `login`. */
  readonly logins: string[] = [];
  readonly notesOf = new Map<string, readonly Note[]>();
  #login: Promise<void> = Promise.resolve();
  currentContext = "kt";
  /** What a pod says to a probe; undefined: it takes none. */
  answer: (() => string) | undefined;
  #now: Resolution | undefined;

  pin(wanted: Parameters<Cluster["pin"]>[0]): Place {
    if (wanted.context === "unknown") throw new KfwdError("CONTEXT_UNKNOWN", `context "unknown" not found`);
    return {
      kubeconfig: wanted.kubeconfig,
      context: wanted.context ?? this.currentContext,
      namespace: wanted.namespace ?? "default",
    };
  }

  async login(place: Place): Promise<void> {
    this.logins.push(place.context);
    await this.#login;
  }

  notes({ context }: Place): readonly Note[] {
    return this.notesOf.get(context) ?? [];
  }

  /** Somebody is to log in, until the function that it returns is called. */
  asksForLogin(): () => void {
    let done = (): void => {};
    this.#login = new Promise((resolve) => (done = resolve));
    return done;
  }

  follow(_request: unknown, tell: (resolution: Resolution) => void): Disposable {
    this.followers.add(tell);
    if (this.#now) tell(this.#now);
    return { [Symbol.dispose]: () => void this.followers.delete(tell) };
  }

  tunnel(_place: Place, endpoint: Endpoint, events: TunnelEvents): Tunnel {
    const tunnel = new FakeTunnel(endpoint, events, () => this.answer?.());
    this.tunnels.push(tunnel);
    return tunnel;
  }

  wake(place?: Place): void {
    this.woken.push(place);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** The tunnel made last. */
  get tunnelNow(): FakeTunnel {
    const tunnel = this.tunnels.at(-1);
    if (!tunnel) throw new Error("no tunnel was asked for");
    return tunnel;
  }

  podIsReady(pod: string, port = 8080): void {
    const endpoint = { context: "kt", namespace: "default", pod, podUid: `uid-${pod}`, port };
    this.says({ kind: "found", endpoint });
  }

  noPodIsReady(): void {
    this.says({
      kind: "none",
      reason: { code: "NoReadyPods", kind: "missing", message: "0 of 1 pods ready" },
    });
  }

  says(resolution: Resolution): void {
    this.#now = resolution;
    for (const tell of this.followers) tell(resolution);
  }
}

/** A tunnel that opens and breaks when the test says so. */
export class FakeTunnel implements Tunnel {
  readonly endpoint: Endpoint;
  retries = 0;
  disposed = false;
  readonly #events: TunnelEvents;
  readonly #answer: () => string | undefined;

  constructor(endpoint: Endpoint, events: TunnelEvents, answer: () => string | undefined = () => undefined) {
    this.endpoint = endpoint;
    this.#events = events;
    this.#answer = answer;
  }

  opens(): void {
    this.#events.onOpen();
  }
  breaks(kind: Reason["kind"] = "transient"): void {
    this.#events.onLost({ code: "ConnectionLost", kind, message: "connection lost" });
  }
  retry(): void {
    this.retries++;
  }
  /** For a probe: a FakeConnection carries itself. */
  async open(_port: number, handler: StreamHandler): Promise<PodStream> {
    const answer = this.#answer();
    if (answer === undefined) throw new Error("this pod answers nothing");
    queueMicrotask(() => handler.onData(Buffer.from(answer)));
    return { write: () => true, end: () => {}, abort: () => {}, pause: () => {}, resume: () => {} };
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
  }
}

/** Ports that are bound, and a way to connect to them. */
export class FakeNet implements Net {
  readonly bound = new Map<number, ClientEvents>();
  readonly taken = new Set<number>();
  /** Binding takes until the test says {@link goOn}. */
  slowly = false;
  readonly #binding: (() => void)[] = [];

  async listen(request: Parameters<Net["listen"]>[0], clients: ClientEvents): Promise<Listener> {
    if (this.slowly) await new Promise<void>((resolve) => this.#binding.push(resolve));
    const port = request.port === 0 ? 40_000 + this.bound.size : request.port;
    if (this.taken.has(port) || this.bound.has(port)) {
      throw new KfwdError(
        "PORT_BUSY",
        `cannot bind localhost:${port} for forward "${request.label}": in use`,
      );
    }
    this.bound.set(port, clients);
    return {
      local: [{ address: "127.0.0.1", port }],
      [Symbol.asyncDispose]: async () => void this.bound.delete(port),
    };
  }

  /** Ends the wait of the call that came first. */
  goOn(): void {
    this.#binding.shift()?.();
  }

  connect(port: number): FakeConnection {
    const connection = new FakeConnection();
    this.#listenerOn(port).onConnection(connection);
    return connection;
  }

  /** A client comes for whom there is no room. */
  refuse(port: number, message: string): void {
    this.#listenerOn(port).onRefused({ code: "TooManyConnections", kind: "local", message });
  }

  #listenerOn(port: number): ClientEvents {
    const clients = this.bound.get(port);
    if (!clients) throw new Error(`nobody listens on ${port}`);
    return clients;
  }
}

/** A client whose exchange ends when the test says so. */
export class FakeConnection implements Connection {
  readonly traffic = { bytesIn: 0, bytesOut: 0 };
  readonly client = new AbortController();
  readonly closed = this.client.signal;
  stage: "waiting" | "carried" | "reset" = "waiting";
  #finish: ((end: CarryEnd) => void) | undefined;

  carry(): Promise<CarryEnd> {
    this.stage = "carried";
    return new Promise((resolve) => (this.#finish = resolve));
  }

  reset(): void {
    this.stage = "reset";
    this.ends();
  }

  ends(end: CarryEnd = { end: { kind: "done" }, replayable: false }): void {
    this.#finish?.(end);
  }
}

/** A log that keeps its lines. */
export class FakeLog implements Log {
  readonly lines: string[] = [];
  debug(event: string): void {
    this.lines.push(event);
  }
  info(event: string): void {
    this.lines.push(event);
  }
  warn(event: string): void {
    this.lines.push(event);
  }
  error(event: string): void {
    this.lines.push(event);
  }
}

/** All seams with fakes in them. */
export class FakeWorld implements Deps {
  readonly clock = new FakeClock();
  readonly cluster = new FakeCluster();
  readonly net = new FakeNet();
  readonly log = new FakeLog();
  readonly random = (): number => 0.5;
}
