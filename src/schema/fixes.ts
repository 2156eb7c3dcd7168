/** What may be mended in the files without asking what was meant. */
import type { TextFix } from "./details.ts";
import type { Layer } from "./layer.ts";
import type { LintLevels } from "./lintlevels.ts";
import { positionOf } from "./source.ts";
import { mapAt, type Tree } from "./tree.ts";

/** Forwards in one line without quotes, of the files that are the project's own; the levels say which lints are off. */
export function fixesOf(layers: readonly Layer[], levels: LintLevels): readonly TextFix[] {
  if (levels["unquoted-compact"] === "off") return [];
  return layers.filter(({ role }) => role !== "include").flatMap(ofLayer);
}

function ofLayer({ tree, file: { path } }: Layer): readonly TextFix[] {
  if (path === null) return [];
  const environments = [...(mapAt(tree, "environments")?.entries.values() ?? [])];
  const maps = [tree, ...environments.flatMap(({ value }) => (value.kind === "map" ? [value] : []))];
  return maps
    .flatMap((map) => [...(mapAt(map, "forwards")?.entries.values() ?? [])])
    .flatMap(({ value }) => quotesFor(value, path) ?? []);
}

function quotesFor(value: Tree, path: string): TextFix | undefined {
  if (value.kind !== "scalar" || value.style !== "plain" || typeof value.value !== "string") return undefined;
  const { source, start, end } = value.span;
  const written = source.text.slice(start, end);
  // One that goes over several lines, or has a variable in it, is not the text that it stands for.
  if (written !== value.value || written.includes("$") || written === "") return undefined;
  const place = { path, start, end, source: positionOf(value.span) };
  return { rule: "unquoted-compact", ...place, text: JSON.stringify(written) };
}
