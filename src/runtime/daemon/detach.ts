/** Starts the supervisor as a process of its own, which outlives the shell, and waits until it says how that went. */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { devNull } from "node:os";
import { dirname } from "node:path";
import { fileTrouble } from "../../errno.ts";
import { KfwdError } from "../../errors.ts";
import type { Clock } from "../deps.ts";
import { startReport, type StartReport } from "../wire/startreport.ts";
import { TERMINAL_FD } from "./lentterminal.ts";
import { makeFolder } from "./makefolder.ts";
import { tailLog } from "./taillog.ts";

/** Lines of the log that are shown of a child that died early. */
const TAIL_LINES = 20;

/** Higher descriptors are left alone: nobody opens them by hand, and each costs a slot in the spawn. */
const INHERITED_FD_MAX = 1023;

/** What starting a supervisor takes. */
export interface DetachRequest {
  /** Absolute path of what Node is to run. */
  readonly script: string;
  readonly args: readonly string[];
  /** This process's; the child gets what {@link detachedEnv} leaves of it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute path; takes what the child prints beside its own log lines, a crash above all. */
  readonly logFile: string;
  /** Whether it gets our terminal, see {@link LentTerminal}. */
  readonly terminal?: boolean;
  /** How long the child may take to report, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Starts the child and resolves with its report, which `failed` ones are thrown as. The child that owns the project
 * then goes on by itself; one that is late, or no longer wanted, is killed.
 * @throws KfwdError: what the child reported; `INTERNAL` with its last words when it died or was late;
 * `RUNTIME_FOLDER` when the log cannot be opened; the signal's reason.
 */
export async function spawnDetached(
  clock: Clock,
  request: DetachRequest,
  signal: AbortSignal,
): Promise<Exclude<StartReport, { readonly type: "failed" }>> {
  signal.throwIfAborted();
  const { child, logFrom } = start(request);
  const earlyEnd = (why: string): KfwdError => startError(request.logFile, logFrom, why);
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = clock.timer(request.timeoutMs, () =>
    stop.abort(earlyEnd(`it did not report within ${request.timeoutMs / 1000} s`)),
  );
  try {
    const report = await firstReport(child, earlyEnd, stop.signal).catch((thrown: unknown) => {
      child.kill("SIGKILL"); // nobody would know of it
      throw thrown;
    });
    if (report.type === "failed") throw KfwdError.fromRecord(report.error);
    return report;
  } finally {
    timer[Symbol.dispose]();
    signal.removeEventListener("abort", onAbort);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/**
 * What a supervisor inherits: all but what npm and Node set for this one process. An inherited NODE_OPTIONS could
 * load code into it, or open a debugger on it.
 */
export function detachedEnv(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !isForThisProcess(entry[0]),
  );
  return Object.fromEntries(kept);
}

function isForThisProcess(name: string): boolean {
  return /^(NODE_OPTIONS|NODE_CHANNEL_FD|NODE_CHANNEL_SERIALIZATION_MODE|NODE_UNIQUE_ID)$|^npm_/i.test(name);
}

function start(request: DetachRequest): { readonly child: ChildProcess; readonly logFrom: number } {
  const log = openLog(request.logFile);
  const nothing = openSync(devNull, "r");
  try {
    const logFrom = fstatSync(log).size;
    const child = spawn(process.execPath, [...inspectorOff(), request.script, ...request.args], {
      detached: true,
      cwd: "/",
      env: detachedEnv(request.env),
      windowsHide: true,
      stdio: stdioOf(log, nothing, inheritableFds(), request.terminal === true),
    });
    return { child, logFrom };
  } finally {
    closeSync(nothing);
    closeSync(log);
  }
}

function openLog(path: string): number {
  try {
    makeFolder(dirname(path));
    const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
    return openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  } catch (thrown) {
    throw new KfwdError("RUNTIME_FOLDER", `cannot open log "${path}": ${fileTrouble(thrown)}`, {
      cause: thrown,
      hint: "name another folder with XDG_STATE_HOME",
    });
  }
}

/** Without it SIGUSR1 opens an inspector, and with it any local user could run code as us. Node 20 has no such switch. */
function inspectorOff(): readonly string[] {
  return process.allowedNodeEnvironmentFlags.has("--disable-sigusr1") ? ["--disable-sigusr1"] : [];
}

/**
 * Descriptors that this process was given by its shell and would hand on: a supervisor would keep a build's lock or
 * pipe open for days. Node marks only those without a gap before them. macOS closes all by itself.
 */
function inheritableFds(): readonly number[] {
  if (process.platform !== "linux") return [];
  try {
    const fds = readdirSync("/proc/self/fd").map(Number);
    return fds.filter((fd) => fd > 2 && fd <= INHERITED_FD_MAX && isInheritable(fd));
  } catch {
    return []; // no /proc: nothing can be known
  }
}

const O_CLOEXEC = 0o2000000; // not among Node's constants

function isInheritable(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0;
  } catch {
    return false; // the descriptor of the listing itself
  }
}

type Stdio = ("ignore" | "inherit" | "ipc" | number)[];

/** Standard output must not be this process's: `kfwd up -d | cat` would wait for the supervisor's end. */
function stdioOf(log: number, nothing: number, inherited: readonly number[], terminal: boolean): Stdio {
  const stdio: Stdio = [terminal ? "inherit" : "ignore", log, log, "ipc"];
  for (const fd of inherited) {
    while (stdio.length <= fd) stdio.push("ignore"); // beyond the first three this means: as it is
    if (fd > 3) stdio[fd] = nothing;
  }
  if (terminal) stdio[TERMINAL_FD] = 2;
  return stdio;
}

function firstReport(
  child: ChildProcess,
  earlyEnd: (why: string) => KfwdError,
  stop: AbortSignal,
): Promise<StartReport> {
  return new Promise((resolve, reject) => {
    stop.addEventListener("abort", () => reject(stop.reason), { once: true });
    child.once("message", (message) => {
      const parsed = startReport.safeParse(message);
      if (parsed.success) resolve(parsed.data);
      else reject(earlyEnd("it reported what this version does not understand"));
    });
    child.once("error", (error) =>
      reject(
        new KfwdError("INTERNAL", `cannot start the supervisor: ${fileTrouble(error)}`, { cause: error }),
      ),
    );
    child.once("exit", (code, killedBy) => {
      const dead = (): void =>
        reject(earlyEnd(killedBy === null ? `it ended with status ${code}` : `it was ended by ${killedBy}`));
      // Its last message may still be on its way.
      if (child.connected) child.once("disconnect", dead);
      else dead();
    });
  });
}

/** Shows what the child itself has logged, not the supervisors before it. */
function startError(logFile: string, logFrom: number, why: string): KfwdError {
  const lines = tailLog(logFile, TAIL_LINES, logFrom);
  return new KfwdError("INTERNAL", `the supervisor did not start: ${why}`, {
    detail: lines.length === 0 ? undefined : lines.join("\n"),
    hint: `the whole log is in ${logFile}`,
  });
}
