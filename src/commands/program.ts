/** The command line: names, flags and help; each command's work is in a file of its own. */
import { Command, CommanderError, Option } from "commander";
import { KfwdError } from "../errors.ts";
import { shellWord } from "../shellword.ts";
import { addCompletion } from "./completioncommand.ts";
import { addDemo } from "./democommand.ts";
import { addDoctor } from "./doctorcommand.ts";
import { addDown } from "./downcommand.ts";
import { addFileCommands, type CommandKit } from "./filecommands.ts";
import { addHelp, HELP_TOPICS } from "./helpcommand.ts";
import { FLAG_GROUPS, groupCommands, ORDERED } from "./helpgroups.ts";
import { addLookCommands, addStatus } from "./lookcommands.ts";
import { Output } from "./output.ts";
import { COLOUR_CHOICES } from "./render/colour.ts";
import { addAttach } from "./attachcommand.ts";
import { addPrune } from "./prunecommand.ts";
import { addRbac } from "./rbaccommand.ts";
import { addRun, requireCommand, splitRun } from "./runcommand.ts";
import { addToolCommands } from "./toolcommands.ts";
import { addSingleCommands } from "./singlecommands.ts";
import { addUp } from "./upcommand.ts";
import { usageError } from "./usage.ts";
import { NOT_STARTED, type SharedFlags, type World } from "./world.ts";

/** Runs one command line (without node and the script) and resolves with its exit status. Never rejects. */
export async function run(world: World, args: readonly string[]): Promise<number> {
  const outcome: { exit: number } = { exit: 0 };
  const line = splitRun(args);
  const program = programFor(world, outcome, line.words ?? []);
  try {
    requireCommand(args, line);
    await program.parseAsync([...line.own], { from: "user" });
    return outcome.exit;
  } catch (thrown) {
    const parsing = thrown instanceof CommanderError ? thrown : undefined;
    const error = parsing === undefined ? KfwdError.from(thrown) : usageError(parsing, program, line.own);
    if (error === undefined) return parsing?.exitCode === 0 ? 0 : 2;
    const exit = complain(world, args, error);
    return args[0] === "run" ? NOT_STARTED : exit; // any other may be the command's
  }
}

/** Tells an error that comes before the flags were read, or after the command; answers its exit status. */
export function complain(world: World, args: readonly string[], error: KfwdError): number {
  new Output(world, { color: colourOf(args), json: args.includes("--json") }).error(error);
  return error.exit;
}

/** All commands; the one that is run leaves its exit status in `outcome`. `words`: the command of `run`. */
export function programFor(world: World, outcome: { exit: number }, words: readonly string[] = []): Command {
  const program = new Command("kfwd")
    .description("Keeps the Kubernetes services of a forwards.yaml reachable on their agreed local ports.")
    .version(world.version, "-V, --version", "print the version")
    .helpCommand(false) // of a command that is not there it would print the whole help
    .enablePositionalOptions()
    .addHelpText("after", HELP_TOPICS)
    .configureHelp(ORDERED)
    .exitOverride()
    .showSuggestionAfterError(false) // `usageError` has its own
    .configureOutput({
      writeOut: (text) => void world.stdout.write(text),
      writeErr: (text) => void world.stderr.write(text),
      outputError: () => {}, // said by `run`
    });

  const command = (usage: string, description: string): Command =>
    program.command(usage).description(description);
  const kit: CommandKit = {
    world,
    outcome,
    command,
    shared,
    fileFlags,
    clusterFlags,
    colourFlag,
    filled,
    words,
  };
  addUp(kit);
  addRun(kit);
  addStatus(kit);
  addDown(kit);
  addSingleCommands(kit);
  addAttach(kit);
  addLookCommands(kit);
  addPrune(kit);
  addDoctor(kit);
  addRbac(kit);
  addFileCommands(kit);
  addToolCommands(kit);

  addDemo(kit);
  addCompletion(kit, program);
  addHelp(kit, program);
  groupCommands(program);
  return program;
}

/** `file`: its flags, where `-f` means something else. */
function shared(command: Command, file = "-f, --file <path>"): Command {
  command
    .optionsGroup(FLAG_GROUPS.common)
    .option(
      file,
      "the file, or - for standard input; a second one changes what the first says (env KFWD_FILE; default: forwards.yaml here or above)",
      several(filled(command, file)),
    )
    .option(
      "-e, --env <name>",
      "an item of the file's environments (env KFWD_ENV; default: its defaultEnvironment)",
      filled(command, "-e, --env <name>"),
    )
    .option(
      "-p, --project <name>",
      "the project's name (env KFWD_PROJECT; default: the file's name, else its folder's)",
      filled(command, "-p, --project <name>"),
    )
    .option("--json", "print JSON")
    .option("-q, --quiet", "print errors only");
  return colourFlag(command);
}

/** Flags of commands that read the files. */
function fileFlags(command: Command): Command {
  return command
    .optionsGroup(FLAG_GROUPS.file)
    .option(
      "--profile <name>",
      "also the forwards of this profile; may be repeated (env KFWD_PROFILES, with commas)",
      several(filled(command, "--profile <name>")),
    )
    .option(
      "--dotenv <path>",
      "variables for the file, in place of the .env beside it; may be repeated",
      several(filled(command, "--dotenv <path>")),
    )
    .addOption(new Option("--env-file <path>").hideHelp().argParser(notEnvFile))
    .option("--no-local", "do not read forwards.local.yaml")
    .optionsGroup(FLAG_GROUPS.own);
}

function clusterFlags(command: Command): Command {
  fileFlags(command).optionsGroup(FLAG_GROUPS.cluster);
  for (const [flags, what] of [
    ["-C, --context <name>", "kubeconfig context"],
    ["-n, --namespace <name>", "namespace"],
    ["--kubeconfig <path>", "kubeconfig"],
  ] as const) {
    command.option(flags, `${what} of forwards that name none`, filled(command, flags));
  }
  return command
    .option(
      "--allow-context <name>",
      "start forwards in this context though the file protects it; may be repeated",
      several(filled(command, "--allow-context <name>")),
    )
    .option("--trust", "trust the file this once (env KFWD_TRUST=1)")
    .optionsGroup(FLAG_GROUPS.own);
}

function colourFlag(command: Command): Command {
  return command
    .optionsGroup(FLAG_GROUPS.common)
    .addOption(new Option("--color <when>", "colour the output").choices(COLOUR_CHOICES).default("auto"))
    .optionsGroup(FLAG_GROUPS.own);
}

/** Node takes a flag of this name for itself, wherever it stands, and sets its own variables by it. */
function notEnvFile(path: string): never {
  const hint = `--dotenv ${shellWord(path)}`;
  throw new KfwdError("USAGE", "--env-file is a flag of Node: here it is --dotenv", { hint });
}

/** Refuses the empty value that a variable has in a script where it is not set. */
function filled(command: Command, flags: string): (value: string) => string {
  return (value) => {
    if (value !== "") return value;
    throw new KfwdError("USAGE", `option "${flags}" needs a value`, { hint: `kfwd help ${command.name()}` });
  };
}

/** Collects an option that may be repeated. */
function several(
  read: (value: string) => string,
): (value: string, previous: readonly string[] | undefined) => readonly string[] {
  return (value, previous = []) => [...previous, read(value)];
}

/** For an error that comes before the flags were read. */
function colourOf(args: readonly string[]): SharedFlags["color"] {
  const at = args.findIndex((arg) => arg === "--color" || arg.startsWith("--color="));
  const value = args[at]?.split("=")[1] ?? args[at + 1];
  return COLOUR_CHOICES.find((choice) => at >= 0 && choice === value) ?? "auto";
}
