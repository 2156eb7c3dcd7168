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
    case "commander.unknownOption":
      return fail(`unknown option "${quoted}"`, optionHint(program, { command, name, quoted, args }));
    case "commander.optionMissingArgument":
      return fail(`option "${quoted}" needs a value`);
    case "commander.invalidArgument": {
      const [, given, argument] = /value '(.*)' is invalid for argument '(.*?)'/s.exec(sentence) ?? [];
      if (given !== undefined) {
        const known = command?.registeredArguments.find((one) => one.name() === argument)?.argChoices ?? [];
        return fail(`argument "${argument}" cannot be "${given}": it must be ${either(known)}`);
      }
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

interface Misplaced {
  readonly command: Command | undefined;
  /** As it stands on the command line. */
  readonly name: string | undefined;
  readonly quoted: string;
  readonly args: readonly string[];
}

/** What may have been meant by an option: one with such a name, or the command that has it. */
function optionHint(program: Command, { command, name, quoted, args }: Misplaced): string | undefined {
  const flag = quoted.replace(/=.*/s, "");
  if (command === undefined || name === undefined) return suggest(flag, longFlags(program));
  if (args.indexOf(quoted) < args.indexOf(name) && hasFlag(command, flag)) {
    return `options come after the command: kfwd ${command.name()} ${flag}`;
  }
  const near = suggest(flag, longFlags(command));
  if (near !== undefined) return near;
  const owner = visible(program).find((other) => hasFlag(other, flag));
  return owner && `kfwd ${owner.name()} has it; kfwd help ${command.name()} lists what is here`;
}

function longFlags({ options }: Command): readonly string[] {
  return options.flatMap(({ long, hidden }) => (long && !hidden ? [long] : []));
}

function hasFlag({ options }: Command, flag: string): boolean {
  return options.some(({ long, short }) => long === flag || short === flag);
}

/** By its name or another name it goes by. */
export function findCommand(program: Command, name: string): Command | undefined {
  return program.commands.find((command) => command.name() === name || command.aliases().includes(name));
}

function unknownCommand(program: Command, name: string): KfwdError {
  const known = visibleNames(program);
  return new KfwdError("USAGE", `unknown command "${name}"`, { hint: suggestFrom(name, known, "commands") });
}

/** Names of the commands that the help lists. */
export function visibleNames(program: Command): readonly string[] {
  return visible(program).map((command) => command.name());
}

function visible(program: Command): readonly Command[] {
  return program.createHelp().visibleCommands(program);
}
