/** What the file's patch makes of the relay's manifest. Pure. */
import { isPlainMap } from "../../plain.ts";
import type { RelayWish } from "../deps.ts";

type Patch = NonNullable<RelayWish["patch"]>;
type Json = Patch[string];

/** Lists whose items have a name are merged by it, as the API server does; other lists are replaced. */
const NAMED_LISTS: ReadonlySet<string> = new Set(["containers", "initContainers", "env", "volumes"]);

/** A JSON merge patch: maps merge, null removes, all else replaces, but for lists of named items. */
export function patched(manifest: Patch, patch: Patch): Patch {
  const merged = new Map(Object.entries(manifest));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, over(key, merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

function over(key: string, below: Json | undefined, above: Json): Json {
  if (isPlainMap(above)) return patched(isPlainMap(below) ? below : {}, above);
  if (!NAMED_LISTS.has(key) || !isList(below) || !isList(above)) return above;
  const changed = below.map((item) => {
    const change = above.find((one) => nameOf(one) === nameOf(item));
    return isPlainMap(item) && isPlainMap(change) ? patched(item, change) : item;
  });
  const known = new Set(below.map(nameOf));
  return [...changed, ...above.filter((item) => !known.has(nameOf(item)))];
}

function nameOf(item: Json): string | undefined {
  const name = isPlainMap(item) ? item["name"] : undefined;
  return typeof name === "string" ? name : undefined;
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}
