/** Where a process stands and its user lives, also when the system cannot tell. */
import { homedir } from "node:os";
import { isAbsolute } from "node:path";

/** The working folder; one that was removed by the name the shell had for it, so that its project can still be ended. */
export function workingFolder(
  env: Readonly<Record<string, string | undefined>>,
  ask: () => string = () => process.cwd(),
): string {
  return answerOf(ask) ?? absolute(env["PWD"]) ?? "/";
}

/** The home folder; `/` for a user who has none, as in a container that runs as a number. */
export function homeFolder(ask: () => string = homedir): string {
  return absolute(answerOf(ask)) ?? "/";
}

function answerOf(ask: () => string): string | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

/** HOME may be set to nothing; files must not end up in the working folder for that. */
function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}
