import { execFileSync, spawn } from "node:child_process";

/** A FIFO, to be disposed. */
export interface Fifo extends Disposable {
  readonly path: string;
}

/**
 * A FIFO that somebody opens for writing after a while and writes nothing: whoever waits for a writer goes on then, so
 * that a test fails with words instead of hanging.
 */
export function makeFifo(path: string): Fifo {
  execFileSync("mkfifo", [path]);
  const script = 'sleep 2; exec : <>"$1"';
  const child = spawn("sh", ["-c", script, "sh", path], { stdio: "ignore", detached: true });
  return {
    path,
    [Symbol.dispose]: () => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid); // the group: sleep too
    },
  };
}
