/** What `import { up } from "kfwd"` gives. Its declarations are shipped as they stand here; nothing in this file runs. */
import type { ForwardStatus, StatusReport } from "../runtime/core/status.ts";

export type { ErrorCode, ErrorExtras, ErrorRecord, FilePlace } from "../errors.ts";
export type {
  DatagramTraffic,
  DroppedDatagrams,
  FailureKind,
  ForwardStatus,
  LocalAddress,
  Note,
  Owner,
  Reason,
  RelayPod,
  Stage,
  StatusReport,
  Traffic,
} from "../runtime/core/status.ts";
export type { NamedTargetKind, Target } from "../schema/spec.ts";
export { KfwdError } from "../errors.ts";

/** What {@link up} may be told; each option stands before the variable of the command line that says the same. */
export interface UpOptions<Name extends string = string> {
  /** Where the file is looked for, and where relative paths begin. Default: the working folder. */
  readonly cwd?: string | undefined;
  /** As `-f`; of several files later ones override. Default: `KFWD_FILE`, else the file of `cwd` or of a folder above. */
  readonly file?: string | readonly string[] | undefined;
  /** The forwards that are wanted, by their whole names. Default: all that the file has switched on. */
  readonly names?: readonly Name[] | undefined;
  /** An item of `environments`, as `-e`. Default: `KFWD_ENV`, else the file's `defaultEnvironment`. */
  readonly env?: string | undefined;
  /** As `--profile`. Default: `KFWD_PROFILES`. */
  readonly profiles?: readonly string[] | undefined;
  /** Another name makes another project of the same file. Default: `KFWD_PROJECT`, else the name that the file has. */
  readonly project?: string | undefined;
  /** As `--context`. What somebody else has running elsewhere is not moved: that takes a `project` of its own. */
  readonly context?: string | undefined;
  /** As `-n`; see `context`. */
  readonly namespace?: string | undefined;
  /** As `--kubeconfig`; see `context`. */
  readonly kubeconfig?: string | undefined;
  /** Files of variables, as `--dotenv`. Default: `.env` beside each file. */
  readonly dotenv?: string | readonly string[] | undefined;
  /** Whether `forwards.local.yaml` is read. Default: yes, but not with `file`, nor where `CI` is set. */
  readonly local?: boolean | undefined;
  /** Contexts that `protect` names and that may be used all the same, as `--allow-context`. */
  readonly allowContexts?: readonly string[] | undefined;
  /** Link-local hosts and those of cloud metadata that a forward may lead to, as `--allow-metadata`. */
  readonly allowMetadata?: readonly string[] | undefined;
  /** The file may do what needs trust, as after `kfwd allow`. Default: whether `KFWD_TRUST` is 1. */
  readonly trust?: boolean | undefined;
  /** In place of `process.env`. */
  readonly variables?: Readonly<Record<string, string | undefined>> | undefined;
  /** How long all that is required may take to be ready: milliseconds, or text such as `"90s"`. Default: 60 s. */
  readonly waitTimeout?: number | string | undefined;
  /** Ends the start, and later the forwards as `$close` does. */
  readonly signal?: AbortSignal | undefined;
}

/** One forward that is kept up. What it says is as new as the last thing that was heard of it. */
export interface Forward<Name extends string = string> {
  readonly name: Name;
  /** An address for clients on this machine: `127.0.0.1`. */
  readonly host: string;
  /** The local port. @throws KfwdError `NOT_RUNNING` of one with `local: auto` that has none. */
  readonly port: number;
  /** `127.0.0.1:5432` */
  readonly address: string;
  /** By its `url`, or the name of its port. @throws KfwdError `CONFIG_INVALID` when neither says how to speak to it. */
  readonly url: string;
  /** Its variables, as `kfwd env` has them: `API_HOST`, `API_PORT`, `API_URL`, or those of its `env`. */
  readonly env: Readonly<Record<string, string>>;
  readonly isReady: boolean;
  readonly status: ForwardStatus;
  /** Lets go of this forward alone, and waits until it has stopped unless somebody else keeps it. */
  close(): Promise<void>;
}

/** One change of one forward. */
export interface ForwardEvent<Name extends string = string> {
  readonly name: Name;
  readonly status: ForwardStatus;
}

/**
 * Changes from the moment it was asked for, oldest first. Done once the forwards are closed; throws when they were ended
 * from elsewhere or are lost, and the signal's reason.
 */
export interface ForwardEvents<Name extends string = string> extends AsyncIterableIterator<
  ForwardEvent<Name>
> {
  /** How many were left out, the oldest first, because more than `limit` had not been read. */
  readonly dropped: number;
}

/** How {@link Together.$events} is to go about it. */
export interface EventOptions {
  /** How many events may wait to be read. Default: 1000. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Something in the files that is allowed and that a person should look at. */
export interface Warning {
  readonly message: string;
  readonly hint: string | undefined;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * What belongs to all forwards of one {@link up}. Names begin with `$`, which no forward's name does. Iterating goes
 * through the forwards in the order of the file.
 */
export interface Together<Name extends string = string> extends AsyncDisposable {
  [Symbol.iterator](): IterableIterator<Forward<Name>>;
  /** @throws KfwdError `UNKNOWN_FORWARD`. */
  $get(name: string): Forward<Name>;
  $events(options?: EventOptions): ForwardEvents<Name>;
  /** Asks for all that `kfwd status --json` says. @throws KfwdError of exit 3 when they are over. */
  $status(): Promise<StatusReport>;
  /** The variables of all forwards. @throws KfwdError `CONFIG_INVALID` when two want one name. */
  readonly $env: Readonly<Record<string, string>>;
  /** The project's name. */
  readonly $project: string;
  readonly $warnings: readonly Warning[];
  /** Aborted when the forwards are over; its reason is a KfwdError when that was not our doing. */
  readonly $closed: AbortSignal;
  /** Lets go of them, and waits until all have stopped that nobody else keeps. Never rejects; once is enough. */
  $close(): Promise<void>;
}

/** Forwards by their names, and {@link Together} what belongs to all of them. */
export type Forwards<Name extends string = string> = Together<Name> & {
  readonly [Each in Name]: Forward<Each>;
};

/**
 * Brings forwards up and waits until all that are required are ready. They end with `await using`, `$close()`, or this
 * process, whatever ends it; those that `kfwd up` or another process keeps as well go on. Nothing is printed, no signal is
 * listened to, and open forwards do not keep the process alive.
 * @throws KfwdError, whose `code`, `hint` and `exit` are those of the command line; the signal's reason. Nothing is left
 * running then.
 */
export declare function up<const Name extends string = string>(
  options?: UpOptions<Name>,
): Promise<Forwards<Name>>;
