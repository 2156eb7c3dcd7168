/** Child processes of the bench. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Cleanup } from "./cleanup.ts";

/** How long a process may take to end when asked, before it is killed. */
const END_MS = 10_000;

const OUTPUT_KEPT_CHARS = 8_000;

export interface ChildOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** What asks it to end. */
  readonly endSignal?: NodeJS.Signals;
}

/** One running process; keeps the end of what it prints. Disposing asks it to end, then makes it. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #what: string;
  readonly #endSignal: NodeJS.Signals;
  readonly #lookers = new Set<() => void>();
  #output = "";

  constructor(cleanup: Cleanup, command: string, args: readonly string[], options: ChildOptions = {}) {
    cleanup.own(this);
    this.#what = [command, ...args].join(" ").slice(0, 120);
    this.#endSignal = options.endSignal ?? "SIGTERM";
    this.#process = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: options.env });
    this.#process.once("error", (error) => (this.#output += error.message));
    const keep = (text: string): void => {
      this.#output = (this.#output + text).slice(-OUTPUT_KEPT_CHARS);
      for (const look of this.#lookers) look();
    };
    this.#process.stdout?.setEncoding("utf8").on("data", keep);
    this.#process.stderr?.setEncoding("utf8").on("data", keep);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Resolves when it has printed this. @throws Error when it ends before. */
  printed(text: string): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      const look = (): void => {
        if (!this.#output.includes(text)) return;
        this.#lookers.delete(look);
        resolve();
      };
      this.#lookers.add(look);
      look();
    });
    return this.whileItRuns(seen);
  }

  /** The outcome of something that needs this process. @throws Error when it ends before. */
  async whileItRuns<T>(outcome: Promise<T>): Promise<T> {
    const over = new AbortController();
    const ended = async (): Promise<never> => {
      if (!this.#ended) await once(this.#process, "close", { signal: over.signal });
      throw new Error(`"${this.#what}" ended with ${this.#process.exitCode}: ${this.#output.trim()}`);
    };
    try {
      return await Promise.race([outcome, ended()]);
    } finally {
      over.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    const closed = once(this.#process, "exit");
    this.#process.kill(this.#endSignal);
    const late = setTimeout(() => {
      console.error(`"${this.#what}" did not end within ${END_MS} ms of ${this.#endSignal}: killed`);
      this.#process.kill("SIGKILL");
    }, END_MS);
    await closed;
    clearTimeout(late);
  }

  get #ended(): boolean {
    const { pid, exitCode, signalCode } = this.#process;
    return pid === undefined || exitCode !== null || signalCode !== null;
  }
}
