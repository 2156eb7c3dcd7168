import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { order } from "./orders.ts";
import { CLI, type Project, type Running } from "./project.ts";

const PROBE = fileURLToPath(new URL("probe.cjs", import.meta.url));

/** What a supervisor holds once its garbage is collected. */
export interface Holding {
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly rssBytes: number;
  /** Timers that are set, also those that do not keep the process alive. */
  readonly timers: number;
  /** Sockets, servers and the like that keep the process alive, by kind. */
  readonly resources: Readonly<Record<string, number>>;
  readonly fds: number;
}

/** A supervisor in the foreground that tells what it holds. */
export class Probed {
  readonly #running: Running;
  readonly pid: number;

  private constructor(running: Running) {
    this.#running = running;
    this.pid = running.child.pid ?? 0;
  }

  /** Brings the project up; every forward is ready. */
  static async up(project: Project): Promise<Probed> {
    const args = ["--expose-gc", "--require", PROBE, CLI, "up"];
    const running = project.exec(process.execPath, args, { channel: "ipc" });
    await running.says(/^kfwd: ready /m);
    return new Probed(running);
  }

  async look(): Promise<Holding> {
    const held = await order<Omit<Holding, "fds">>(this.#running.child, { do: "look" });
    return { ...held, fds: readdirSync(`/proc/${this.pid}/fd`).length };
  }
}
