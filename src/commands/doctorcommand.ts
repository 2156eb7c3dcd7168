/** `kfwd doctor` on the command line. */
import type { DoctorFlags } from "./doctor.ts";
import type { CommandKit } from "./filecommands.ts";

const HELP = `
It looks at this machine, the file, the kubeconfig, the way to each cluster, rights, targets, local ports and what runs,
and changes nothing. It takes 20 s at most. A credential plugin is run, but not one of a file that is not trusted. At the
end stands a block for a report: without secrets and the name of your home folder, with --redact also without names.
The exit status is 0 when nothing is bad, else that of the first thing that is: see \`kfwd help exit-codes\`.

Examples:
  kfwd doctor
  kfwd doctor api --redact     of one forward, to be shown to strangers`;

export function addDoctor({ world, outcome, command, shared, clusterFlags }: CommandKit): void {
  const doctor = shared(clusterFlags(command("doctor [name...]", "find out why something does not work")))
    .option("--redact", "hide names of hosts, contexts, clusters, users and namespaces, too")
    .addHelpText("after", HELP);
  doctor.action(async (names: string[]) => {
    const { doctor: run } = await import("./doctor.ts");
    outcome.exit = await run(world, names, doctor.opts<DoctorFlags>());
  });
}
