/** The commands around forwards.yaml. What each does is loaded when it runs. */
import { Option, type Command } from "commander";
import type { AddressFlags } from "./address.ts";
import type { CheckFlags } from "./check.ts";
import type { ConfigFlags } from "./config.ts";
import type { EnvFlags } from "./env.ts";
import type { ImportFlags } from "./import.ts";
import type { InitFlags } from "./init.ts";
import { SHELLS } from "./render/shells.ts";
import { waitFirstFlags } from "./waitflags.ts";
import type { SharedFlags, World } from "./world.ts";

/** How `program.ts` makes commands and their common flags. */
export interface CommandKit {
  readonly world: World;
  readonly outcome: { exit: number };
  readonly command: (usage: string, description: string) => Command;
  readonly shared: (command: Command, file?: string) => Command;
  readonly fileFlags: (command: Command) => Command;
  readonly clusterFlags: (command: Command) => Command;
  readonly colourFlag: (command: Command) => Command;
  readonly filled: (command: Command, flags: string) => (value: string) => string;
  /** What stands behind `--` on a command line of `run`. */
  readonly words: readonly string[];
}

export function addFileCommands(kit: CommandKit): void {
  addCheck(kit);
  addConfig(kit);
  addEnv(kit);
  addAddresses(kit);
  addImport(kit);
  addSchema(kit);
  addInit(kit);
  addAllow(kit);
}

function addCheck({ world, outcome, command, shared, clusterFlags }: CommandKit): void {
  const check = shared(clusterFlags(command("check", "look for mistakes in the file")))
    .option("--strict", "warnings count as errors")
    .option("--all", "each environment of the file, not only the one that is chosen")
    .option("--cluster", "also ask the cluster: targets, ports, rights, ready pods")
    .option("--fix", "put forwards that are written in one line into quotes")
    .option("--dry-run", "with --fix: print what would change as a diff, and change nothing")
    .addHelpText(
      "after",
      "\nExamples:\n  kfwd check\n  kfwd check --fix --dry-run\n  kfwd check --strict --all    as a CI job, of every environment; asks no cluster",
    );
  check.action(async () => {
    const { check: run } = await import("./check.ts");
    outcome.exit = await run(world, check.opts<CheckFlags>());
  });
}

function addAllow({ world, outcome, command, shared, fileFlags }: CommandKit): void {
  const allowing = shared(fileFlags(command("allow", "trust the file, until it changes"))).addHelpText(
    "after",
    "\nA file that is not trusted may forward to pods and Services on loopback, with your kubeconfig. To listen where" +
      "\nothers can connect or on a port below 1024, to reach hosts, to choose the relay's image, to set variables that" +
      "\nprograms obey, such as PATH, or to bring a kubeconfig that runs programs, it must be allowed." +
      "\nKFWD_TRUST=1 or `up --trust` allows it once.\n\nExamples:\n  kfwd allow\n  kfwd allow -f team/forwards.yaml",
  );
  allowing.action(async () => {
    const { allow: run } = await import("./allow.ts");
    outcome.exit = await run(world, allowing.opts<SharedFlags>());
  });
}

/** What `config` prints alone, in place of the whole: one of them at a time. */
const CONFIG_PARTS = [
  ["names", "the forwards' names alone"],
  ["profiles", "the profiles alone"],
  ["environments", "the environments alone"],
  ["variables", "the variables in the files, their defaults and where they are used"],
  ["environment", "the values that variables have, as a .env file"],
  ["hash", "a hash of each forward, which changes when it does"],
] as const;

function addConfig({ world, outcome, command, shared, fileFlags }: CommandKit): void {
  const config = shared(fileFlags(command("config", "print what the files come to")))
    .addOption(new Option("-o, --output <form>", "how to print it (default: yaml)").choices(["yaml", "json"]))
    .option("--origin", "also where each value comes from")
    .addHelpText(
      "after",
      "\nExamples:\n  kfwd config --origin\n  kfwd config -e staging -o json | jq '.forwards.api.local'",
    );
  for (const [flag, what] of CONFIG_PARTS) {
    const others = CONFIG_PARTS.map(([other]) => other).filter((other) => other !== flag);
    config.addOption(new Option(`--${flag}`, what).conflicts(["origin", ...others]));
  }
  config.action(async () => {
    const { config: run } = await import("./config.ts");
    outcome.exit = await run(world, config.opts<ConfigFlags>());
  });
}

function addEnv({ world, outcome, command, shared, fileFlags }: CommandKit): void {
  const usage = "env [name...]";
  const env = waitFirstFlags(shared(fileFlags(command(usage, "print the forwards' addresses as variables"))))
    .addOption(new Option("--shell <name>", "what is to read them (default: by $SHELL)").choices(SHELLS))
    .addHelpText("after", '\nExamples:\n  eval "$(kfwd env)"\n  kfwd env --shell github >> "$GITHUB_ENV"');
  env.action(async (names: string[]) => {
    const { env: run } = await import("./env.ts");
    outcome.exit = await run(world, names, env.opts<EnvFlags>());
  });
}

function addAddresses({ world, outcome, command, shared, fileFlags }: CommandKit): void {
  const reading = (usage: string, description: string): Command =>
    waitFirstFlags(shared(fileFlags(command(usage, description))));
  const port = reading("port <name>", "print a forward's local address and port");
  port
    .option("--static", "as the file has it, whether it runs or not")
    .addHelpText(
      "after",
      '\nExamples:\n  kfwd port db --wait           127.0.0.1:5432, once it is ready\n  nc $(kfwd port db --static | tr : " ")',
    );
  port.action(async (name: string) => {
    const { port: run } = await import("./address.ts");
    outcome.exit = await run(world, name, port.opts<AddressFlags>());
  });
  const url = reading("url <name>", "print a forward's URL");
  url
    .option("--static", "as the file has it, whether it runs or not")
    .addHelpText("after", '\nExamples:\n  curl "$(kfwd url api)"\n  psql "$(kfwd url db --wait)"');
  url.action(async (name: string) => {
    const { url: run } = await import("./address.ts");
    outcome.exit = await run(world, name, url.opts<AddressFlags>());
  });
}

function addImport({ world, outcome, command, colourFlag, filled }: CommandKit): void {
  const usage = "import [source]";
  const importing = colourFlag(
    command(usage, "print another tool's file, or - for standard input, as a forwards.yaml"),
  );
  addPlaceFlags(importing, filled);
  importing
    .option("--from-cluster", "what kftray's annotations on Services say, in place of a file")
    .option("-A, --all-namespaces", "of all namespaces")
    .option(
      "--format <name>",
      "what it was made for (default: by what stands in it)",
      filled(importing, "--format <name>"),
    )
    .option("-o, --output <path>", "write a new file", filled(importing, "-o, --output <path>"))
    .option("-q, --quiet", "print errors only")
    .addHelpText(
      "after",
      "\nFormats: kftray, kftray-services, kubectl, compose, skaffold, tilt, devspace, kportal, krelay" +
        "\n\nExamples:\n  kfwd import configs.json -o forwards.yaml\n  grep port-forward Makefile | kfwd import -" +
        "\n  kfwd import --from-cluster -n shop",
    );
  importing.action(async (source: string | undefined) => {
    const { importAll } = await import("./import.ts");
    outcome.exit = await importAll(world, source, importing.opts<ImportFlags>());
  });
}

function addSchema({ world, outcome, command, colourFlag }: CommandKit): void {
  const schema = colourFlag(command("schema", "print the JSON Schema of forwards.yaml"));
  schema.addHelpText(
    "after",
    "\nExamples:\n  kfwd schema > forwards.schema.json\n  kfwd schema | jq '.properties | keys'",
  );
  schema.action(async () => {
    const { schema: run } = await import("./schema.ts");
    outcome.exit = await run(world, schema.opts<SharedFlags>());
  });
}

function addInit({ world, outcome, command, colourFlag, filled }: CommandKit): void {
  const init = colourFlag(command("init", "write a first forwards.yaml"));
  addPlaceFlags(init, filled);
  init
    .option("--from-cluster", "a forward for each Service of the namespace")
    .option("-y, --yes", "ask nothing, write an example")
    .option("-q, --quiet", "print errors only")
    .addHelpText("after", "\nExamples:\n  kfwd init\n  kfwd init --from-cluster -n shop");
  init.action(async () => {
    const { init: run } = await import("./init.ts");
    outcome.exit = await run(world, init.opts<InitFlags>());
  });
}

/** Of commands that ask a cluster before there is a file. */
function addPlaceFlags(command: Command, filled: CommandKit["filled"]): void {
  for (const [flags, what] of [
    ["-C, --context <name>", "kubeconfig context"],
    ["-n, --namespace <name>", "namespace"],
    ["--kubeconfig <path>", "kubeconfig"],
  ] as const) {
    command.option(flags, what, filled(command, flags));
  }
}
