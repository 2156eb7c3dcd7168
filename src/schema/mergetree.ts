/** One tree laid over another: maps merge by key, lists and scalars replace, null removes. */
import { isNothing, type TreeEntry, type TreeMap } from "./tree.ts";

/**
 * What becomes of a null that is laid over a value or stands for itself.
 * - `remove`: the key goes
 * - `keep`: it stays, since what it takes away comes from elsewhere
 */
type Nulls = "remove" | "keep";

/** The fields of which only one can be meant; the one that is laid over takes the place of the others. */
const RIVALS: ReadonlyMap<string, readonly string[]> = new Map([
  ["port", ["targetPort", "ports"]],
  ["targetPort", ["port", "ports"]],
  ["ports", ["port", "targetPort", "local"]],
  ["local", ["ports"]],
  ["context", ["followContext"]],
  ["followContext", ["context"]],
]);

/** The two as one. Maps at any depth merge. */
export function mergeMaps(under: TreeMap, over: TreeMap, nulls: Nulls = "remove"): TreeMap {
  return mergeWithin("", under, over, nulls);
}

/** `within`: the key that the maps stand under. */
function mergeWithin(within: string, under: TreeMap, over: TreeMap, nulls: Nulls): TreeMap {
  const entries = new Map(under.entries);
  for (const [key, entry] of over.entries) {
    const below = entries.get(key);
    const isWhole = below === undefined || (within === "relay" && key === "patch"); // its nulls are its own
    if (isNothing(entry.value) && nulls === "remove") entries.delete(key);
    else entries.set(key, isWhole ? entry : mergeEntries(key, below, entry, nulls));
  }
  return { kind: "map", entries, span: under.span };
}

function mergeEntries(key: string, below: TreeEntry, above: TreeEntry, nulls: Nulls): TreeEntry {
  if (below.value.kind !== "map" || above.value.kind !== "map") return above;
  return { key: above.key, value: mergeWithin(key, below.value, above.value, nulls) };
}

/** One forward laid over another. Its nulls stay, for they take back what the defaults say. */
export function mergeForward(below: TreeEntry, above: TreeEntry): TreeEntry {
  const [under, over] = [below.value, above.value];
  if (under.kind !== "map" || over.kind !== "map" || over.compact) return above;
  const merged = mergeMaps(withoutRivals(under, over), over, "keep");
  const entries = new Map([...merged.entries].map(([key, entry]) => [key, cleaned(entry)]));
  return { key: below.key, value: { kind: "map", entries, span: under.span } };
}

/** What is left of the map when another one is laid over it that takes the place of some fields. */
function withoutRivals(under: TreeMap, over: TreeMap): TreeMap {
  const kept = new Map(under.entries);
  for (const [key, { value }] of over.entries) {
    const isChosen = !isNothing(value) && !(value.kind === "scalar" && String(value.value) === "false");
    if (isChosen) for (const rival of RIVALS.get(key) ?? []) kept.delete(rival);
  }
  return { ...under, entries: kept };
}

function mergeDefaults(under: TreeMap, over: TreeMap): TreeMap {
  return mergeMaps(withoutRivals(under, over), over);
}

/** Without the nulls below the first level, which have done their work. */
function cleaned(entry: TreeEntry): TreeEntry {
  if (entry.value.kind !== "map") return entry;
  return { key: entry.key, value: mergeMaps({ ...entry.value, entries: new Map() }, entry.value) };
}

/** The forwards of one map laid over those of another; a null removes one. */
export function mergeForwards(under: TreeMap, over: TreeMap): TreeMap {
  const entries = new Map(under.entries);
  for (const [name, entry] of over.entries) {
    const below = entries.get(name);
    if (isNothing(entry.value)) entries.delete(name);
    else entries.set(name, below ? mergeForward(below, entry) : entry);
  }
  return { kind: "map", entries, span: under.span };
}

/** A whole file laid over another: nulls of environments stay, for they speak of what an environment changes. */
export function mergeFiles(under: TreeMap, over: TreeMap): TreeMap {
  const merged = mergeMaps(without(under, SPECIAL), without(over, SPECIAL));
  const entries = new Map(merged.entries);
  for (const [key, merge] of [
    ["defaults", mergeDefaults],
    ["forwards", mergeForwards],
    ["environments", mergeEnvironments],
  ] as const) {
    const [below, above] = [under.entries.get(key), over.entries.get(key)];
    const both = below?.value.kind === "map" && above?.value.kind === "map";
    const value = both ? merge(below.value, above.value) : undefined;
    const entry = value && below ? { key: below.key, value } : (above ?? below);
    if (entry !== undefined) entries.set(key, entry);
  }
  return { kind: "map", entries, span: under.span };
}

const SPECIAL = ["defaults", "forwards", "environments"];

function without(map: TreeMap, keys: readonly string[]): TreeMap {
  return { ...map, entries: new Map([...map.entries].filter(([key]) => !keys.includes(key))) };
}

function mergeEnvironments(under: TreeMap, over: TreeMap): TreeMap {
  const entries = new Map(under.entries);
  for (const [name, entry] of over.entries) {
    const below = entries.get(name);
    if (isNothing(entry.value)) entries.delete(name);
    else if (below?.value.kind !== "map" || entry.value.kind !== "map") entries.set(name, entry);
    else entries.set(name, { key: below.key, value: mergeFiles(below.value, entry.value) });
  }
  return { kind: "map", entries, span: under.span };
}
