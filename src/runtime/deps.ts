/**
 * The seams: what the supervisor needs of the world, as interfaces. Adapters in cluster/, net/ and daemon/
 * implement them, a composition root joins them, tests put fakes in their place.
 */
import type { ForwardSpec, RelaySpec, RemotePort, Target } from "../schema/spec.ts";
import type {
  Endpoint,
  LocalAddress,
  Note,
  Reason,
  RelayPod,
  StatusReport,
  SupervisorEvent,
} from "./core/status.ts";

export type { RelayPod } from "./core/status.ts";

/** Time. Everything that waits or stamps takes it as an argument; only clock.ts reads the real one. */
export interface Clock {
  /** Monotonic milliseconds from an arbitrary start. */
  now(): number;
  /** Milliseconds since 1970 by the wall clock, to be shown, never to be computed with. */
  wall(): number;
  /** Resolves after `ms`. Rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls `fire` once after `ms`, unless disposed before. Does not keep the process alive. */
  timer(ms: number, fire: () => void): Disposable;
}

/** Uniform in [0, 1). */
export type Random = () => number;

/** One line a call in the supervisor's log; `fields` must hold no secret. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** The terminal of whoever runs a supervisor in the foreground. A program that is to ask there inherits our input. */
export interface Terminal {
  /** Shows what such a program says. */
  say(text: string): void;
}

// --- the cluster side -------------------------------------------------------------------------------------------

/** Where a forward's objects live; a context's name is unique within its kubeconfig only. */
export interface Place {
  /** Absolute path, or undefined for `$KUBECONFIG` and `~/.kube/config`. */
  readonly kubeconfig: string | undefined;
  readonly context: string;
  readonly namespace: string;
}

/** What a target means at the moment. */
export type Resolution =
  | { readonly kind: "found"; readonly endpoint: Endpoint }
  | { readonly kind: "none"; readonly reason: Reason };

/** Kubernetes, as far as a forward is concerned. Owns its connections; disposed with the supervisor. */
export interface Cluster extends AsyncDisposable {
  /**
   * Fills in what a spec leaves open from the kubeconfig, without any network.
   * @throws KfwdError `KUBECONFIG_MISSING`, `KUBECONFIG_INVALID`, `CONTEXT_UNKNOWN`.
   */
  pin(wanted: {
    readonly kubeconfig: string | undefined;
    readonly context: string | undefined;
    readonly namespace: string | undefined;
  }): Place;
  /**
   * The current context of a kubeconfig, as it stands on disk now.
   * @throws KfwdError as {@link pin}; `CONTEXT_UNKNOWN` where there is none.
   */
  current(kubeconfig: string | undefined): string;
  /**
   * Lets whoever sits at a terminal log in where the way to this cluster asks for it, before anything else is written
   * there. Resolves at once where nobody does, and never throws: what it came to shows when it is needed.
   */
  login(place: Place): Promise<void>;
  /** What a user should know of the way to this cluster although it may well work. */
  notes(place: Place): readonly Note[];
  /**
   * Tells what the target means now and on every change, from one list+watch per kind and namespace that all
   * followers share. The first call comes as soon as the lists have; the same resolution is told twice only around a
   * {@link wake}, after which what is told is known anew.
   */
  follow(
    request: {
      readonly place: Place;
      readonly target: Target;
      readonly remotePort: RemotePort | undefined;
      /** Undefined: sticky. */
      readonly pick?: ForwardSpec["pick"] | undefined;
      /** Which ports of Services and pods count. Absent: TCP. */
      readonly protocol?: "tcp" | "udp";
      /** Those with the same one lead to one pod as long as it serves. Absent: it leads where it likes. */
      readonly entry?: string | undefined;
    },
    tell: (resolution: Resolution) => void,
  ): Disposable;
  /**
   * Keeps upgraded connections to the endpoint's pod ready until disposed; all tunnels to one pod share them.
   * `events` are called after `tunnel` returned.
   */
  tunnel(place: Place, endpoint: Endpoint, events: TunnelEvents): Tunnel;
  /**
   * With a place: somebody wants to know now, so every wait for another try of its lists ends, and what was refused is
   * told again if it is refused again. Without: the machine slept, so nothing that stood before is believed any more.
   */
  wake(place?: Place): void;
}

/** How a {@link Tunnel} fares. */
export interface TunnelEvents {
  /** An upgraded connection stands: the tunnel is proven. May come again after `onLost`. */
  onOpen(): void;
  /** No upgraded connection stands and none could be made; the tunnel tries no more until {@link Tunnel.retry}. */
  onLost(reason: Reason): void;
}

/** The way to one pod. Disposing ends its share of the pool; streams still open live on until they end. */
export interface Tunnel extends AsyncDisposable {
  /** Tries again after `onLost`. */
  retry(): void;
  /**
   * Opens a byte stream to `port` of the pod. Resolves as soon as an upgraded connection is free for it, without
   * waiting for the pod's answer: refusal comes as {@link StreamEnd}.
   * @throws the signal's reason, or KfwdError when no connection can be had.
   */
  open(port: number, handler: StreamHandler, signal: AbortSignal): Promise<PodStream>;
}

/** One TCP byte stream to a port inside a pod. */
export interface PodStream {
  /**
   * Sends bytes to the pod. With headroom the memory is lent for the call, and so many bytes in front of the chunk may
   * be overwritten with headers; without, it must not change any more. False: wait for `onDrain` before the next.
   */
  write(chunk: Buffer, headroom: number): boolean;
  /** No more bytes will be sent. The runtime cuts the answer one second after it, so hold it back while one is due. */
  end(): void;
  /** Gives the stream up, both ways, at once; `onClose` is not called. */
  abort(): void;
  /** Stops and restarts `onData`; bytes wait on the wire, not in memory. */
  pause(): void;
  resume(): void;
}

/** The relay pods of a project. Disposing deletes them. */
export interface Relays extends AsyncDisposable {
  /**
   * The way through the relay pod of the place's namespace (or the one that `spec` names), made if there is none; all
   * forwards of the project share it unless `spec` says for which entry it is. `events` are called after `relay` returned.
   */
  relay(place: Place, spec: RelayWish, events: RelayEvents): Relay;
  /**
   * From now on, and for a while after it is disposed, pods that nobody uses any more are kept for who may want them
   * again: what replaces a forward asks for its relay only when its target is known.
   */
  hold(): Disposable;
  /** The machine slept, so nothing that stood before is believed any more. */
  wake(): void;
}

/** What the file says of a relay pod, and for whom alone it is to be. */
export interface RelayWish extends RelaySpec {
  /** Name of the entry. Absent: for all. */
  readonly entry?: string;
}

/** How a {@link Relay} fares. */
export interface RelayEvents extends TunnelEvents {
  /** What has become of the pod, whenever that changes. */
  onPod(pod: RelayPod): void;
}

/** Where the relay sends to: an address or a name that its pod can resolve, and a port. */
export interface RelayTarget {
  readonly host: string;
  readonly port: number;
}

/**
 * The way through a relay pod. It lives on while the pod or the tunnel to it is replaced; what was under way is told its
 * end. Disposing lets go of this forward's share; the pod is deleted with the last one.
 */
export interface Relay extends AsyncDisposable {
  /** Tries again after `onLost`. */
  retry(): void;
  /** A flow of datagrams to one target. The relay's socket for it is made with the first datagram. */
  flow(target: RelayTarget, handler: FlowHandler): Flow;
  /** As {@link Tunnel.open}, but of a connection that the relay makes. */
  open(target: RelayTarget, handler: StreamHandler, signal: AbortSignal): Promise<PodStream>;
}

/** One client's datagrams through the relay. Disposing ends it on both sides; the handler is not called any more. */
export interface Flow extends Disposable {
  /** Takes the datagram as it is; memory is lent for the call. False: there was no room for it, or no tunnel. */
  send(datagram: Buffer): boolean;
}

/** What comes back on a {@link Flow}. */
export interface FlowHandler {
  /** A view of memory that is read into again. */
  onDatagram(datagram: Buffer): void;
  /** The relay has dropped or could not send so many more of this flow, and why. */
  onDropped(count: number, why: "full" | "refused" | "tooLarge" | "unresolved"): void;
  /**
   * The last call: the relay knows nothing of this flow any more; the next datagram needs a new one. `crowded`: others
   * needed its place.
   */
  onEnd(why?: "crowded"): void;
}

/** How a stream's bytes and end reach its owner. */
export interface StreamHandler {
  /** Bytes from the pod: a view of memory that is read into again, unless it answers `kept`. */
  onData(chunk: Buffer): "taken" | "kept";
  /** The pod will send nothing more; all its bytes came before. `onClose` follows. */
  onEnd(): void;
  /** The stream takes bytes again after `write` returned false. */
  onDrain(): void;
  /** The last call: the stream is over in both directions. */
  onClose(end: StreamEnd): void;
}

/**
 * How a stream ended.
 * - `done`: both sides finished in order
 * - `refused`: the pod took none of it (nothing listens, the pod is gone); no byte came back, so it may be replayed
 * - `reset`: the application or the runtime broke it off
 * - `lost`: the upgraded connection under it broke
 */
export type StreamEnd =
  | { readonly kind: "done" }
  | { readonly kind: "refused" | "reset" | "lost"; readonly reason: Reason };

// --- the local side ---------------------------------------------------------------------------------------------

/** Local sockets. */
export interface Net {
  /**
   * Binds every address. `localhost` means 127.0.0.1 and ::1, of which one may be absent on the machine.
   * With `port` 0 the system picks a port, the same for all addresses. Nothing stays bound when it throws.
   * @throws KfwdError `PORT_BUSY` naming the owner where it can be found, `PORT_PRIVILEGED`, `ADDRESS_UNAVAILABLE`.
   */
  listen(
    request: { readonly bind: readonly string[]; readonly port: number; readonly label: string },
    clients: ClientEvents,
  ): Promise<Listener>;
}

/** Local sockets for datagrams. */
export interface UdpNet {
  /** As {@link Net.listen}, for datagrams. */
  listen(
    request: { readonly bind: readonly string[]; readonly port: number; readonly label: string },
    onDatagram: (datagram: Buffer, client: UdpClient) => void,
  ): Promise<UdpListener>;
}

/** Who sent a datagram; equal keys mean the same client at the same local address. */
export interface UdpClient {
  readonly key: string;
  /** Answers it from the address that it wrote to; memory is lent until the call returns. Failures are counted. */
  send(datagram: Buffer): void;
}

/** Bound UDP sockets. */
export interface UdpListener extends Listener {
  /** Datagrams that the system or this process had no room for, and answers that could not be sent. */
  readonly drops: { readonly received: number; readonly sent: number };
}

/** Who comes to a {@link Listener}. */
export interface ClientEvents {
  onConnection(connection: Connection): void;
  /** A client was reset at once, because this process has no room for it. */
  onRefused(reason: Reason): void;
}

/** A bound socket per address. Disposing stops accepting; connections live on. */
export interface Listener extends AsyncDisposable {
  readonly local: readonly LocalAddress[];
}

/** One accepted TCP client. It reads at most 64 KiB ahead while nobody carries it. */
export interface Connection {
  /** Aborted when the client is gone. */
  readonly closed: AbortSignal;
  /**
   * Carries the bytes both ways until the exchange is over, and says how it ended. Before any byte came back the
   * client's first bytes are kept, so that a `refused` or `lost` stream with `replayable` may be carried again.
   * `ends`: what the stream does with the client's end, see {@link PodStream.end}.
   * @throws whatever `open` throws; the connection is then still whole.
   */
  carry(open: (handler: StreamHandler) => Promise<PodStream>, ends: StreamEnds): Promise<CarryEnd>;
  /** Ends it with a TCP reset, so that the client cannot take it for an empty answer. */
  reset(): void;
  readonly traffic: { readonly bytesIn: number; readonly bytesOut: number };
}

/**
 * What becomes of a stream after {@link PodStream.end}: the runtime's port-forward `cuts` the answer a second later, a
 * relay ends one direction and `keeps` the other.
 */
export type StreamEnds = "cuts" | "keeps";

/** How {@link Connection.carry} ended. `replayable`: the client is still there and nothing of the answer was passed on. */
export interface CarryEnd {
  readonly end: StreamEnd;
  readonly replayable: boolean;
  /** The client waited for the pod's end about a second after the last byte, which is how long the runtime keeps it. */
  readonly lateEnd?: true;
}

/** All of it, built by a composition root. */
export interface Deps {
  readonly autoPorts: AutoPorts;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly cluster: Cluster;
  readonly relays: Relays;
  readonly net: Net;
  readonly udp: UdpNet;
}

/** Where the ports of `local: auto` are kept over restarts. */
export interface PortStore {
  /** The last port of each forward, the oldest first. */
  read(): readonly (readonly [name: string, port: number])[];
  write(ports: readonly (readonly [name: string, port: number])[]): void;
}

/** Which local port a forward with `local: auto` gets. */
export interface AutoPorts {
  /** Takes note of the ports that forwards of the file are to have. */
  reserve(specs: readonly ForwardSpec[]): void;
  /** The ports to try, in their order; 0 is any. */
  candidates(spec: Pick<ForwardSpec, "name" | "localRange">): readonly number[];
  /** Remembers the port that a forward got. */
  keep(name: string, port: number): void;
}

// --- the control side -------------------------------------------------------------------------------------------

/** Makes the supervisor's forwards what the file says. */
export interface ApplyRequest {
  /** Display name of the project. */
  readonly project: string;
  readonly config: StatusReport["config"];
  /** The whole file. */
  readonly forwards: readonly ForwardSpec[];
  /** Only these are touched; null: all. Those of them that left the file are removed. */
  readonly names: readonly string[] | null;
  /** `keep`: what left the file stays. */
  readonly orphans?: "keep";
  /** `reread`: only files have changed, so no `ttl` begins anew, and what is stopped stays so. Absent: somebody wants it. */
  readonly occasion?: "reread";
  /** Protected contexts in which forwards may be started all the same. */
  readonly allowContexts?: readonly string[];
  /** What becomes of forwards that run: all of them, or none is replaced. Absent: those that mean something else now. */
  readonly recreate?: "all" | "none";
  /**
   * Who wants them. Absent or `project`: they are kept until somebody stops them. `client`: the connection that this
   * comes over claims them, see {@link Client}.
   */
  readonly owner?: "project" | "client";
  /** Of a client, for show. */
  readonly ownerPid?: number;
  /** How the files are read again later, but for the names. */
  readonly again?: ReadAgain;
}

/** Arguments of `kfwd up -d`, and the folder to run it in; they hold no secret. */
export interface ReadAgain {
  readonly args: readonly string[];
  readonly cwd: string;
}

/**
 * Who drives a supervisor over a connection of its own. What it claims, nobody else claims and no project keeps is
 * stopped when the connection closes, however it does.
 */
export interface Client {
  /** As its own PID namespace counts; null while it has not said. */
  readonly pid: number | null;
  /** Aborted when the connection is over. */
  readonly closed: AbortSignal;
}

/** Gives claims up, all of them with `names` null. */
export interface ReleaseRequest {
  readonly names: readonly string[] | null;
  /** Who wants them from then on. Absent: nobody. */
  readonly to?: "project";
}

/** What {@link SupervisorControl.apply} did to each forward. */
export interface ApplyResult {
  readonly changes: readonly { readonly name: string; readonly action: ChangeAction }[];
}
export type ChangeAction = "start" | "replace" | "update" | "keep" | "remove";

/** Ends forwards, or with `names` null the supervisor itself. */
export interface StopRequest {
  readonly names: readonly string[] | null;
  /** How long connections may go on before they are reset. */
  readonly drainMs: number;
}
export interface StopResult {
  readonly stopped: readonly string[];
}

/** Forwards that are kept; null: all of them. */
export interface NamesRequest {
  readonly names: readonly string[] | null;
}
/** Stops forwards that stay known, and can be started again. */
export interface HaltRequest extends NamesRequest {
  /** As in a {@link StopRequest}. */
  readonly drainMs: number;
}
/** Those that something was done to, in the order of the file. */
export interface NamesResult {
  readonly names: readonly string[];
}

/** A running supervisor, in this process or behind its control socket: both are driven by the same calls. */
export interface SupervisorControl {
  status(): Promise<StatusReport>;
  /**
   * Changes nothing when it throws.
   * @throws KfwdError of exit status 4 when a kubeconfig or context is not there; `NOT_RUNNING` when everything is
   * being stopped.
   */
  apply(request: ApplyRequest): Promise<ApplyResult>;
  /** What {@link apply} would do now. Changes nothing. @throws as {@link apply}. */
  plan(request: ApplyRequest): Promise<ApplyResult>;
  /** @throws KfwdError `UNKNOWN_FORWARD`. */
  stop(request: StopRequest): Promise<StopResult>;
  /**
   * Stops forwards, which stay known as `stopped`, and answers those that were not, once their connections are over;
   * other calls need not wait for that. The supervisor lives on.
   * @throws KfwdError `UNKNOWN_FORWARD`; `NOT_RUNNING` when everything is being stopped.
   */
  halt(request: HaltRequest): Promise<NamesResult>;
  /** Starts those that are stopped, as they were, without the file. @throws as `halt`. */
  start(request: NamesRequest): Promise<NamesResult>;
  /**
   * Begins forwards anew on the local ports that they keep: connections are reset, endpoints chosen again. One that is
   * stopped is started if it was named, and left alone otherwise. @throws as `halt`.
   */
  restart(request: NamesRequest): Promise<NamesResult>;
  /** Gives up what this connection has claimed; what nobody else wants is stopped then. */
  release(request: ReleaseRequest): Promise<StopResult>;
  /** Tells every event from now on, starting with the present status of each forward. */
  follow(listener: (event: SupervisorEvent) => void): Promise<AsyncDisposable>;
}

/** A supervisor as it shows itself on its socket, where it may be found on its way out. */
export interface ServedControl extends SupervisorControl {
  /** `client`: whose connection it came over. @see SupervisorControl.apply */
  apply(request: ApplyRequest, client?: Client): Promise<ApplyResult>;
  /** As {@link apply}. */
  release(request: ReleaseRequest, client?: Client): Promise<StopResult>;
  /** How much longer connections may go on, in milliseconds, once everything is being stopped; undefined until then. */
  readonly drainLeftMs: number | undefined;
}
