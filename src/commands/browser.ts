/** Hands a URL to the user's browser: the program that BROWSER names, else what the desktop opens it with. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import open from "open";
import { errnoOf } from "../errno.ts";
import { KfwdError } from "../errors.ts";
import type { Clock } from "../runtime/index.ts";

/** What fails at once says so within this time; a browser may run on for days. */
const SETTLE_MS = 1_000;

/** `url` must come from {@link webUrl}. No shell sees it. @throws KfwdError `BROWSER_FAILED`. */
export async function openInBrowser(url: string, chosen: string | undefined, clock: Clock): Promise<void> {
  const commands = chosen === undefined ? [] : commandsOf(chosen);
  if (commands.length === 0) return settled(await opened(url), clock);
  let failure: unknown;
  for (const words of commands) {
    const [program = "", ...args] = words.includes("%s")
      ? words.map((w) => (w === "%s" ? url : w))
      : [...words, url];
    const child = spawn(program, args, { stdio: "ignore", detached: true });
    child.unref();
    try {
      return await settled(child, clock);
    } catch (thrown) {
      failure = thrown;
    }
  }
  throw failure;
}

/** As other programs read BROWSER: commands in the order of preference, in each of which `%s` may stand for the URL. */
function commandsOf(chosen: string): readonly (readonly string[])[] {
  if (existsSync(chosen)) return [[chosen]]; // its path may have spaces
  const commands = chosen.split(delimiter).map((text) => text.split(/\s+/).filter((word) => word !== ""));
  return commands.filter((words) => words.length > 0);
}

async function opened(url: string): Promise<ChildProcess> {
  try {
    return await open(url);
  } catch (thrown) {
    throw failed(thrown instanceof Error ? thrown.message : String(thrown), thrown);
  }
}

function failed(why: string, cause?: unknown): KfwdError {
  return new KfwdError("BROWSER_FAILED", `cannot open the URL: ${why}`, { cause });
}

/** Resolves when the program has done its work, or runs on. */
async function settled(child: ChildProcess, clock: Clock): Promise<void> {
  const program = child.spawnfile;
  const over = new AbortController();
  await new Promise<void>((resolve, reject) => {
    child.once("error", (error) => {
      const why = errnoOf(error) === "ENOENT" ? `there is no ${program}` : `${program}: ${error.message}`;
      reject(failed(why, error));
    });
    child.once("exit", (status) => {
      if (status === 0 || status === null) resolve();
      else reject(failed(`${program} ended with exit status ${status}`));
    });
    clock.sleep(SETTLE_MS, over.signal).then(resolve, () => {}); // the answer has come already
  }).finally(() => over.abort());
}
