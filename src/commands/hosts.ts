/** `kfwd hosts print`: the names that the file gives its forwards, as lines of a hosts file. Changes nothing. */
import { hostOf } from "../schema/exports.ts";
import { Output } from "./output.ts";
import { chooseNames, readPlan } from "./plan.ts";
import type { FileFlags, World } from "./world.ts";

export async function hosts(world: World, wanted: readonly string[], flags: FileFlags): Promise<number> {
  const out = new Output(world, flags);
  const plan = await readPlan(world, flags, wanted, out, "tell");
  if (plan === undefined) return 2;
  const names = chooseNames(
    wanted,
    plan.forwards.map(({ name }) => name),
  );
  const given = plan.forwards
    .filter(({ name }) => names.includes(name))
    .map((spec) => ({ forward: spec.name, address: hostOf(spec), names: spec.hosts ?? [] }))
    .filter((entry) => entry.names.length > 0);
  const lines = given.map((entry) => ({
    ...entry,
    names: entry.names.filter((name) => !name.startsWith("*")),
  }));
  if (flags.json) out.json({ schema: "kfwd.hosts/1", hosts: given });
  else
    for (const { address, names: plain, forward } of lines)
      if (plain.length > 0) out.data(`${address}\t${plain.join(" ")}\t# kfwd ${plan.project} ${forward}`);
  const wild = given.flatMap((entry) => entry.names).filter((name) => name.startsWith("*"));
  if (wild.length > 0) out.note(`a hosts file knows no wildcards, left out: ${wild.join(", ")}`);
  if (given.length === 0) out.note("no forward has hosts");
  return 0;
}
