/** A pod's program that is a real process: what a spec runs by `node -e`, as the relay is run. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";

/** What a spec says of it. */
export interface NodeCommand {
  /** Behind `node`. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** How long it may go on once it was asked to end. */
const GRACE_MS = 1_000;

/**
 * One container. The port in `KFWD_RELAY_PORT` is the pod's own; in this one network it gets another, and says which.
 */
export class NodeProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #podPort: number;
  #realPort: number | undefined;
  #output = "";

  /** `onEnd` is told the exit status, also when it was killed. */
  constructor({ args, env }: NodeCommand, onListening: () => void, onEnd: (status: number) => void) {
    this.#podPort = Number(env["KFWD_RELAY_PORT"] ?? 0);
    this.#child = spawn(process.execPath, args, {
      env: { ...env, KFWD_RELAY_PORT: "0" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#exited = new Promise<void>((resolve) => {
      this.#child.once("error", () => resolve());
      this.#child.once("exit", () => resolve());
    });
    const hear = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(0, 4096);
      const port = /listening on 127\.0\.0\.1:(\d+)/.exec(this.#output)?.[1];
      if (port === undefined || this.#realPort !== undefined) return;
      this.#realPort = Number(port);
      onListening();
    };
    this.#child.stdout?.on("data", hear);
    this.#child.stderr?.on("data", hear);
    this.#child.once("exit", (status) => {
      this.#realPort = undefined;
      onEnd(status ?? 137);
    });
    this.#child.once("error", () => onEnd(128));
  }

  /** What it has said, its first 4 KiB. */
  get output(): string {
    return this.#output;
  }

  /** Where a port of the pod is really; undefined: nothing listens there. */
  realPort(podPort: number): number | undefined {
    return podPort === this.#podPort ? this.#realPort : undefined;
  }

  /** As a kubelet asks a container to end. */
  terminate(): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGTERM");
    const overdue = setTimeout(() => this.#child.kill("SIGKILL"), GRACE_MS);
    void once(this.#child, "exit").then(() => clearTimeout(overdue));
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
