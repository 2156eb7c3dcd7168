/** Commands that are run to their end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Cleanup } from "./cleanup.ts";

export interface ExecuteOptions {
  /** Ends the command with the bench; without it the command runs on, even past Ctrl-C. */
  readonly cleanup?: Cleanup;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** What it printed on stdout. @throws Error with what it said on stderr, when it fails. */
export async function execute(
  command: string,
  args: readonly string[],
  { cleanup, env, input = "" }: ExecuteOptions,
): Promise<string> {
  cleanup?.own({
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await closed.catch(() => {});
    },
  });
  const child = spawn(command, args, { env, detached: cleanup === undefined });
  const closed = once(child, "close");
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => {}).end(input);
  await closed;
  if (child.exitCode === 0) return stdout;
  throw new Error(
    `"${[command, ...args].join(" ").slice(0, 120)}" failed: ${stderr.trim() || child.exitCode}`,
  );
}
