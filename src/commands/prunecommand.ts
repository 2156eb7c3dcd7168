/** `kfwd prune` on the command line. */
import type { CommandKit } from "./filecommands.ts";
import type { PruneFlags } from "./prune.ts";

const HELP = `
It lists the locks of supervisors that have died, and your relay pods that no supervisor keeps, where the file and the
locks lead to; then it asks. Relay pods end by themselves 90 s after their supervisor.

Examples:
  kfwd prune
  kfwd prune --yes -n shop     of one namespace, without a question`;

export function addPrune({ world, outcome, command, shared, clusterFlags }: CommandKit): void {
  const prune = shared(clusterFlags(command("prune", "remove what supervisors that died have left")))
    .option("-y, --yes", "do not ask")
    .addHelpText("after", HELP);
  prune.action(async () => {
    const { prune: run } = await import("./prune.ts");
    outcome.exit = await run(world, prune.opts<PruneFlags>());
  });
}
