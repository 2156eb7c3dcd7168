/** The command line of `kfwd attach`; what it does is loaded when it runs. */
import type { CommandKit } from "./filecommands.ts";
import type { FileFlags } from "./world.ts";

export function addAttach({ world, outcome, command, shared, fileFlags }: CommandKit): void {
  const attach = shared(
    fileFlags(command("attach [name...]", "follow what runs in the background, as `up` does")),
  ).addHelpText(
    "after",
    "\nOn a terminal it has the keys of `up`; Ctrl-C leaves the forwards as they are.\n\nExamples:\n  kfwd attach\n  kfwd attach -p shop db      from any folder, one forward alone",
  );
  attach.action(async (names: string[]) => {
    const { attach: run } = await import("./attach.ts");
    outcome.exit = await run(world, names, attach.opts<FileFlags>());
  });
}
