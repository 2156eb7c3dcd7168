/** `kfwd wait` on the command line. */
import { Option } from "commander";
import type { CommandKit } from "./filecommands.ts";
import type { WaitCommandFlags } from "./wait.ts";

const HELP = `
Without names all forwards that run and are required are meant; one that is named counts in any case. Without --timeout
nothing that runs is exit status 3 at once; with it, a supervisor that is yet to come is waited for, too, as where
\`kfwd up\` starts beside it.

Examples:
  kfwd wait db --timeout 30s && npm test    also when \`kfwd up\` is still starting
  kfwd wait --for down                      until somebody has stopped it all`;

export function addWait({ world, outcome, command, shared, fileFlags }: CommandKit): void {
  const waiting = shared(fileFlags(command("wait [name...]", "return when forwards are ready, or down")))
    .addOption(new Option("--for <state>", "what to wait for").choices(["ready", "down"]).default("ready"))
    .option("--timeout <duration>", "how long (default: 60s)")
    .addHelpText("after", HELP);
  waiting.action(async (names: string[]) => {
    const { wait } = await import("./wait.ts");
    outcome.exit = await wait(world, names, waiting.opts<WaitCommandFlags>());
  });
}
