/** Has the files of a supervisor read again by the program that knows their language, `kfwd up -d`. */
import { spawn, type ChildProcess } from "node:child_process";
import { KfwdError } from "../../errors.ts";
import type { Clock, Log, ReadAgain } from "../deps.ts";
import { detachedEnv } from "./detach.ts";

/** Far longer than it takes; a plugin may have to be run. */
const LIMIT_MS = 60_000;

/** What is kept of its words. */
const WORDS_MAX_CHARS = 4_000;

/** What the command line says already, in other words, and trust, which was for the files as they were. */
const UNHEEDED = ["KFWD_FILE", "KFWD_ENV", "KFWD_PROFILES", "KFWD_PROJECT", "KFWD_TRUST"];

/** One at a time; asked for meanwhile, it is done once more. Disposing breaks it off: what has ended is not to come back. */
export class Rereading implements Disposable {
  readonly #world: { readonly clock: Clock; readonly log: Log };
  readonly #script: string;
  readonly #again: () => ReadAgain | undefined;
  #stage: "idle" | "reading" | "reading, and again" | "over" = "idle";
  #child: ChildProcess | undefined;

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
      if (this.#stage === "reading") this.#stage = "reading, and again";
      return;
    }
    do {
      this.#stage = "reading";
      await this.#run().catch((thrown: unknown) => {
        // Without memory Node throws in place of telling the child's error; forwards must not end for that.
        this.#world.log.warn("not read again", { reason: KfwdError.from(thrown).message });
      });
    } while (this.#hasMore());
    if (!this.#isOver()) this.#stage = "idle";
  }

  [Symbol.dispose](): void {
    this.#stage = "over";
    this.#child?.kill("SIGKILL"); // it may wait for our end, to start another supervisor
  }

  #hasMore(): boolean {
    return this.#stage === "reading, and again";
  }

  #isOver(): boolean {
    return this.#stage === "over";
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
    const args = ["up", "--detach", "--reread", "--color=never", ...again.args];
    const child = spawn(process.execPath, [this.#script, ...args], {
      cwd: again.cwd,
      env: detachedEnv({ ...process.env, ...Object.fromEntries(UNHEEDED.map((name) => [name, undefined])) }),
      stdio: ["ignore", "ignore", "pipe"],
      windowsHide: true,
    });
    this.#child = child;
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
    this.#child = undefined;
    if (this.#isOver()) return;
    if (status === 0) log.info("read again");
    else log.warn("not read again", { status, reason: words.trim() });
  }
}
