/** `kfwd demo` on the command line. */
import { demo } from "./demo.ts";
import type { CommandKit } from "./filecommands.ts";
import type { SharedFlags } from "./world.ts";

export function addDemo({ world, outcome, command, colourFlag }: CommandKit): void {
  const demoCommand = colourFlag(
    command("demo", "show it all on a sandbox cluster inside this process"),
  ).addHelpText(
    "after",
    "\nExamples:\n  kfwd demo\n  kfwd demo --color never > demo.txt    all that it shows, as text",
  );
  demoCommand.action(async () => {
    outcome.exit = await demo(world, demoCommand.opts<SharedFlags>());
  });
}
