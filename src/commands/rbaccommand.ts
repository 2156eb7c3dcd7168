/** `kfwd rbac` on the command line. */
import type { CommandKit } from "./filecommands.ts";
import type { RbacFlags } from "./rbac.ts";

const HELP = `
It prints a Role and a RoleBinding for each namespace that the forwards lead to, with what each rule is for. Nothing has to
be allowed for the whole cluster. No cluster is asked. Whoever may grant rights applies it.

Examples:
  kfwd rbac --user ann@example.com | kubectl apply -f -
  kfwd rbac api db --serviceaccount ci:tests     what two of the forwards need, for a CI job`;

export function addRbac({ world, outcome, command, shared, clusterFlags, filled }: CommandKit): void {
  const rbac = shared(clusterFlags(command("rbac [name...]", "print the Role that the forwards need")));
  for (const [flags, what] of [
    ["--user <name>", "who gets it; may be repeated"],
    ["--group <name>", "a group that gets it; may be repeated"],
    ["--serviceaccount <namespace:name>", "a service account that gets it; may be repeated"],
  ] as const) {
    const read = filled(rbac, flags);
    rbac.option(flags, what, (value: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      read(value),
    ]);
  }
  rbac.addHelpText("after", HELP).action(async (names: string[]) => {
    const { rbac: run } = await import("./rbac.ts");
    outcome.exit = await run(world, names, rbac.opts<RbacFlags>());
  });
}
