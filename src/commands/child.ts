/** The command of `kfwd run`: started without a shell, on our own streams and in our process group. */
import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants as modes, readdirSync, readFileSync, statSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { errnoOf } from "../errno.ts";
import { KfwdError } from "../errors.ts";
import { foldersAbove } from "../runtime/index.ts";
import { shellWord } from "../shellword.ts";
import { suggest } from "../suggest.ts";

/** Names looked through for what was meant; more than any PATH has in earnest. */
const PROGRAMS_MAX = 20_000;

/** What a command is started with. */
export interface ChildRequest {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** A program that runs. */
export class Child {
  /** Its exit status, as a shell would tell it. */
  readonly ended: Promise<number>;
  readonly #process: ChildProcess;

  constructor(process: ChildProcess) {
    this.#process = process;
    this.ended = new Promise((resolve) => {
      process.once("exit", (status, signal) => resolve(statusOf(status, signal)));
    });
  }

  /** Nothing happens when it has ended. */
  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }
}

/** @throws KfwdError `COMMAND_NOT_FOUND`, `COMMAND_NOT_EXECUTABLE`. */
export async function startChild(request: ChildRequest): Promise<Child> {
  const [command = "", ...args] = request.words;
  if (command === "") throw notFound(command, request);
  try {
    return await new Promise((resolve, reject) => {
      const started = spawn(command, args, { stdio: "inherit", env: { ...request.env } });
      const child = new Child(started); // before "spawn": one that ends at once is not missed
      started.once("spawn", () => resolve(child));
      started.once("error", reject);
      started.on("error", () => {}); // later ones are of signals that could not be sent
    });
  } catch (thrown) {
    const errno = errnoOf(thrown) ?? "";
    if (errno !== "ENOENT" && errno !== "ENOTDIR") throw notExecutable(command, errno, thrown);
    const found = isPath(command) ? isFile(command) : programsIn(pathOf(request.env)).has(command);
    throw found ? notExecutable(command, "ENOENT", thrown) : notFound(command, request);
  }
}

/**
 * Whether the terminal sends what its keys and its size mean to our whole process group now, the child included, so that
 * it must not get the signal from us as well.
 */
export function isTerminalsOwn(signal: NodeJS.Signals): boolean {
  if (signal === "SIGTERM" || signal === "SIGHUP") return false;
  const own = process.platform === "linux" ? readStat() : undefined;
  if (own === undefined) return process.stdin.isTTY || process.stderr.isTTY;
  return isForeground(own);
}

/** Whether a process of this `/proc/PID/stat` is in the foreground of a terminal. */
export function isForeground(stat: string): boolean {
  const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return terminal !== "0" && group !== undefined && group === foreground;
}

function readStat(): string | undefined {
  try {
    return readFileSync("/proc/self/stat", "utf8");
  } catch {
    return undefined;
  }
}

/** The exit status of what a signal ended, as shells have it. */
export function signalStatus(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

function statusOf(status: number | null, signal: NodeJS.Signals | null): number {
  return status ?? (signal === null ? 128 : signalStatus(signal));
}

const WHY_NOT: Readonly<Record<string, string>> = {
  EACCES: "it is no program that you may run",
  ENOENT: "the interpreter that its first line names is not there",
  E2BIG: "its arguments and variables are too long",
};

function notExecutable(command: string, errno: string, cause: unknown): KfwdError {
  const why = WHY_NOT[errno] ?? errno;
  const hint = errno === "EACCES" && isFile(command) ? `chmod +x ${shellWord(command)}` : undefined;
  return new KfwdError("COMMAND_NOT_EXECUTABLE", `cannot run "${command}": ${why}`, { hint, cause });
}

function notFound(command: string, { env, cwd }: ChildRequest): KfwdError {
  const message = `command "${command}" not found`;
  const local = foldersAbove(cwd).find((folder) => isFile(join(folder, "node_modules", ".bin", command)));
  if (command !== "" && !isPath(command) && local !== undefined)
    return new KfwdError("COMMAND_NOT_FOUND", `${message} on PATH; it is in node_modules/.bin`, {
      hint: `kfwd run -- npx ${shellWord(command)}`,
    });
  if (process.platform === "win32")
    return new KfwdError("COMMAND_NOT_FOUND", message, {
      hint: `if it is a .cmd file, as npm's are: kfwd run -- cmd /c ${command}`,
    });
  const shortestFirst = [...programsIn(pathOf(env))].sort((a, b) => a.length - b.length);
  const hint = isPath(command) ? undefined : suggest(command, shortestFirst);
  return new KfwdError("COMMAND_NOT_FOUND", message, { hint });
}

function isPath(command: string): boolean {
  return /[/\\]/.test(command);
}

function pathOf(env: ChildRequest["env"]): readonly string[] {
  return (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
}

/** What can be run by its name alone. */
function programsIn(folders: readonly string[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const folder of folders) {
    for (const name of namesIn(folder)) if (names.size < PROGRAMS_MAX) names.add(name);
  }
  return names;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith(".") && isProgram(join(folder, name)));
  } catch {
    return []; // PATH names many folders that are not there
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, modes.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
