/** The commands that look at what runs. What each does is loaded when it runs. */
import { InvalidArgumentError, Option } from "commander";
import { LOG_LEVELS, STAGES } from "../runtime/index.ts";
import type { EventsFlags } from "./events.ts";
import type { CommandKit } from "./filecommands.ts";
import type { LsFlags } from "./ls.ts";
import type { LogsFlags } from "./logs.ts";
import type { StatusFlags } from "./snapshot.ts";
import { status as runStatus } from "./status.ts";
import { addWait } from "./waitcommand.ts";

export function addLookCommands(kit: CommandKit): void {
  addLs(kit);
  addLogs(kit);
  addEvents(kit);
  addWait(kit);
}

export function addStatus({ world, outcome, command, shared }: CommandKit): void {
  const status = shared(command("status [name...]", "show how the forwards are"))
    .alias("ps")
    .addOption(new Option("-o, --output <form>", "more columns, or JSON").choices(["wide", "json"]))
    .addOption(
      new Option("--status <state>", "only forwards in this state; may be repeated")
        .choices(STAGES)
        .argParser<readonly string[] | undefined>((state, before) => {
          if (STAGES.some((stage) => stage === state)) return [...(before ?? []), state];
          throw new InvalidArgumentError("");
        }),
    )
    .option("--names", "the names alone")
    .option(
      "-w, --watch",
      "go on: redrawn on a terminal, else a line for each change, until the supervisor ends",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  kfwd status -o wide         pods, bytes, clients held and refused, the last error\n  kfwd status --json | jq -e '.entries | all(.state == \"ready\")'\n  kfwd status -q || kfwd up -d --wait",
    );
  status.action(async (names: string[]) => {
    outcome.exit = await runStatus(world, names, status.opts<StatusFlags>());
  });
}

function addLs({ world, outcome, command, colourFlag }: CommandKit): void {
  const ls = colourFlag(
    command("ls", "list all projects that run")
      .option("--json", "print JSON")
      .option("-q, --quiet", "the names alone, as -p takes them"),
  ).addHelpText("after", "\nExamples:\n  kfwd ls\n  kfwd ls -q | xargs -n 1 kfwd down -p      end them all");
  ls.action(async () => {
    const { ls: run } = await import("./ls.ts");
    outcome.exit = await run(world, ls.opts<LsFlags>());
  });
}

function addLogs({ world, outcome, command, shared }: CommandKit): void {
  // `-f` follows, as everywhere else that logs are read.
  const logs = shared(command("logs [name...]", "show what has happened to the forwards"), "--file <path>")
    .option("-f, --follow", "go on with what happens, until Ctrl-C")
    .option("-n, --tail <lines>", "only so many of the last lines, or all (default: all)")
    .option("--since <when>", "only from then on: 10m, 2d (ago), or a time such as 2026-11-21T10:02")
    .option("--until <when>", "only until then")
    .option("-t, --timestamps", "whole times in UTC")
    .option("--no-log-prefix", "without the forward's name in front")
    .addOption(
      new Option("--level <level>", "the least important lines to show").choices(LOG_LEVELS).default("info"),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  kfwd logs -f db             what happens to db from now on\n  kfwd logs --since 1h -t     the last hour, also of a supervisor that has died",
    );
  logs.action(async (names: string[]) => {
    const { logs: run } = await import("./logs.ts");
    outcome.exit = await run(world, names, logs.opts<LogsFlags>());
  });
}

function addEvents({ world, outcome, command, shared }: CommandKit): void {
  const events = shared(command("events [name...]", "print each change of a forward as a line of JSON"))
    .option("--since <when>", "first those since then: 10m, 2d (ago), or a time such as 2026-11-21T10:02")
    .addHelpText(
      "after",
      "\nExamples:\n  kfwd events | jq -r 'select(.state == \"waiting\") | .forward'\n  kfwd events --since 1h db   also after the supervisor has died",
    );
  events.action(async (names: string[]) => {
    const { events: run } = await import("./events.ts");
    outcome.exit = await run(world, names, events.opts<EventsFlags>());
  });
}
