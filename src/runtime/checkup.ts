/** What `kfwd doctor` finds: plain data, whoever looked. */
import type { KfwdError } from "../errors.ts";

/**
 * - `good`: as it should be
 * - `warn`: it works, or may
 * - `bad`: it does not work
 * - `unknown`: it could not be looked at
 */
export type FindingState = "good" | "warn" | "bad" | "unknown";

/** One thing that was looked at. */
export interface Finding {
  /** Stable, for scripts: `credentials`, `rights`. */
  readonly id: string;
  /** The context, forward or file that it is about; absent: this machine, or the project. */
  readonly about?: string;
  readonly state: FindingState;
  readonly says: string;
  /** More lines: the words of a plugin. */
  readonly detail?: readonly string[];
  readonly hint?: string;
  /** Exit status of a bad one. */
  readonly exit?: number;
}

/** A failure as a finding. */
export function troubleFinding(id: string, about: string | undefined, error: KfwdError): Finding {
  return {
    id,
    ...(about !== undefined && { about }),
    state: "bad",
    says: error.message,
    ...(error.detail !== undefined && { detail: error.detail.split("\n").map((line) => line.trim()) }),
    ...(error.hint !== undefined && { hint: error.hint }),
    exit: error.exit,
  };
}

/** Names that a report need not show. */
export interface PrivateNames {
  readonly hosts: readonly string[];
  readonly contexts: readonly string[];
  readonly namespaces: readonly string[];
  readonly clusters: readonly string[];
  readonly users: readonly string[];
}

export const NO_NAMES: PrivateNames = { hosts: [], contexts: [], namespaces: [], clusters: [], users: [] };
