/** `kfwd down` on the command line. */
import { down as run, type DownFlags } from "./down.ts";
import type { CommandKit } from "./filecommands.ts";

export function addDown({ world, outcome, command, shared }: CommandKit): void {
  const down = shared(command("down [name...]", "stop the forwards, or some of them"))
    .option("-t, --timeout <duration>", "how long connections may go on (default: 5s)")
    .option("--force", "kill a supervisor that neither answers nor obeys")
    .addHelpText(
      "after",
      "\nExamples:\n  kfwd down\n  kfwd down -p shop           from any folder\n  kfwd down 'db*'             some of them, for good: see also kfwd stop",
    );
  down.action(async (names: string[]) => {
    outcome.exit = await run(world, names, down.opts<DownFlags>());
  });
}
