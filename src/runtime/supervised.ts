/** What is agreed between whoever starts a supervisor, in this process or another, and the supervisor's own root. */
import type { StatusReport } from "./core/status.ts";
import type { Holder } from "./daemon/lock.ts";
import type { SupervisorControl } from "./deps.ts";
import type { LockedRelay } from "./wire/lockrecord.ts";

/** Plain data: a detached supervisor gets it as JSON on its command line, so it holds no secret. */
export interface SuperviseRequest {
  /** Absolute; exists and is private. */
  readonly runtimeFolder: string;
  /** The project's id: 16 hex digits. */
  readonly id: string;
  /** Display name. */
  readonly project: string;
  readonly config: StatusReport["config"];
  /** Whether a detached one is lent the terminal of whoever starts it, until its first forwards are there. */
  readonly terminal?: boolean;
}

/** A supervisor in this process. Disposing ends it at once: forwards, lock, socket and log. */
export interface Supervised extends AsyncDisposable {
  readonly control: SupervisorControl;
  /** Resolves with the reason when it has nothing left to keep, or may keep it no longer. */
  readonly ended: Promise<string>;
  /** Has the files read again. What comes of it is told in the log. */
  readonly readAgain: () => void;
  /** Leaves the reason of a crash where `status` finds it; the process must end then. */
  readonly crashed: (error: unknown) => Promise<void>;
}

/** `held`: somebody else keeps the project; nothing was changed. */
export type SuperviseOutcome =
  | { readonly kind: "running"; readonly supervised: Supervised }
  | { readonly kind: "held"; readonly holder: Holder };

/** A relay pod that may be left over. */
export interface LeftRelay extends LockedRelay {
  readonly project: string;
  readonly projectId: string;
  /** RFC 3339; empty when only a lock tells of it. */
  readonly createdAt: string;
}

/** Where to look for relay pods; what is absent is as in the kubeconfig. */
export interface RelayPlace {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly namespace: string | undefined;
}

/** What was found of relay pods. */
export interface RelaySearch {
  readonly relays: readonly LeftRelay[];
  /** UIDs of those that are being deleted already, which are not among them. */
  readonly endingUids: readonly string[];
  /** In sentences. */
  readonly failures: readonly string[];
}

/** Relay pods without a supervisor. Disposing closes its connections. */
export interface RelayTools extends AsyncDisposable {
  /** This user's, with where nothing could be found out, in sentences. @throws the signal's reason. */
  find(places: readonly RelayPlace[], signal: AbortSignal): Promise<RelaySearch>;
  /** Whether it was there. @throws KfwdError, or the signal's reason. */
  remove(relay: LockedRelay, signal: AbortSignal): Promise<boolean>;
}

/** What the supervisor's bundle offers to the CLI, which loads it only when it needs it. */
export interface SupervisorProgram {
  /** @throws KfwdError `RUNTIME_FOLDER`, `LOCK_TAKEN`; the signal's reason. */
  supervise(
    request: SuperviseRequest,
    mode: "foreground" | "detached",
    signal: AbortSignal,
  ): Promise<SuperviseOutcome>;
  /** What `down` and `prune` need of clusters. */
  relayTools(): RelayTools;
}
