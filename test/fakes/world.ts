import type { Endpoint, Note, Reason } from "../../src/runtime/core/status.ts";
import type {
  CarryEnd,
  ClientEvents,
  Cluster,
  Connection,
  Deps,
  Flow,
  FlowHandler,
  Listener,
  Log,
  Net,
  Place,
  PodStream,
  Relay,
  RelayEvents,
  RelayPod,
  Relays,
  RelayTarget,
  Resolution,
  StreamHandler,
  Tunnel,
  TunnelEvents,
  UdpClient,
  UdpListener,
  UdpNet,
} from "../../src/runtime/deps.ts";
import { KeptPorts } from "../../src/runtime/forwards/autoports.ts";
import { KfwdError } from "../../src/errors.ts";
import type { RelaySpec } from "../../src/schema/spec.ts";
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

  current(): string {
    if (this.currentContext === "") throw new KfwdError("KUBECONFIG_INVALID", "it is half written");
    return this.currentContext;
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
    const podUid = `uid-${pod}`;
    const endpoint = { context: "kt", namespace: "default", pod, podUid, podIp: `ip-${pod}`, port };
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

/** Relay pods that run, wait and die when the test says so. */
export class FakeRelays implements Relays {
  readonly relays: FakeRelay[] = [];
  /** How often {@link wake} was called. */
  woken = 0;

  relay(place: Place, spec: RelaySpec, events: RelayEvents): Relay {
    const relay = new FakeRelay(place, spec, events);
    this.relays.push(relay);
    return relay;
  }

  /** The relay made last. */
  get now(): FakeRelay {
    const relay = this.relays.at(-1);
    if (!relay) throw new Error("no relay was asked for");
    return relay;
  }

  /** How many holds were asked for, and are not over yet. */
  readonly holds = { asked: 0, now: 0 };

  hold(): Disposable {
    this.holds.asked++;
    this.holds.now++;
    return { [Symbol.dispose]: () => void this.holds.now-- };
  }

  wake(): void {
    this.woken++;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The way through one relay pod. */
export class FakeRelay implements Relay {
  readonly place: Place;
  readonly spec: RelaySpec;
  readonly flows: FakeFlow[] = [];
  retries = 0;
  disposed = false;
  readonly #events: RelayEvents;

  constructor(place: Place, spec: RelaySpec, events: RelayEvents) {
    this.place = place;
    this.spec = spec;
    this.#events = events;
  }

  pod(state: RelayPod["state"], reason: Reason | null = null): void {
    this.#events.onPod({ name: "kfwd-relay-1", namespace: "shop", uid: "uid-relay", state, reason });
  }
  opens(): void {
    this.pod("running");
    this.#events.onOpen();
  }
  breaks(kind: Reason["kind"] = "transient"): void {
    for (const flow of this.living) flow.ends();
    this.#events.onLost({ code: "RelayLost", kind, message: "the relay is gone" });
  }
  get living(): readonly FakeFlow[] {
    return this.flows.filter(({ stage }) => stage === "open");
  }

  retry(): void {
    this.retries++;
  }
  flow(target: RelayTarget, handler: FlowHandler): Flow {
    const flow = new FakeFlow(target, handler);
    this.flows.push(flow);
    return flow;
  }
  open(): Promise<never> {
    return Promise.reject(new Error("a FakeConnection carries itself"));
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
  }
}

/** One client's datagrams, as the relay sees them. */
export class FakeFlow implements Flow {
  readonly target: RelayTarget;
  readonly sent: string[] = [];
  stage: "open" | "ended" | "disposed" = "open";
  full = false;
  readonly #handler: FlowHandler;

  constructor(target: RelayTarget, handler: FlowHandler) {
    this.target = target;
    this.#handler = handler;
  }

  send(datagram: Buffer): boolean {
    if (this.full || this.stage !== "open") return false;
    this.sent.push(datagram.toString());
    return true;
  }
  answers(text: string): void {
    if (this.stage !== "disposed") this.#handler.onDatagram(Buffer.from(text));
  }
  drops(...what: Parameters<FlowHandler["onDropped"]>): void {
    this.#handler.onDropped(...what);
  }
  crowdedOut(): void {
    this.stage = "ended";
    this.#handler.onEnd("crowded");
  }
  ends(): void {
    if (this.stage !== "open") return;
    this.stage = "ended";
    this.#handler.onEnd();
  }
  [Symbol.dispose](): void {
    this.stage = "disposed";
  }
}

/** UDP ports that are bound, and a way to send to them. */
export class FakeUdpNet implements UdpNet {
  readonly bound = new Map<number, (datagram: Buffer, client: UdpClient) => void>();

  async listen(...[request, onDatagram]: Parameters<UdpNet["listen"]>): Promise<UdpListener> {
    const port = request.port === 0 ? 50_000 + this.bound.size : request.port;
    this.bound.set(port, onDatagram);
    return {
      local: [{ address: "127.0.0.1", port }],
      drops: { received: 0, sent: 0 },
      [Symbol.asyncDispose]: async () => void this.bound.delete(port),
    };
  }

  /** A client of that name on this machine. */
  client(port: number, key: string): FakeUdpClient {
    const onDatagram = this.bound.get(port);
    if (!onDatagram) throw new Error(`nobody takes datagrams on ${port}`);
    return new FakeUdpClient(key, onDatagram);
  }
}

/** Sends datagrams and keeps its answers. */
export class FakeUdpClient implements UdpClient {
  readonly key: string;
  readonly got: string[] = [];
  readonly #onDatagram: (datagram: Buffer, client: UdpClient) => void;

  constructor(key: string, onDatagram: (datagram: Buffer, client: UdpClient) => void) {
    this.key = key;
    this.#onDatagram = onDatagram;
  }

  sends(text: string): void {
    const lent = Buffer.from(text);
    this.#onDatagram(lent, this);
    lent.fill(0);
  }
  send(datagram: Buffer): void {
    this.got.push(datagram.toString());
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
  readonly autoPorts = new KeptPorts({ read: () => [], write: () => {} });
  readonly clock = new FakeClock();
  readonly cluster = new FakeCluster();
  readonly relays = new FakeRelays();
  readonly net = new FakeNet();
  readonly udp = new FakeUdpNet();
  readonly log = new FakeLog();
  readonly random = (): number => 0.5;
}
