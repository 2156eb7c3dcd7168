/** What is agreed between whoever starts a supervisor, in this process or another, and the supervisor's own root. */
import type { StatusReport } from "./core/status.ts";
import type { Holder } from "./daemon/lock.ts";
import type { SupervisorControl } from "./deps.ts";

/** Plain data: a detached supervisor gets it as JSON on its command line, so it holds no secret. */
export interface SuperviseRequest {
  /** Absolute; exists and is private. */
  readonly runtimeFolder: string;
  /** The project's id: 16 hex digits. */
  readonly id: string;
  /** Display name. */
  readonly project: string;
  readonly config: StatusReport["config"];
}

/** A supervisor in this process. Disposing ends it at once: forwards, lock, socket and log. */
export interface Supervised extends AsyncDisposable {
  readonly control: SupervisorControl;
  /** Resolves with the reason when it has nothing left to keep, or may keep it no longer. */
  readonly ended: Promise<string>;
  /** Leaves the reason of a crash where `status` finds it; the process must end then. */
  readonly crashed: (error: unknown) => Promise<void>;
}

/** `held`: somebody else keeps the project; nothing was changed. */
export type SuperviseOutcome =
  | { readonly kind: "running"; readonly supervised: Supervised }
  | { readonly kind: "held"; readonly holder: Holder };

/** What the supervisor's bundle offers to the CLI, which loads it only when it needs it. */
export interface SupervisorProgram {
  /** @throws KfwdError `RUNTIME_FOLDER`, `LOCK_TAKEN`; the signal's reason. */
  supervise(
    request: SuperviseRequest,
    mode: "foreground" | "detached",
    signal: AbortSignal,
  ): Promise<SuperviseOutcome>;
}
