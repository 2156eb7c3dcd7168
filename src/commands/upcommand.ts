/** `kfwd up` on the command line. */
import type { CommandKit } from "./filecommands.ts";
import { up, type UpFlags } from "./up.ts";

export function addUp({ world, outcome, command, shared, clusterFlags }: CommandKit): void {
  const upCommand = shared(clusterFlags(command("up [name...]", "make the forwards what the file says")))
    .option("-d, --detach", "run in the background; returns when every local port is bound")
    .option("--wait", "like -d, and return when every required forward is ready")
    .option("--wait-timeout <duration>", "how long --wait waits (default: 60s)")
    .option(
      "--allow-metadata <hosts>",
      "targets `host/…`, comma between, that may be link-local or a cloud's metadata service",
      (hosts: string) => hosts.split(","),
    )
    .option(
      "-t, --timeout <duration>",
      "how long connections may go on when a signal ends `up` (default: 5s)",
    )
    .option(
      "--ttl <duration>",
      "stop the forwards by themselves after so long, such as 30m; `up` again begins anew",
    )
    .option("-w, --watch", "read the files again when they change")
    .addHelpText(
      "after",
      "\nOn a terminal `?` tells the keys; KFWD_MENU=0 switches them off.\n\nExamples:\n  kfwd up                     keep all forwards until Ctrl-C\n  kfwd up -d --wait api db    two of them, in the background, ready when it returns",
    );
  upCommand.action(async (names: string[]) => {
    outcome.exit = await up(world, names, upCommand.opts<UpFlags>());
  });
}
