/** `kfwd up` on the command line. */
import { Option, type Command } from "commander";
import { KfwdError } from "../errors.ts";
import type { CommandKit } from "./filecommands.ts";
import { up, type UpFlags } from "./up.ts";

/** What becomes of forwards that run. */
function planFlags(command: Command): void {
  command
    .option("--dry-run", "print what would be done, and change nothing")
    .option("--exit-code", "with --dry-run: exit status 1 where anything would change")
    .option("--keep-orphans", "leave forwards up that are not in the file any more")
    .option("--force-recreate", "replace also what is unchanged")
    .option("--no-recreate", "leave what runs as it is, also where the file has changed")
    .option("--fail-fast", "stop all and exit with 1 when a required forward fails for good");
}

/** @throws KfwdError `USAGE`. */
function refuseContradictions({ dryRun, exitCode, forceRecreate, recreate }: UpFlags): void {
  if (forceRecreate === true && recreate === false) {
    const hint = "kfwd help up";
    throw new KfwdError("USAGE", "--force-recreate cannot go with --no-recreate", { hint });
  }
  if (exitCode === true && dryRun !== true) {
    throw new KfwdError("USAGE", "--exit-code says what --dry-run ends with", { hint: "add --dry-run" });
  }
}

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
    .addOption(new Option("--reread").hideHelp()) // of a supervisor in the background, see `Rereading`
    .addHelpText(
      "after",
      "\nOn a terminal `?` tells the keys; KFWD_MENU=0 switches them off.\n\nExamples:\n  kfwd up                     keep all forwards until Ctrl-C\n  kfwd up -d --wait api db    two of them, in the background, ready when it returns\n  kfwd up --dry-run           what would be started, replaced and stopped",
    );
  planFlags(upCommand);
  upCommand.action(async (names: string[]) => {
    const flags = upCommand.opts<UpFlags>();
    refuseContradictions(flags);
    if (flags.dryRun) {
      const { dryRun } = await import("./dryrun.ts");
      outcome.exit = await dryRun(world, names, flags);
    } else outcome.exit = await up(world, names, flags);
  });
}
