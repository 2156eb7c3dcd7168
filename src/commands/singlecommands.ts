/** `kfwd stop`, `start` and `restart` on the command line. */
import type { CommandKit } from "./filecommands.ts";
import type { StopFlags } from "./single.ts";
import type { SharedFlags } from "./world.ts";

const STOP_HELP = `
The port is free and connections have ended, but the forward stays in \`status\`, as stopped, until \`kfwd start\`, a plain
\`kfwd up\`, or one that names it. Without names all are stopped; \`kfwd down\` ends the supervisor as well.

Examples:
  kfwd stop db
  kfwd stop 'db*' -t 0s       at once, whatever connections do`;

const START_HELP = `
They come back as they were: the file is not read again, \`kfwd up\` does that. Without names all that is stopped.

Examples:
  kfwd start db
  kfwd start                  whatever is stopped`;

const RESTART_HELP = `
The local ports stay bound, open connections are reset, pods are chosen anew. The file is not read again, \`kfwd up\` does
that. Without names all but what is stopped; what is named is started if it was stopped.

Examples:
  kfwd restart api
  kfwd restart 'db*' cache`;

export function addSingleCommands({ world, outcome, command, shared }: CommandKit): void {
  const stop = shared(command("stop [name...]", "stop forwards, which can be started again"))
    .option("-t, --timeout <duration>", "how long connections may go on (default: 5s)")
    .addHelpText("after", STOP_HELP);
  stop.action(async (names: string[]) => {
    const { stop: run } = await import("./single.ts");
    outcome.exit = await run(world, names, stop.opts<StopFlags>());
  });

  const start = shared(command("start [name...]", "start forwards that were stopped")).addHelpText(
    "after",
    START_HELP,
  );
  start.action(async (names: string[]) => {
    const { start: run } = await import("./single.ts");
    outcome.exit = await run(world, names, start.opts<SharedFlags>());
  });

  const restart = shared(
    command("restart [name...]", "begin forwards anew, on the ports that they keep"),
  ).addHelpText("after", RESTART_HELP);
  restart.action(async (names: string[]) => {
    const { restart: run } = await import("./single.ts");
    outcome.exit = await run(world, names, restart.opts<SharedFlags>());
  });
}
