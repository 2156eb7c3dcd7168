import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ForwardStatus, StatusReport } from "../../src/runtime/core/status.ts";

/** The command as users run it; `npm run build` must have run. KFWD_TEST_CLI names that of another build. */
export const CLI =
  process.env["KFWD_TEST_CLI"] ??
  join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "bin", "kfwd.js");

/** How long a command or an awaited line may take before the test fails. */
const PATIENCE_MS = 30_000;

/** What a command that has ended left behind. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs, with what it has printed so far. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";
  readonly #watching = new Set<() => void>();

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#took("stdout", text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#took("stderr", text));
    this.ended = once(child, "close").then(([status, signal]) => {
      for (const look of this.#watching) look();
      return { status, signal, stdout: this.stdout, stderr: this.stderr };
    });
  }

  /** Resolves when the pattern stands in what was printed on either stream. */
  async says(pattern: RegExp, patienceMs = PATIENCE_MS): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void =>
        settle(() => reject(new Error(`${why} without saying ${pattern}\n${this.stdout}${this.stderr}`)));
      const settle = (outcome: () => void): void => {
        clearTimeout(timer);
        this.#watching.delete(look);
        outcome();
      };
      const look = (): void => {
        if (pattern.test(this.stdout) || pattern.test(this.stderr)) settle(resolve);
        else if (this.child.exitCode !== null || this.child.signalCode !== null) fail("it ended");
      };
      const timer = setTimeout(() => fail(`${patienceMs / 1000} s passed`), patienceMs);
      this.#watching.add(look);
      look();
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  #took(stream: "stdout" | "stderr", text: string): void {
    this[stream] += text;
    for (const look of this.#watching) look();
  }
}

/** How a command is started. */
export interface StartOptions {
  /** Default: the project's folder. */
  readonly cwd?: string;
  /** Beside the project's environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Comes on standard input, which is empty otherwise. */
  readonly stdin?: string;
  /** Messages can be sent to it. */
  readonly channel?: "ipc";
  /** Its standard input stays open, for what is typed later. */
  readonly keys?: "open";
}

/**
 * A project folder of its own, with its own runtime, state and cache folders, so that tests may run side by side and
 * nothing of the user's is touched. Disposing ends its supervisor, checks that it is gone, and removes the folder.
 */
export class Project implements AsyncDisposable {
  /** Holds everything. */
  readonly root: string;
  /** Where commands run; holds forwards.yaml. */
  readonly folder: string;
  readonly env: Record<string, string | undefined>;
  readonly #running = new Set<Running>();
  #looking: Promise<unknown> = Promise.resolve();
  #nextLook: Promise<StatusReport> | undefined;

  private constructor(root: string, env: Record<string, string | undefined>) {
    this.root = root;
    this.folder = join(root, "shop");
    const home = join(root, "home");
    this.env = {
      PATH: process.env["PATH"],
      HOME: home,
      LANG: "C.UTF-8",
      KFWD_RUNTIME_DIR: join(root, "run"),
      KFWD_TRUST: "1", // the files are the tests' own
      XDG_STATE_HOME: join(root, "state"),
      // Compiled code is worth sharing between tests: it belongs to the build, not to a project.
      XDG_CACHE_HOME: join(tmpdir(), `kfwd-test-cache-${process.getuid?.() ?? 0}`),
      ...env,
    };
  }

  /** `kubeconfig` is the path of a file. */
  static async create(
    options: { readonly kubeconfig?: string; readonly file?: string } = {},
  ): Promise<Project> {
    const root = await mkdtemp(join(tmpdir(), "kfwd-test-"));
    const project = new Project(
      root,
      options.kubeconfig === undefined ? {} : { KUBECONFIG: options.kubeconfig },
    );
    await mkdir(project.folder);
    await mkdir(project.env["HOME"] ?? "");
    if (options.file !== undefined) await project.write(options.file);
    return project;
  }

  /** Writes forwards.yaml. */
  async write(text: string, name = "forwards.yaml"): Promise<void> {
    await writeFile(join(this.folder, name), text);
  }

  /** Starts `kfwd` with these arguments. */
  start(args: readonly string[], options: StartOptions = {}): Running {
    return this.exec(process.execPath, [CLI, ...args], options);
  }

  /** Starts another program in the project's folder and environment, such as a shell that runs `kfwd`. */
  exec(
    command: string,
    args: readonly string[],
    { cwd = this.folder, env = {}, stdin, channel, keys }: StartOptions = {},
  ): Running {
    const child = spawn(command, args, {
      cwd,
      env: { ...this.env, ...env },
      stdio: [
        stdin === undefined && keys === undefined ? "ignore" : "pipe",
        "pipe",
        "pipe",
        ...(channel ? [channel] : []),
      ],
    });
    child.stdin?.on("error", () => {}); // it may have read enough
    if (keys === undefined) child.stdin?.end(stdin);
    const running = new Running(child);
    this.#running.add(running);
    const forget = (): void => void this.#running.delete(running);
    void running.ended.then(forget, forget);
    return running;
  }

  /** Runs `kfwd` to its end. */
  async run(...args: string[]): Promise<Ended> {
    const running = this.start(args);
    const timer = setTimeout(() => running.kill("SIGKILL"), 3 * PATIENCE_MS);
    const ended = await running.ended;
    clearTimeout(timer);
    return ended;
  }

  /** Runs `kfwd`, which must exit 0. */
  async ok(...args: string[]): Promise<Ended> {
    const ended = await this.run(...args);
    if (ended.status === 0) return ended;
    throw new Error(
      `kfwd ${args.join(" ")}: exit ${ended.status ?? ended.signal}\n${ended.stdout}${ended.stderr}`,
    );
  }

  /** What `status --json` says; it must run. One look at a time: whoever asks meanwhile shares the next. */
  status(): Promise<StatusReport> {
    this.#nextLook ??= this.#looking.then(() => {
      this.#nextLook = undefined;
      const look = this.#look();
      this.#looking = look.catch(() => {});
      return look;
    });
    return this.#nextLook;
  }

  async #look(): Promise<StatusReport> {
    const { stdout, stderr } = await this.run("status", "--json");
    if (stdout === "") throw new Error(`no status: ${stderr}`);
    return JSON.parse(stdout) as StatusReport;
  }

  /** The status of one forward. */
  async forward(name: string): Promise<ForwardStatus> {
    const { entries } = await this.status();
    const found = entries.find((entry) => entry.name === name);
    if (!found) throw new Error(`no forward ${name} in ${entries.map((entry) => entry.name).join(", ")}`);
    return found;
  }

  /** The local port of a forward that runs. */
  async port(name: string): Promise<number> {
    const { localPort } = await this.forward(name);
    if (localPort === null) throw new Error(`forward ${name} has no port`);
    return localPort;
  }

  /** Asks for the status until it is as wanted; each look is a whole command, so this is no busy loop. */
  async until(
    name: string,
    met: (status: ForwardStatus) => boolean,
    patienceMs = PATIENCE_MS,
  ): Promise<ForwardStatus> {
    const untilMs = Date.now() + patienceMs;
    for (;;) {
      const status = await this.forward(name);
      if (met(status)) return status;
      if (Date.now() > untilMs) throw new Error(`forward ${name} is still ${JSON.stringify(status)}`);
    }
  }

  /** The lock of the project that runs from this folder, as it stands on disk. */
  get lockPath(): string {
    const run = this.env["KFWD_RUNTIME_DIR"] ?? "";
    const ids = existsSync(run) ? readdirSync(run).filter((name) => existsSync(join(run, name, "lock"))) : [];
    const [id] = ids;
    if (id === undefined || ids.length > 1) throw new Error(`locks: ${ids.join(", ") || "none"}`);
    return join(run, id, "lock");
  }

  /** The supervisor's process id, from the lock. */
  get supervisorPid(): number {
    return (JSON.parse(readFileSync(this.lockPath, "utf8")) as { pid: number }).pid;
  }

  /** Processes of this project that run, by the runtime folder in their environment. Linux only; none elsewhere. */
  processes(): readonly number[] {
    const mark = `KFWD_RUNTIME_DIR=${this.env["KFWD_RUNTIME_DIR"]}\0`;
    const pids = existsSync("/proc/self/environ")
      ? readdirSync("/proc").filter((name) => /^\d+$/.test(name))
      : [];
    return pids.map(Number).filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(mark);
      } catch {
        return false; // it has ended, or is another user's
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running) running.kill("SIGKILL");
    await Promise.all([...this.#running].map(({ ended }) => ended));
    const { stderr } = await this.run("down", "--force");
    const left = this.processes();
    for (const pid of left) process.kill(pid, "SIGKILL");
    await rm(this.root, { recursive: true, force: true });
    if (left.length > 0)
      throw new Error(`still running after kfwd down --force: pid ${left.join(", ")}\n${stderr}`);
  }
}
