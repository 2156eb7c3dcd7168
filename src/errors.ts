/**
 * Every way kfwd can fail, in one table: the code that `--json` shows (as `KFWD_<code>`), the exit status it ends
 * a command with, and what the user can do about it when the place that throws knows nothing better.
 *
 * Exit statuses: 1 a forward failed or was late, or the output was lost · 2 usage or configuration · 3 nothing runs, or its owner cannot be
 * proven · 4 cluster access · 5 local port, lock or runtime folder · 70 a bug ·
 * 126 the command of `run` cannot be run · 127 it was not found.
 */
export const ERRORS = {
  USAGE: { exit: 2, hint: "kfwd help" },
  NODE_TOO_OLD: { exit: 2, hint: "install Node 20.19 or later" },
  CONFIG_NOT_FOUND: { exit: 2, hint: "write a forwards.yaml here, or name one with -f PATH" },
  CONFIG_UNREADABLE: { exit: 2, hint: undefined },
  CONFIG_INVALID: { exit: 2, hint: undefined },
  PROTECTED_CONTEXT: { exit: 2, hint: undefined },
  UNTRUSTED: { exit: 2, hint: "read the file; if you agree with it, run `kfwd allow`" },
  NOTHING_SELECTED: { exit: 2, hint: undefined },
  UNKNOWN_FORWARD: { exit: 2, hint: undefined },
  UNKNOWN_PROFILE: { exit: 2, hint: undefined },
  METADATA_HOST: { exit: 2, hint: undefined },

  COMMAND_NOT_EXECUTABLE: { exit: 126, hint: undefined },
  COMMAND_NOT_FOUND: { exit: 127, hint: undefined },

  FORWARD_FAILED: { exit: 1, hint: "kfwd status" },
  NOT_READY_IN_TIME: { exit: 1, hint: "kfwd status" },
  NOT_DOWN_IN_TIME: { exit: 1, hint: "kfwd down" },
  BROWSER_FAILED: { exit: 1, hint: undefined },
  OUTPUT_LOST: { exit: 1, hint: "make room where the output goes" },
  VERSION_SKEW: { exit: 1, hint: "run `kfwd down`, then `kfwd up` with this version" },

  NOT_RUNNING: { exit: 3, hint: "kfwd up" },
  UNRESPONSIVE: { exit: 3, hint: "kfwd down --force" },
  OWNED_ELSEWHERE: { exit: 3, hint: undefined },
  OWNER_UNPROVEN: { exit: 3, hint: undefined },

  KUBECONFIG_MISSING: { exit: 4, hint: "log in to your cluster, or name a file with --kubeconfig" },
  KUBECONFIG_INVALID: { exit: 4, hint: "correct it, or get the kubeconfig of your cluster anew" },
  CONTEXT_UNKNOWN: { exit: 4, hint: "kubectl config get-contexts" },
  CREDENTIALS: { exit: 4, hint: "log in to your cluster again" },
  UNREACHABLE: { exit: 4, hint: "is the VPN up, and the cluster running?" },
  UNAUTHORIZED: { exit: 4, hint: "log in to your cluster again" },
  FORBIDDEN: { exit: 4, hint: "ask for the Role that `kfwd rbac` prints" },
  CLUSTER_ANSWER: { exit: 4, hint: undefined },
  PROTOCOL: { exit: 4, hint: undefined },

  PORT_BUSY: { exit: 5, hint: "stop that program, or choose another local port" },
  PORT_PRIVILEGED: { exit: 5, hint: "choose a local port above 1023" },
  ADDRESS_UNAVAILABLE: {
    exit: 5,
    hint: "set `bind` of this forward to localhost, or to an address of this machine",
  },
  LOCK_TAKEN: { exit: 5, hint: "kfwd status" },
  LOCK_DAMAGED: { exit: 5, hint: undefined },
  STATE_FOLDER: { exit: 5, hint: undefined },
  RUNTIME_FOLDER: { exit: 5, hint: "name another folder with KFWD_RUNTIME_DIR" },

  TOO_MANY_FILES: {
    exit: 5,
    hint: "raise the limit on open files (`ulimit -n`), then `kfwd down` and `kfwd up`",
  },

  INTERNAL: { exit: 70, hint: "this is a bug in kfwd: please report it with the log" },
} as const satisfies Record<string, { readonly exit: number; readonly hint: string | undefined }>;

/** A row of {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS;

/** A failure as it travels in JSON: on the control socket, on stderr under `--json`, in the status. */
export interface ErrorRecord {
  /** `KFWD_` and a code of {@link ERRORS}; a peer of another version may send one that this version has not. */
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** Where in forwards.yaml, if it is about something that stands there: these three come together. */
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

/** A place in a file; lines and columns count from 1. */
export interface FilePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

const BRAND = Symbol.for("kfwd.error");

/** What a {@link KfwdError} carries besides its code and message. */
export interface ErrorExtras {
  /** Replaces the hint of the table: one command, or one sentence, without a final period. */
  readonly hint?: string | undefined;
  /** Lines that stand between the message and the hint: a code frame, a plugin's own words. */
  readonly detail?: string | undefined;
  /** What in forwards.yaml it is about. */
  readonly place?: FilePlace | undefined;
  readonly cause?: unknown;
}

/**
 * The one error class. The message says the action, quotes values, and states what is and what was wanted, without
 * a final period: `cannot bind localhost:5432 for forward "db": it is in use by postgres (pid 812)`.
 */
export class KfwdError extends Error {
  /** The CLI and the supervisor are bundled apart, so a class of this name is there twice in one process. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== KfwdError) return super[Symbol.hasInstance](value);
    return value instanceof Error && BRAND in value;
  }

  override readonly name = "KfwdError";
  readonly [BRAND] = true;
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly detail: string | undefined;
  readonly place: FilePlace | undefined;

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.code = code;
    this.hint = extras.hint ?? ERRORS[code].hint;
    this.detail = extras.detail;
    this.place = extras.place;
  }

  /** The exit status a command ends with when this error reaches its edge. */
  get exit(): number {
    return ERRORS[this.code].exit;
  }

  /** The code as a reason of a forward's state has it, in Kubernetes' style: `PortBusy` for PORT_BUSY. */
  get reasonCode(): string {
    return this.code.replaceAll(
      /([A-Z])([A-Z]*)_?/g,
      (_, head: string, tail: string) => head + tail.toLowerCase(),
    );
  }

  toRecord(): ErrorRecord {
    const { code, message, hint, place } = this;
    return { code: `KFWD_${code}`, message, ...(hint === undefined ? {} : { hint }), ...placeOnly(place) };
  }

  /** Rebuilds an error that came over the control socket; a code this version does not know becomes INTERNAL. */
  static fromRecord(record: ErrorRecord): KfwdError {
    const { code, message, hint, file, line, column } = record;
    const name = code.replace(/^KFWD_/, "");
    const isPlaced = file !== undefined && line !== undefined && column !== undefined;
    const place = isPlaced ? { file, line, column } : undefined;
    return new KfwdError(isErrorCode(name) ? name : "INTERNAL", message, { hint, place });
  }

  /** What was thrown, as one of ours: anything unforeseen is a bug and becomes INTERNAL with its cause kept. */
  static from(thrown: unknown): KfwdError {
    if (thrown instanceof KfwdError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new KfwdError("INTERNAL", `internal error: ${message}`, { cause: thrown });
  }
}

/** `KFWD_UNKNOWN_KEY` for UnknownKey: whatever is told as an error to programs has a code of one form. */
export function recordCode(reasonCode: string): string {
  return `KFWD_${reasonCode.replaceAll(/(?<=.)[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

function placeOnly(place: FilePlace | undefined): FilePlace | undefined {
  return place && { file: place.file, line: place.line, column: place.column };
}

function isErrorCode(name: string): name is ErrorCode {
  return Object.hasOwn(ERRORS, name);
}
