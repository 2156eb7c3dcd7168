/**
 * What `forwards.yaml` means once it is checked, defaults are filled in and names are resolved: plain data, the
 * same for every cluster, safe to send to the supervisor as JSON.
 */

/** Kinds of targets that carry a name. `svc` goes through the Service's selector and ports; the others name pods. */
export const NAMED_TARGET_KINDS = ["svc", "deploy", "sts", "ds", "rs", "job", "pod"] as const;
export type NamedTargetKind = (typeof NAMED_TARGET_KINDS)[number];

/** What the user wrote as `target`. */
export type Target =
  | { readonly kind: NamedTargetKind; readonly name: string }
  /** Any pod with these labels, in kubectl's selector syntax: `app=web,tier in (a,b)`. */
  | { readonly kind: "selector"; readonly selector: string };

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

/** One forward of the file after defaults and merging. */
export interface ForwardSpec {
  /** `^[a-z][a-z0-9-]{0,39}$` */
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
  readonly source: SourcePosition;
}

/** A whole file: the project and its forwards, in the order of the file. */
export interface ProjectSpec {
  /** `name:` of the file; absent: the folder's name. */
  readonly name?: string;
  readonly forwards: readonly ForwardSpec[];
}
