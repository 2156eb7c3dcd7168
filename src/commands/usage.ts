/** What is wrong with a command line, in our words instead of the parser's. */
import type { Command, CommanderError } from "commander";
import { KfwdError } from "../errors.ts";
import { either } from "../printable.ts";
import { suggest, suggestFrom } from "../suggest.ts";

/** The parser's complaint about `args`; undefined when it has printed what was asked for, or the help. */
export function usageError(
  thrown: CommanderError,
  program: Command,
  args: readonly string[],
): KfwdError | undefined {
  const name = args.find((arg) => !arg.startsWith("-"));
  const command = name === undefined ? undefined : findCommand(program, name);
  const help = command === undefined ? "kfwd help" : `kfwd help ${command.name()}`;
  const fail = (message: string, hint = help): KfwdError => new KfwdError("USAGE", message, { hint });
  const sentence = thrown.message;
  const quoted = /'(.*)'/s.exec(sentence)?.[1] ?? "";
  switch (thrown.code) {
    case "commander.help":
    case "commander.helpDisplayed":
    case "commander.version":
      return undefined;
    case "commander.unknownCommand":
      return unknownCommand(program, quoted);
    case "commander.unknownOption": {
      const known = (command ?? program).options.map(({ long }) => long ?? "");
      return fail(`unknown option "${quoted}"`, suggest(quoted.replace(/=.*/s, ""), known));
    }
    case "commander.optionMissingArgument":
      return fail(`option "${quoted}" needs a value`);
    case "commander.invalidArgument": {
      const [, flags = "", value = ""] = /'(.*?)' argument '(.*)' is/s.exec(sentence) ?? [];
      const choices = command?.options.find((option) => option.flags === flags)?.argChoices ?? [];
      return fail(`option "${flags}" cannot be "${value}": it must be ${either(choices)}`);
    }
    case "commander.conflictingOption": {
      const [, one = "", other = ""] = /'(.*?)' cannot be used with option '(.*?)'/s.exec(sentence) ?? [];
      return fail(`${one} cannot go with ${other}`);
    }
    case "commander.missingArgument":
      return fail(`argument "${quoted}" is missing`);
    case "commander.excessArguments":
      return fail(`too many arguments for "kfwd ${command?.name() ?? ""}"`);
    default:
      return fail(`cannot read the command line (${thrown.code})`);
  }
}

/** By its name or another name it goes by. */
export function findCommand(program: Command, name: string): Command | undefined {
  return program.commands.find((command) => command.name() === name || command.aliases().includes(name));
}

export function unknownCommand(program: Command, name: string): KfwdError {
  const known = program.commands.map((command) => command.name());
  return new KfwdError("USAGE", `unknown command "${name}"`, { hint: suggestFrom(name, known, "commands") });
}
