/** `kfwd help`: the commands, one of them, or a topic. */
import type { Command } from "commander";
import { KfwdError } from "../errors.ts";
import { suggest } from "../suggest.ts";
import type { CommandKit } from "./filecommands.ts";
import { isTopic, TOPICS } from "./topicnames.ts";
import { findCommand, visibleNames } from "./usage.ts";

/** What stands below the list of commands. */
export const HELP_TOPICS = `
Topics:
${TOPICS.map(([name, what]) => `  kfwd help ${name.padEnd(13)}${what}`).join("\n")}
  kfwd help COMMAND      a command, its flags and examples`;

export function addHelp({ world, command }: CommandKit, program: Command): void {
  const help = command("help [topic]", "explain a command, or a topic").addHelpText(
    "after",
    `${HELP_TOPICS}\n\nExamples:\n  kfwd help up\n  kfwd help exit-codes`,
  );
  help.action(async (name?: string) => {
    if (name !== undefined && isTopic(name)) {
      const { topic } = await import("./topics.ts");
      world.stdout.write(`${await topic(world, name)}\n`);
      return;
    }
    const explained = name === undefined ? program : findCommand(program, name);
    if (explained === undefined) throw unknownTopic(program, name ?? "");
    explained.outputHelp();
  });
}

function unknownTopic(program: Command, name: string): KfwdError {
  const known = [...visibleNames(program), ...TOPICS.map(([topic]) => topic)];
  return new KfwdError("USAGE", `unknown command or topic "${name}"`, { hint: suggest(name, known) });
}
