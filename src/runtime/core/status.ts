/** What is true of a forward now, and why: the only thing renderers, `status --json` and events show. */
import type { Target } from "../../schema/spec.ts";

/**
 * Why something went wrong, as far as deciding needs to know.
 * - `transient`: may work when tried again (5xx, a lost upgrade)
 * - `unreachable`: no API server answers: network, DNS, certificate
 * - `gone`: what we forwarded to is no longer there; another endpoint may be
 * - `missing`: the cluster has not what the spec names (yet): a watch will tell
 * - `denied`: the cluster refuses us (401, 403): a person must act
 * - `local`: this machine refuses us (port taken, address unknown): a person must act
 * - `protocol`: the other side breaks the rules of the wire
 * - `unsupported`: this version of kfwd cannot do it
 */
export type FailureKind =
  | "transient"
  | "unreachable"
  | "gone"
  | "missing"
  | "denied"
  | "local"
  | "protocol"
  | "unsupported";

/**
 * A reason in words a user can act on. `code` is stable, for scripts, and in PascalCase as Kubernetes writes reasons:
 * `NoReadyPods`, `PortBusy`; only errors that end a command have codes such as `KFWD_PORT_BUSY`.
 */
export interface Reason {
  readonly code: string;
  readonly kind: FailureKind;
  readonly message: string;
  readonly hint?: string;
}

/** What a user should know although the forwards may well work. `code` is stable, as that of a {@link Reason}. */
export type Note = Omit<Reason, "kind">;

/** The pod and port a target means now. Two endpoints are the same when `podUid` and `port` are. */
export interface Endpoint {
  readonly context: string;
  readonly namespace: string;
  readonly pod: string;
  readonly podUid: string;
  /** Its address in the cluster, once it has one: where a relay sends to. */
  readonly podIp?: string;
  /** Port inside the pod, 1 to 65535. */
  readonly port: number;
}

/** A bound local address: `127.0.0.1` or `::1` and a port. */
export interface LocalAddress {
  readonly address: string;
  readonly port: number;
}

/** Stages of a forward's life, as `status` shows them; forward.ts draws how they follow each other. */
export const STAGES = [
  "binding",
  "resolving",
  "connecting",
  "ready",
  "waiting",
  "failed",
  "stopping",
  "stopped",
] as const;
export type Stage = (typeof STAGES)[number];

/** The relay pod of a forward that needs one. */
export interface RelayPod {
  /** Null until it is created. */
  readonly name: string | null;
  readonly namespace: string;
  readonly uid: string | null;
  readonly state: "creating" | "starting" | "running" | "waiting" | "gone";
  /** Why it does not run: the words of the cluster. */
  readonly reason: Reason | null;
}

/** Counters of a UDP forward since it came up. */
export interface DatagramTraffic {
  /** Clients that it keeps apart now. */
  readonly flows: number;
  /** Clients that lost their place since there were too many; with their next datagram they get another. */
  readonly crowdedOut: number;
  /** Given to clients. */
  readonly in: number;
  /** Given to the relay. */
  readonly out: number;
  readonly dropped: DroppedDatagrams;
}

/** Datagrams lost on the way, by reason; whoever sent them is told nothing, as with UDP anywhere. */
export interface DroppedDatagrams {
  /** No pod was ready, or no relay. */
  readonly notReady: number;
  /** The way to the relay, or from there to the target, was slower than they came. */
  readonly full: number;
  /** Nothing listens on the target's port. */
  readonly refused: number;
  /** Too large for the network of the cluster. */
  readonly tooLarge: number;
  /** The relay could not resolve the target's name. */
  readonly unresolved: number;
  /** This machine had no room for what clients sent. */
  readonly received: number;
  /** Answers that could not be sent to their client. */
  readonly sent: number;
}

/** Counters of one forward since it came up. Bytes are payload: `bytesIn` towards the client, `bytesOut` to the pod. */
export interface Traffic {
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Connections that are joined to a pod now. */
  readonly connections: number;
  /** Accepted connections that wait for a ready pod now. */
  readonly held: number;
  /** Connections that have had to wait for one since the forward came up. */
  readonly waited: number;
  /** Connections carried since the forward came up. */
  readonly served: number;
  /** Connections that were reset: refused in the pod, held too long, or over a limit. */
  readonly refused: number;
  /** Exchanges whose end, made by the pod, came about a second late, as Kubernetes passes it on; a relay does not. */
  readonly lateEnds: number;
}

/** One forward in `status --json` and in events; times are ISO 8601 in UTC. */
export interface ForwardStatus {
  readonly name: string;
  readonly description: string | null;
  readonly state: Stage;
  readonly reason: Reason | null;
  readonly protocol: "tcp" | "udp";
  readonly required: boolean;
  /** Empty until bound. */
  readonly local: readonly LocalAddress[];
  /** What the user asked to bind, for the time before it is bound. */
  readonly bind: readonly string[];
  readonly localPort: number | null;
  readonly target: Target;
  /** The target as people write it: `svc/api:http`. */
  readonly targetText: string;
  /** Null until pinned. */
  readonly context: string | null;
  readonly namespace: string | null;
  /** The endpoint in use, or being connected to. */
  readonly pod: string | null;
  readonly podPort: number | null;
  /** Since when it is in this state. */
  readonly since: string;
  /** When its `ttl` is over; absent where it has none. */
  readonly endsAt?: string;
  /** Failed attempts since it was last ready. */
  readonly attempt: number;
  /** Times it came back after it had been ready. */
  readonly restarts: number;
  /** When the next attempt is due, if a timer decides and not an event of the cluster. */
  readonly retryAt: string | null;
  /** The last thing that went wrong with one connection, though the forward itself may be fine. */
  readonly lastError: { readonly message: string; readonly at: string } | null;
  readonly traffic: Traffic;
  /** The relay pod; null while there is none, or where none is needed. */
  readonly relay: RelayPod | null;
  /** Null for TCP. */
  readonly datagrams: DatagramTraffic | null;
}

/** A program that needs forwards for as long as it is connected, as `kfwd run` does. */
export interface Owner {
  /** As its own PID namespace counts; null where it did not say. */
  readonly pid: number | null;
  readonly names: readonly string[];
}

/** Everything `kfwd status` knows of a project; `schema` names this shape for scripts. */
export interface StatusReport {
  readonly schema: "kfwd.status/1";
  readonly project: string;
  readonly supervisor: {
    readonly pid: number;
    readonly mode: "foreground" | "detached";
    readonly version: string;
    /** ISO 8601, UTC. */
    readonly startedAt: string;
    /** Absolute path of its log. */
    readonly log: string;
  };
  readonly config: {
    /** Absolute path of the file, symlinks resolved; null when it came from standard input. */
    readonly path: string | null;
    /** SHA-256 of the file's bytes when it was last applied, in hex; empty while forwards of an older text run too. */
    readonly sha256: string;
    /** What else was read then: included files, further `-f`, the local file, variables. */
    readonly others?: readonly { readonly path: string; readonly sha256: string }[];
  };
  /** In the order of the file. */
  readonly entries: readonly ForwardStatus[];
  /** Absent when there are none, and from supervisors that knew none. */
  readonly notes?: readonly Note[];
  /** Who needs which forwards for as long as it runs; absent when nobody does. */
  readonly owners?: readonly Owner[];
  /** Where there are such, what stays when they have gone. */
  readonly kept?: readonly string[];
}

/** What the supervisor tells everyone who listens. */
export type SupervisorEvent =
  | { readonly type: "forward"; readonly status: ForwardStatus }
  /** A forward was stopped by somebody, and can be started again: it is `stopped` until then. */
  | { readonly type: "halted"; readonly name: string }
  /** A forward that is no longer part of the project. */
  | { readonly type: "removed"; readonly name: string }
  /** Another program needs forwards for as long as it runs, or one does not any more. */
  | { readonly type: "owners"; readonly owners: readonly Owner[] }
  /** The supervisor ends; nothing follows. */
  | { readonly type: "ended"; readonly why: string };
