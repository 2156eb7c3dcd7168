/** `kfwd open`, `hosts` and `version` on the command line. What each does is loaded when it runs. */
import { KfwdError } from "../errors.ts";
import type { CommandKit } from "./filecommands.ts";
import type { OpenFlags } from "./open.ts";
import { waitFirstFlags } from "./waitflags.ts";
import type { FileFlags, SharedFlags } from "./world.ts";

const OPEN_HELP = `
Without a name: the only forward that has a url of http or https. BROWSER names the program that opens it. In a CI job, over
ssh and without a display the url is printed instead.

Examples:
  kfwd open api
  kfwd open api --wait --print`;

const HOSTS_HELP = `
It changes no file. Names that end in .localhost need no line in most programs.

Examples:
  kfwd hosts print
  kfwd hosts print | sudo tee -a /etc/hosts`;

export function addToolCommands(kit: CommandKit): void {
  addOpen(kit);
  addHosts(kit);
  addVersion(kit);
}

function addOpen({ world, outcome, command, shared, fileFlags }: CommandKit): void {
  const opening = waitFirstFlags(
    shared(fileFlags(command("open [name]", "open a forward's URL in the browser"))),
  )
    .option("--print", "print the url only")
    .addHelpText("after", OPEN_HELP);
  opening.action(async (name: string | undefined) => {
    const { openForward } = await import("./open.ts");
    outcome.exit = await openForward(world, name, opening.opts<OpenFlags>());
  });
}

function addHosts({ world, outcome, command, shared, fileFlags }: CommandKit): void {
  const usage = "hosts <print> [name...]";
  const hosts = shared(
    fileFlags(command(usage, "print the forwards' hosts as lines of a hosts file")),
  ).addHelpText("after", HOSTS_HELP);
  hosts.action(async (action: string, names: string[]) => {
    if (action !== "print") {
      throw new KfwdError("USAGE", `cannot ${JSON.stringify(action)} hosts`, { hint: "kfwd hosts print" });
    }
    const { hosts: run } = await import("./hosts.ts");
    outcome.exit = await run(world, names, hosts.opts<FileFlags>());
  });
}

function addVersion({ world, outcome, command, colourFlag }: CommandKit): void {
  const version = colourFlag(command("version", "print the version, and what it runs on"))
    .option("--json", "print JSON")
    .addHelpText("after", "\nExamples:\n  kfwd version\n  kfwd version --json | jq -r .node");
  version.action(async () => {
    const { version: run } = await import("./version.ts");
    outcome.exit = run(world, version.opts<SharedFlags>());
  });
}
