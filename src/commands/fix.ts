/** `kfwd check --fix`: mends what needs no thought, and leaves every other byte as it is. */
import { KfwdError } from "../errors.ts";
import { visible } from "../printable.ts";
import { mendText, refuseUnwritable, replaceFile, type LoadedConfig } from "../runtime/index.ts";
import type { TextFix } from "../schema/details.ts";
import type { Output } from "./output.ts";
import { diffText } from "./render/difftext.ts";
import { countText } from "./render/forward.ts";
import type { World } from "./world.ts";

/** A place that was mended, or would be, as JSON has it. */
export interface Fixed {
  readonly rule: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/** `show` prints what would change, as a diff; `list` does nothing but to say it. @throws KfwdError `CONFIG_UNREADABLE`. */
export function fixFiles(
  { cwd }: World,
  { parsed, read }: LoadedConfig,
  how: "write" | "show" | "list",
  out: Output,
): readonly Fixed[] {
  if (parsed.kind === "invalid") return []; // what is wrong is told by whoever reads on
  const { fixes } = parsed.details;
  const paths = [...new Set(fixes.map(({ path }) => path))];
  const shas = new Map(read.map(({ path, sha256 }) => [path, sha256]));
  const mended = paths.map((path) => {
    const edits = fixes.filter((fix) => fix.path === path);
    const sha256 = shas.get(path) ?? "";
    return {
      path,
      sha256,
      edits,
      name: edits[0]?.source.file ?? path,
      ...mendText(path, sha256, edits, cwd),
    };
  });
  if (how === "write") for (const path of paths) refuseUnwritable(path, cwd); // all are mended, or none
  for (const { path, sha256, name, edits, before, after } of mended) {
    if (how === "show") for (const line of diffText(visible(name), before, after)) out.data(line);
    if (how !== "write") continue;
    replaceFile(path, sha256, after, cwd);
    out.note(`${visible(name)}: mended ${countText(edits.length, "line")}`);
  }
  if (fixes.length === 0) out.note("nothing to mend");
  return fixes.map(fixedOf);
}

/** @throws KfwdError `USAGE`. */
export function refuseFix(
  flags: { readonly fix?: boolean; readonly dryRun?: boolean },
  files: readonly string[],
): void {
  if (flags.dryRun === true && flags.fix !== true)
    throw new KfwdError("USAGE", "--dry-run is for --fix", { hint: "kfwd check --fix --dry-run" });
  if (flags.fix === true && files.includes("-"))
    throw new KfwdError("USAGE", "--fix cannot go with -f -: standard input is no file to write to", {
      hint: "kfwd check -f -",
    });
}

function fixedOf({ rule, source, text }: TextFix): Fixed {
  return { rule, ...source, text };
}
