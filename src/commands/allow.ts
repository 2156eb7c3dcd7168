/** `kfwd allow`: trusts the files of a project as they are now. */
import { visible } from "../printable.ts";
import { demandLines } from "../runtime/index.ts";
import { Output } from "./output.ts";
import { loadRequest, readFiles } from "./plan.ts";
import type { ClusterFlags, World } from "./world.ts";

/** 2 when the files cannot be used. */
export async function allow(world: World, flags: ClusterFlags): Promise<number> {
  const out = new Output(world, flags);
  const loaded = await readFiles(world, loadRequest(world, flags), out);
  if (loaded === undefined) return 2;
  const question = world.runtime.trustQuestion(loaded, undefined);
  world.runtime.allow(question);
  const { length } = question.files;
  const others = length > 1 ? ` and ${length - 1} more file${length > 2 ? "s" : ""}` : "";
  out.note(
    `allowed ${visible(loaded.config.shownAs)}${others}, until ${length > 1 ? "one of them" : "it"} changes`,
  );
  for (const line of demandLines(question.demands)) out.note(visible(line));
  if (flags.json) {
    out.json({
      schema: "kfwd.allow/1",
      files: question.files.map(({ path }) => path),
      demands: question.demands,
    });
  }
  return 0;
}
