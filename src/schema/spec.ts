/**
 * What `forwards.yaml` means once it is checked, defaults are filled in and names are resolved: plain data, the
 * same for every cluster, safe to send to the supervisor as JSON.
 */

/** Kinds of targets that carry a name. `svc` goes through the Service's selector and ports; the others name pods. */
export const NAMED_TARGET_KINDS = ["svc", "deploy", "sts", "ds", "rs", "job", "pod"] as const;
export type NamedTargetKind = (typeof NAMED_TARGET_KINDS)[number];

/** What the user wrote as `target`; with `container` a named port is that container's. */
export type Target =
  | { readonly kind: NamedTargetKind; readonly name: string; readonly container?: string }
  /** Any pod with these labels, in kubectl's selector syntax: `app=web,tier in (a,b)`. */
  | { readonly kind: "selector"; readonly selector: string; readonly container?: string }
  /** A name or address that the cluster reaches, through the relay. */
  | { readonly kind: "host"; readonly name: string };

/**
 * The port on the other side. `via: "service"` is `port:` of a `svc/` target, the Service's port by number or name,
 * mapped to the pod as the Service says; `via: "pod"` is a port of the pod itself, by number or container port name.
 */
export interface RemotePort {
  readonly via: "service" | "pod";
  readonly port: number | string;
}

/** Where an entry stands, for messages: lines and columns count from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** How often, and how, it is asked whether a forward works. */
export interface ProbeSpec {
  /**
   * - `none`: ready as soon as there is a ready pod
   * - `tunnel`: an upgraded connection to the pod stands; the application is not touched
   * - `tcp`: a connection through the forward opens and is not refused
   * - `http`: a GET through the forward is answered with a status in `status`
   */
  readonly type: "none" | "tunnel" | "tcp" | "http";
  /** Of `http`. */
  readonly path: string;
  /** First and last status of `http` that counts as well, both included. */
  readonly status: readonly [number, number];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** So many failures in a row and the forward is not ready any more. */
  readonly failures: number;
}

/** How a forward tries again. */
export interface RetrySpec {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Well for so long, the next trouble is the first again. */
  readonly resetAfterMs: number;
}

/** What the file says of the relay pod; what is absent has the relay's own default. */
export interface RelaySpec {
  readonly image?: string;
  readonly imagePullSecrets?: readonly string[];
  /** Where the relay runs; absent: the forward's namespace. */
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  readonly nodeSelector?: Readonly<Record<string, string>>;
  /** As Kubernetes has them. */
  readonly tolerations?: readonly Readonly<Record<string, string | number>>[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** How long the pod lives; the next one takes over before. Absent: 24 h. */
  readonly ttlMs?: number;
  /** How long the pod goes on when nobody speaks to it. Absent: 90 s. */
  readonly idleMs?: number;
  /** `entry`: the pod is for the forwards of one entry alone. Absent: one for all of a context and namespace. */
  readonly share?: "entry";
  /** What the pod's manifest is to have besides, or no more (null). */
  readonly patch?: RelayPatch;
}

/** A merge patch of a pod. */
export interface RelayPatch {
  readonly [key: string]: PatchValue;
}

/** Anything that JSON can say. */
export type PatchValue = string | number | boolean | null | readonly PatchValue[] | RelayPatch;

/** One forward of the file after defaults and merging. Of what is optional, absent means the default named beside it. */
export interface ForwardSpec {
  /** `^[a-z][a-z0-9-]{0,39}$`; an item of a `ports` list has its own name after a colon: `kafka:registry`. */
  readonly name: string;
  readonly description?: string;
  readonly target: Target;
  /** Absent: the only port of the Service. */
  readonly remotePort?: RemotePort;
  readonly protocol: "tcp" | "udp";
  /** 1 to 65535, or `auto`: the system picks one and it stays for the life of the forward. */
  readonly local: number | "auto";
  /** `localhost` (both families) or IP addresses; never empty. */
  readonly bind: readonly string[];
  /** Absent: kubeconfig's current-context, pinned when the forward first comes up. */
  readonly context?: string;
  /** Absent: the context's namespace, else `default`. */
  readonly namespace?: string;
  /** Absolute path. Absent: `$KUBECONFIG`, else `~/.kube/config`. */
  readonly kubeconfig?: string;
  /** False: it does not count for `--wait` and the exit status. */
  readonly required: boolean;
  /** Where `local: auto` picks, both included; absent: the system picks. */
  readonly localRange?: { readonly first: number; readonly last: number };
  /** `relay`: TCP goes through the relay pod. Absent: straight, but for UDP and hosts, which always take the relay. */
  readonly via?: "relay";
  /** What becomes of a client while no pod is ready. Absent: hold. */
  readonly whenUnavailable?: "refuse";
  /** How long a client may wait for a ready pod. Absent: 10 s. */
  readonly holdMs?: number;
  /** How long it goes on after it was started. Absent: until it is stopped. */
  readonly ttlMs?: number;
  readonly retry?: RetrySpec;
  /** Absent: `tunnel`. */
  readonly probe?: ProbeSpec;
  /** Which of several ready pods. Absent: sticky. */
  readonly pick?: "newest" | "random";
  /** True: it moves when the kubeconfig's current context changes; it has no `context` then. */
  readonly followContext?: true;
  /** Globs of contexts that it must not go to unless that is allowed; absent where it has a context that could be looked at before. */
  readonly protect?: readonly string[];
  /** A template with `{host}`, `{port}`, `{name}`. */
  readonly url?: string;
  /** Templates as `url`, with `{url}` too, by the name of the variable. */
  readonly env?: Readonly<Record<string, string>>;
  /** Names that people give this forward in their hosts file. */
  readonly hosts?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** What the file says of the relay for this forward. */
  readonly relay?: RelaySpec;
  readonly source: SourcePosition;
}

/** A whole file: the project and its forwards, in the order of the file. */
export interface ProjectSpec {
  /** `name:` of the file; absent: the folder's name. */
  readonly name?: string;
  /** The item of `environments` in force. */
  readonly environment?: string;
  /** Contexts that must be allowed by name before anything is started in them: globs. */
  readonly protect?: readonly string[];
  readonly forwards: readonly ForwardSpec[];
}
