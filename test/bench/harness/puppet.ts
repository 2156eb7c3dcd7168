/** Programs of the bench that run in processes of their own and talk to it. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome, TaskName, Tasks } from "../programs/tasks.ts";
import { bundle } from "./bundle.ts";

/** No task of the client takes longer on a forwarder that works. */
const TASK_MS = 180_000;

/** Starts one from its source in `programs/`. It ends when the bench does, but not by the Ctrl-C that ends that. */
export async function startPuppet(
  folder: string,
  name: string,
  args: readonly string[] = [],
): Promise<ChildProcess> {
  const file = join(folder, `${name}.cjs`);
  writeFileSync(file, await bundle(name));
  return fork(file, args, { execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"], detached: true });
}

export async function endPuppet(puppet: ChildProcess): Promise<void> {
  if (puppet.exitCode !== null || puppet.signalCode !== null) return;
  const exited = once(puppet, "exit");
  puppet.kill();
  await exited;
}

/** The client of all measurements. */
export class Client implements AsyncDisposable {
  readonly #puppet: ChildProcess;
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();
  #lastId = 0;

  static async start(folder: string): Promise<Client> {
    return new Client(await startPuppet(folder, "client"));
  }

  private constructor(puppet: ChildProcess) {
    this.#puppet = puppet;
    puppet.on("message", (outcome: Outcome) => {
      this.#waiting.get(outcome.id)?.(outcome);
      this.#waiting.delete(outcome.id);
    });
    puppet.once("exit", (code) => {
      for (const [id, settle] of this.#waiting) settle({ id, error: `the client ended with ${code}` });
    });
  }

  /** @throws Error with the client's words. */
  ask<K extends TaskName>(task: K, ask: Tasks[K]["ask"]): Promise<Tasks[K]["answer"]> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${task}: no end after ${TASK_MS} ms`)), TASK_MS);
      this.#waiting.set(id, ({ answer, error }) => {
        clearTimeout(late);
        if (error === undefined) resolve(answer as Tasks[K]["answer"]);
        else reject(new Error(`${task}: ${error}`));
      });
      this.#puppet.send({ id, task, ask }, (failure) => failure && reject(failure));
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return endPuppet(this.#puppet);
  }
}
