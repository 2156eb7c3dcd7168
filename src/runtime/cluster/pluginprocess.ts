/** The process of a credential plugin: what it gets, how much it may say, how it is ended. */
import { spawn, type ChildProcess } from "node:child_process";
import { KfwdError } from "../../errors.ts";
import type { Clock, Terminal } from "../deps.ts";
import type { ExecEntry } from "./kubeconfigfile.ts";

/** A token with the certificates of a company has some KiB. */
const OUTPUT_MAX_CHARS = 1024 * 1024;

/** Between asking it to end and ending it. */
const GRACE_MS = 2_000;

/** What a plugin is started with. */
export interface PluginProcess {
  readonly exec: ExecEntry;
  /** As messages call the plugin. */
  readonly shownAs: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where it may ask somebody; undefined: nowhere. */
  readonly terminal: Terminal | undefined;
  /** Told what it writes on stderr. */
  readonly hear: (words: string) => void;
  readonly clock: Clock;
  /** Ends it. */
  readonly end: AbortController;
}

/**
 * In a process group of its own where there are such, so that what the plugin starts ends with it. One that may ask
 * stays in ours, or the terminal would not be its own.
 */
export function startPlugin(what: PluginProcess): ChildProcess {
  const { exec, env, terminal, clock, end } = what;
  const ownGroup = process.platform !== "win32" && terminal === undefined;
  const child = spawn(exec.command, exec.args, {
    env: { ...env },
    stdio: [terminal ? "inherit" : "ignore", "pipe", "pipe"],
    windowsHide: true,
    detached: ownGroup,
  });
  let killing: Disposable | undefined;
  const send = (signal: NodeJS.Signals): void => {
    if (ownGroup && child.pid !== undefined) signalGroup(child.pid, signal);
    else child.kill(signal);
  };
  const stop = (): void => {
    send("SIGTERM");
    killing = clock.timer(GRACE_MS, () => send("SIGKILL"));
  };
  end.signal.addEventListener("abort", stop, { once: true });
  child.once("close", () => {
    end.signal.removeEventListener("abort", stop);
    killing?.[Symbol.dispose]();
  });
  limitOutput(child, what);
  child.stderr?.on("data", (chunk: unknown) => {
    what.hear(String(chunk));
    terminal?.say(String(chunk));
  });
  return child;
}

function limitOutput(child: ChildProcess, { end, shownAs }: PluginProcess): void {
  for (const stream of [child.stdout, child.stderr]) {
    let chars = 0;
    stream?.on("data", (chunk: string | Buffer) => {
      chars += chunk.length;
      if (chars <= OUTPUT_MAX_CHARS || end.signal.aborted) return;
      end.abort(
        new KfwdError("CREDENTIALS", `${shownAs} printed more than 1 MiB, which is no ExecCredential`),
      );
    });
  }
}

function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // all of it has ended
  }
}
