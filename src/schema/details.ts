/** What a project's files say besides its specs: for commands that explain, check or list the file. */
import type { LintRule } from "./lint-rules.ts";
import type { ForwardSpec, SourcePosition } from "./spec.ts";

/** Everything known of a project whose files are right. */
export interface ProjectDetails {
  /** Every forward, those that are switched off too, in the order of the files. */
  readonly entries: readonly EntryDetails[];
  /** Names of the items of `environments`. */
  readonly environments: readonly string[];
  readonly defaultEnvironment?: string;
  /** Every profile that a forward names, and whether it is on. */
  readonly profiles: readonly { readonly name: string; readonly active: boolean }[];
  /** With the environment's `portOffset` in them. */
  readonly ranges: readonly RangeSpec[];
  readonly portOffset: number;
  /** Variables in values, in the order of their first use; one that `.env` beside an include sets may be here twice. */
  readonly variables: readonly VariableUse[];
  /** Those of environments that are not in force. */
  readonly idleVariables: readonly VariableUse[];
  /** Every file that was read, the weakest first. */
  readonly files: readonly FileUse[];
  /** Levels that are not the default of their rule. */
  readonly lint: Readonly<Partial<Record<LintRule, "off" | "warn" | "error">>>;
  /** What the files want that only trusted files may have. */
  readonly demands: readonly TrustDemand[];
  /** What can be mended in the files as it is. */
  readonly fixes: readonly TextFix[];
}

/** A stretch of a file, in UTF-16 units of its text without a byte order mark, and what is to stand there. */
export interface TextFix {
  readonly rule: LintRule;
  /** Absolute, symlinks resolved. */
  readonly path: string;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly source: SourcePosition;
}

/** One forward of the files. */
export interface EntryDetails {
  readonly spec: ForwardSpec;
  /** Why it is not among the forwards of the project; absent: it is. */
  readonly off?: OffReason;
  readonly profiles: readonly string[];
  /** The range it names or whose `match` it meets. */
  readonly range?: string;
  /** Where each field was said that was said at all, by its path: `target`, `probe.interval`, `env.DATABASE_URL`. */
  readonly origins: Readonly<Record<string, SourcePosition>>;
}

/**
 * - `profile`: none of its profiles is on
 * - `disabled`: `enabled: false`
 */
export type OffReason = "profile" | "disabled";

/** An item of `ranges`. */
export interface RangeSpec {
  readonly name: string;
  readonly first: number;
  readonly last: number;
  readonly level: "off" | "warn" | "error";
  /** A glob: every forward with such a name must lie inside. */
  readonly match?: string;
  readonly source: SourcePosition;
}

/** A variable of the files. */
export interface VariableUse {
  readonly name: string;
  /** What `${NAME:-…}` says; absent where there is none. */
  readonly default?: string;
  /** Whether the file cannot be used while it is not set. */
  readonly required: boolean;
  /** What stood in for it; absent: it was not set. */
  readonly value?: string;
  /** Who set it: the environment of the process, a `--dotenv` or a `.env`. */
  readonly from?: "process" | "file";
  readonly places: readonly SourcePosition[];
}

/** One file of a project. */
export interface FileUse {
  /** As messages show it. */
  readonly name: string;
  /** Absolute, symlinks resolved; null for standard input. */
  readonly path: string | null;
  readonly role: "include" | "base" | "override" | "local";
}

/** Something that a file may want only if its reader trusts it. */
export interface TrustDemand {
  readonly kind:
    | "public-bind"
    | "privileged-port"
    | "relay-image"
    | "relay-patch"
    | "relay-pod"
    | "host-target"
    | "kubeconfig-exec"
    | "obeyed-variable";
  /** `forward "db": bind 0.0.0.0 lets other machines connect` */
  readonly message: string;
  readonly source: SourcePosition;
}
