/** Has the files of a supervisor read again by the program that knows their language, `kfwd up -d`. */
import { spawn } from "node:child_process";
import type { Clock, Log, ReadAgain } from "../deps.ts";
import { detachedEnv } from "./detach.ts";

/** Far longer than it takes; a plugin may have to be run. */
const LIMIT_MS = 60_000;

/** What is kept of its words. */
const WORDS_MAX_CHARS = 4_000;

/** What the command line says already, in other words. */
const SAID = { KFWD_FILE: undefined, KFWD_ENV: undefined, KFWD_PROFILES: undefined, KFWD_PROJECT: undefined };

/** One at a time; asked for meanwhile, it is done once more. */
export class Rereading {
  readonly #world: { readonly clock: Clock; readonly log: Log };
  readonly #script: string;
  readonly #again: () => ReadAgain | undefined;
  #stage: "idle" | "reading" | "reading, and again" = "idle";

  /** `script`: absolute path of the program. */
  constructor(
    world: { readonly clock: Clock; readonly log: Log },
    script: string,
    again: () => ReadAgain | undefined,
  ) {
    this.#world = world;
    this.#script = script;
    this.#again = again;
  }

  /** What comes of it is told in the log. */
  async start(): Promise<void> {
    if (this.#stage !== "idle") {
      this.#stage = "reading, and again";
      return;
    }
    do {
      this.#stage = "reading";
      await this.#run();
    } while (this.#hasMore());
    this.#stage = "idle";
  }

  #hasMore(): boolean {
    return this.#stage === "reading, and again";
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#world;
    const again = this.#again();
    if (again === undefined) {
      log.warn("not read again", {
        reason: "nobody keeps the forwards, or their file came on standard input",
      });
      return;
    }
    log.info("reading again");
    const child = spawn(process.execPath, [this.#script, "up", "--detach", "--color=never", ...again.args], {
      cwd: again.cwd,
      env: detachedEnv({ ...process.env, ...SAID }),
      stdio: ["ignore", "ignore", "pipe"],
      windowsHide: true,
    });
    let words = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      words = (words + text).slice(0, WORDS_MAX_CHARS);
    });
    const limit = clock.timer(LIMIT_MS, () => child.kill("SIGKILL"));
    const status = await new Promise<number | string | null>((resolve) => {
      child.once("error", ({ message }) => resolve(message));
      child.once("close", (code, signal) => resolve(code ?? signal));
    });
    limit[Symbol.dispose]();
    if (status === 0) log.info("read again");
    else log.warn("not read again", { status, reason: words.trim() });
  }
}
