/** What is to be completed in a command line that is not finished. Pure but for the flags, which the parser reads. */
import type { Command, Option } from "commander";
import type { ClusterFlags } from "./world.ts";

/** Names that kfwd can list without a cluster. */
export type NameKind =
  | "forwards"
  | "contexts"
  | "namespaces"
  | "profiles"
  | "environments"
  | "projects"
  | "topics";

/** What may stand in the last place. */
export type Wanted =
  | { readonly kind: "commands"; readonly parent: Command }
  | { readonly kind: "flags"; readonly command: Command }
  | { readonly kind: "choices"; readonly choices: readonly string[] }
  | {
      readonly kind: "names";
      readonly of: NameKind;
      readonly flags: Partial<ClusterFlags>;
      /** What stands there already. */
      readonly given: readonly string[];
    }
  | { readonly kind: "paths" }
  | { readonly kind: "nothing" };

/** What is wanted, and the start of it that is there. */
export interface Unfinished {
  readonly wanted: Wanted;
  readonly start: string;
}

const OPTION_NAMES: ReadonlyMap<string, NameKind> = new Map([
  ["--context", "contexts"],
  ["--allow-context", "contexts"],
  ["--namespace", "namespaces"],
  ["--profile", "profiles"],
  ["--env", "environments"],
  ["--project", "projects"],
]);

const ARGUMENT_NAMES: ReadonlyMap<string, NameKind> = new Map([
  ["name", "forwards"],
  ["topic", "topics"],
]);

/** Arguments that stand for themselves. */
const WORD_ARGUMENTS = ["print"];

const PATH_ARGUMENTS = ["source", "path", "file"];

/** `words` are those behind `kfwd`, the last of them unfinished, as the shell has them. */
export function unfinished(program: Command, words: readonly string[]): Unfinished {
  const last = words.at(-1) ?? "";
  const before = words.slice(0, -1).map(plain);
  const { command, at, isKnown } = commandOf(program, before);
  if (!isKnown) return { wanted: { kind: "nothing" }, start: last };
  const behind = before.slice(at);
  if (behind.includes("--")) return { wanted: { kind: "paths" }, start: last }; // another program's
  const waiting = optionOf(command, behind.at(-1) ?? "");
  if (waiting !== undefined && takesValue(waiting)) {
    return { wanted: valueOf(command, waiting, behind.slice(0, -1)), start: last };
  }
  const [, flag, value] = /^(--[^=]+)=(.*)$/s.exec(last) ?? [];
  if (flag !== undefined && value !== undefined) {
    const option = optionOf(command, flag);
    const isOpen = option !== undefined && takesValue(option);
    return { wanted: isOpen ? valueOf(command, option, behind) : { kind: "nothing" }, start: value };
  }
  if (last.startsWith("-")) return { wanted: { kind: "flags", command }, start: last };
  if (command.commands.length > 0) return { wanted: { kind: "commands", parent: command }, start: last };
  return { wanted: argumentOf(command, behind), start: last };
}

interface Found {
  readonly command: Command;
  /** How many words lead to it. */
  readonly at: number;
  readonly isKnown: boolean;
}

/** The command that the words lead to. */
function commandOf(program: Command, words: readonly string[]): Found {
  const at = words.findIndex((word) => !word.startsWith("-"));
  const name = words[at];
  if (name === undefined || program.commands.length === 0) return { command: program, at: 0, isKnown: true };
  const found = program.commands.find((one) => one.name() === name || one.aliases().includes(name));
  if (found === undefined) return { command: program, at: 0, isKnown: false };
  const below = commandOf(found, words.slice(at + 1));
  return { ...below, at: at + 1 + below.at };
}

function optionOf({ options }: Command, word: string): Option | undefined {
  return options.find(({ long, short }) => word !== "" && (long === word || short === word));
}

/** An option whose value may be left out never takes the next word for it. */
function takesValue({ required }: Option): boolean {
  return required;
}

function valueOf(command: Command, option: Option, behind: readonly string[]): Wanted {
  if (option.argChoices !== undefined) return { kind: "choices", choices: option.argChoices };
  if (option.flags.includes("<path>")) return { kind: "paths" };
  const of = OPTION_NAMES.get(option.long ?? "");
  if (of === undefined) return { kind: "nothing" };
  return { kind: "names", of, flags: read(command, behind).flags, given: [] };
}

function argumentOf(command: Command, behind: readonly string[]): Wanted {
  const { flags, operands } = read(command, behind);
  const known = command.registeredArguments;
  const argument = known[operands.length] ?? known.find(({ variadic }) => variadic);
  if (argument === undefined) return { kind: "nothing" };
  if (argument.argChoices !== undefined) return { kind: "choices", choices: argument.argChoices };
  if (WORD_ARGUMENTS.includes(argument.name())) return { kind: "choices", choices: [argument.name()] };
  if (PATH_ARGUMENTS.includes(argument.name())) return { kind: "paths" };
  const of = ARGUMENT_NAMES.get(argument.name());
  return of === undefined ? { kind: "nothing" } : { kind: "names", of, flags, given: operands };
}

/** What stands there already, as far as the parser understands it. */
function read(
  command: Command,
  behind: readonly string[],
): { readonly flags: Partial<ClusterFlags>; readonly operands: readonly string[] } {
  try {
    const { operands } = command.parseOptions([...behind]);
    return { flags: command.opts<Partial<ClusterFlags>>(), operands };
  } catch {
    return { flags: {}, operands: [] };
  }
}

/** Without the quotes in which some shells hand words over. Runs nothing and resolves nothing. */
function plain(word: string): string {
  return word.replaceAll(
    /'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)/gs,
    (_, single?: string, double?: string, char?: string) =>
      single ?? double?.replaceAll(/\\(["\\$`])/g, "$1") ?? char ?? "",
  );
}
