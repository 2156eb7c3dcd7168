import type { ChildProcess } from "node:child_process";

/** Sends a puppet one message and resolves with its answer. One at a time. */
export function order<T>(child: ChildProcess, message: object): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      child.off("message", onMessage).off("exit", onExit);
      outcome();
    };
    const onMessage = (answer: unknown): void => settle(() => resolve(answer as T));
    const onExit = (code: number | null): void =>
      settle(() => reject(new Error(`it ended with ${code} before it answered`)));
    child.on("message", onMessage).on("exit", onExit);
    child.send(message, (error) => error && settle(() => reject(error)));
  });
}
