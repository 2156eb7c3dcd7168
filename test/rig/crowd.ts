import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { order } from "./orders.ts";

/** How many clients fared how: `greeted`, `heard`, or the way they failed. */
export type Tally = Readonly<Record<string, number>>;

/** Clients in a process of their own; the port they go to leads to an app that speaks first and then echoes. */
export class Crowd implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(fileURLToPath(new URL("../puppets/crowd.mjs", import.meta.url)), { execArgv: [] });
  }

  /** All at once; resolves when the kernel has connected them, whether anybody accepts them or not. */
  async come(port: number, count: number): Promise<void> {
    await order(this.#child, { do: "come", port, count });
  }

  /** How those that came fared; those that are greeted stay. */
  greeted(): Promise<Tally> {
    return order(this.#child, { do: "greeted" });
  }

  /** Each of those that stay says a word and must hear it. */
  talk(): Promise<Tally> {
    return order(this.#child, { do: "talk" });
  }

  /** Each in one of three ways: closing, resetting, half-closing. */
  leave(): Promise<Tally> {
    return order(this.#child, { do: "leave" });
  }

  /** One after the other in `width` lines; each talks and leaves. */
  inTurn(port: number, count: number, width: number): Promise<Tally> {
    return order(this.#child, { do: "inTurn", port, count, width });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}
