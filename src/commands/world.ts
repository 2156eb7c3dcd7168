/** What commands get from the composition root: the runtime, the streams, and the signals. */
import type * as Importers from "../importers/index.ts";
import type { Clock, Runtime } from "../runtime/index.ts";
import type * as Browser from "./browser.ts";
import type * as CompletionScripts from "./completionscripts.ts";
import type * as Prompts from "./prompts.ts";

/** Signals that ask a command to end. */
export type Interrupt = "SIGINT" | "SIGTERM" | "SIGHUP";

/** Exit status of a command that a signal ended before it was done. */
export const INTERRUPTED = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const satisfies Record<
  Interrupt,
  number
>;

/** Exit status of `run` when the command was never started. */
export const NOT_STARTED = 125;

/** Everything a command may touch. */
export interface World {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly version: string;
  /** What it runs on, as Node calls it. */
  readonly machine: { readonly node: string; readonly platform: string; readonly arch: string };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: NodeJS.ReadStream;
  readonly readStdin: () => Promise<string>;
  /** A line that somebody types; undefined where nobody could. */
  readonly ask: (question: string) => Promise<string | undefined>;
  /** Absolute path of the JSON Schema that comes with kfwd. */
  readonly schemaFile: string;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Calls the listener for each signal until disposed; without a listener a signal ends the process. */
  readonly onInterrupt: (listener: (signal: Interrupt) => void) => Disposable;
  /** As {@link onInterrupt}, for these signals. */
  readonly onSignal: <Name extends NodeJS.Signals>(
    names: readonly Name[],
    listener: (signal: Name) => void,
  ) => Disposable;
  /** Whether the terminal is this process's: to change it from the background (`kfwd up &`) would stop the process. */
  readonly ownsTerminal: () => boolean;
  /** Stops this process and its group, as Ctrl-Z does where the terminal sees to it. */
  readonly suspend: () => void;
  /** Calls the listener when the process ends, whatever ends it but SIGKILL, until disposed. */
  readonly onExit: (listener: () => void) => Disposable;
  /** Loads the readers of other tools' files only now. */
  readonly loadImporters: () => Promise<typeof Importers>;
  /** Loads what asks questions only now. */
  readonly loadPrompts: () => Promise<typeof Prompts>;
  /** Loads what opens a browser only now. */
  readonly loadBrowser: () => Promise<typeof Browser>;
  /** Loads the scripts that shells complete by only now. */
  readonly loadCompletionScripts: () => Promise<typeof CompletionScripts>;
  /** Runs the demo; loads the sandbox only now. Resolves with the exit status. */
  readonly runDemo: (write: (line: string) => void, signal: AbortSignal) => Promise<number>;
}

/** Flags that every command has. */
export interface SharedFlags {
  readonly file?: readonly string[];
  readonly env?: string;
  readonly project?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly color: "auto" | "always" | "never";
}

/** Flags of commands that read the files. */
export interface FileFlags extends SharedFlags {
  readonly profile?: readonly string[];
  readonly dotenv?: readonly string[];
  /** False after `--no-local`. */
  readonly local?: boolean;
}

/** Flags of commands that read the files and reach a cluster. */
export interface ClusterFlags extends FileFlags {
  readonly context?: string;
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly allowContext?: readonly string[];
  readonly trust?: boolean;
}
