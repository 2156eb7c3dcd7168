/** `kfwd up --dry-run`: what `up` would do now. Changes nothing, and asks no cluster. */
import { targetText, type Preview } from "../runtime/index.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { Output } from "./output.ts";
import { countText, localText } from "./render/forward.ts";
import { touched } from "./touched.ts";
import type { UpFlags } from "./up.ts";
import { readWanted } from "./wanted.ts";
import type { World } from "./world.ts";

/** 0; with `--exit-code` 1 where anything would change; 2 where `up` would refuse. */
export async function dryRun(world: World, wanted: readonly string[], flags: UpFlags): Promise<number> {
  const out = new Output(world, flags);
  const read = await readWanted(world, flags, wanted, out);
  if (read === undefined) return 2;
  const { plan, chosen } = read;
  const specs = new Map(plan.forwards.map((spec) => [spec.name, spec]));
  const preview = await world.runtime.preview(plan, touched(chosen, flags), new AbortController().signal);
  const wouldChange = preview.changes.some(({ action }) => action !== "keep");
  if (flags.json) {
    const changes = preview.changes.map(({ name, action }) => ({ entry: name, action }));
    const { supervisor } = preview;
    out.json({ schema: "kfwd.plan/1", project: plan.project, supervisor, wouldChange, changes });
  } else if (!flags.quiet) {
    for (const line of linesOf(preview, specs)) out.data(line);
    out.note(summaryOf(preview));
  }
  return flags.exitCode && wouldChange ? 1 : 0;
}

function linesOf({ changes }: Preview, specs: ReadonlyMap<string, ForwardSpec>): readonly string[] {
  const nameWidth = Math.max(0, ...changes.map(({ name }) => name.length));
  const described = changes.map(({ name, action }) => {
    const spec = specs.get(name);
    return { head: `${action.padEnd(7)}  ${name.padEnd(nameWidth)}`, local: spec && placeOf(spec), spec };
  });
  const localWidth = Math.max(0, ...described.map(({ local }) => local?.length ?? 0));
  return described.map(({ head, local, spec }) =>
    spec === undefined ? head.trimEnd() : `${head}  ${(local ?? "").padEnd(localWidth)}  ${targetText(spec)}`,
  );
}

function placeOf({ bind, local, protocol }: ForwardSpec): string {
  return localText({ bind, localPort: local === "auto" ? null : local, protocol });
}

function summaryOf({ changes, supervisor }: Preview): string {
  const changed = changes.filter(({ action }) => action !== "keep").length;
  const where = supervisor === "new" ? "; nothing runs yet" : "";
  return `dry run: ${countText(changed, "forward")} would change, ${changes.length - changed} would not${where}`;
}
