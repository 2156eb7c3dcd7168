/** `kfwd run` on the command line: what stands behind `--` is the command's, whatever it looks like. */
import { Option } from "commander";
import { KfwdError } from "../errors.ts";
import { shellWord } from "../shellword.ts";
import type { CommandKit } from "./filecommands.ts";
import type { RunFlags } from "./run.ts";

const HELP = `
Brings up what does not run yet, waits until it is ready, and runs the command with the variables that \`kfwd env\` prints.
When it ends, so do the forwards that nobody else needs: those of \`kfwd up -d\` stay, as do those of another \`kfwd run\`.
No shell is used. Signals are passed on. Standard output is the command's.

Exit status: the command's, 128+n if signal n ended it; 125 if it was not run, 126 if it cannot be, 127 if it was not found.

Examples:
  kfwd run -- npm test
  kfwd run api db -- vitest run --coverage    two of the forwards; flags behind -- are the command's
  kfwd run --on-lost fail -e staging -- ./smoke.sh`;

/** A command line of which `run` has its own part and the rest is a command. */
export interface SplitLine {
  readonly own: readonly string[];
  /** Undefined where no `--` stands, and for other commands. */
  readonly words: readonly string[] | undefined;
}

/** Takes the command off a command line of `kfwd run`, before flags are read. */
export function splitRun(args: readonly string[]): SplitLine {
  const at = args.indexOf("--");
  if (args[0] !== "run" || at === -1) return { own: args, words: undefined };
  return { own: args.slice(0, at), words: args.slice(at + 1) };
}

/** Whoever forgot `--` is told before a flag of the command is taken for one of ours. @throws KfwdError `USAGE`. */
export function requireCommand(args: readonly string[], { words }: SplitLine): void {
  const [name, ...rest] = args;
  if (name !== "run" || (words ?? []).length > 0) return;
  if (words === undefined && rest.some((arg) => arg === "-h" || arg === "--help")) return;
  const meant = rest.filter((arg) => arg !== "--").map(shellWord);
  const hint =
    words !== undefined || meant.length === 0 || meant[0]?.startsWith("-")
      ? "kfwd run [name...] -- npm test"
      : `kfwd run -- ${meant.join(" ")}`;
  const message = words === undefined ? "no `--` and no command behind it" : "no command behind `--`";
  throw new KfwdError("USAGE", message, { hint });
}

export function addRun({ world, outcome, command, shared, clusterFlags, words }: CommandKit): void {
  const running = shared(clusterFlags(command("run [name...]", "run a command that needs the forwards")))
    .usage("[options] [name...] -- <command> [argument...]")
    .option("--wait-timeout <duration>", "how long the forwards may take to be ready (default: 60s)")
    .addOption(
      new Option(
        "--on-lost <action>",
        "when a forward fails or is stopped meanwhile: say so, or end the command with SIGTERM and exit 1",
      )
        .choices(["warn", "fail"])
        .default("warn"),
    )
    .option("--ttl <duration>", "stop the forwards by themselves after so long, such as 30m")
    .option(
      "--allow-metadata <hosts>",
      "targets `host/…`, comma between, that may be link-local or a cloud's metadata service",
      (hosts: string) => hosts.split(","),
    )
    .addHelpText("after", HELP);
  running.action(async (names: string[]) => {
    const { run } = await import("./run.ts");
    outcome.exit = await run(world, names, words, running.opts<RunFlags>());
  });
}
