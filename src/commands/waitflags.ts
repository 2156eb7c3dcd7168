/** `--wait` and `--timeout` of commands that print where forwards are. */
import { Option, type Command } from "commander";

/** Adds `--wait` to a command that prints where forwards are. */
export function waitFirstFlags(command: Command): Command {
  return command
    .addOption(new Option("--wait", "first wait until it is ready").conflicts("static"))
    .option(
      "--timeout <duration>",
      "how long --wait waits, also for `kfwd up` to start (default: 60s, for what runs)",
    );
}
