/** Checks a map of the file against its fields, and says what is wrong in our words at the exact place. */
import type * as z from "zod/mini";
import { CarriedProblem, defaultsSchema } from "./fields.ts";
import type { Problem } from "./problem.ts";
import { foreignKey } from "./foreign.ts";
import { either, quoted, shown } from "../printable.ts";
import type { Report } from "./report.ts";
import type { Span } from "./source.ts";
import { suggest } from "../suggest.ts";
import { mapAt, plainOf, spanOfPart, spanOfValue, type Tree, type TreeEntry, type TreeMap } from "./tree.ts";

/** Checked values with the place of each. */
export interface Fields<T> {
  readonly values: T;
  /** By field; those of the relay also as `relay.image` and so on. */
  readonly spans: ReadonlyMap<string, Span>;
}

/** Which map of the file it is. */
export type Where =
  | { readonly kind: "top" }
  | { readonly kind: "defaults" }
  | { readonly kind: "environment"; readonly name: string }
  | { readonly kind: "forward"; readonly name: string };

/** The values of a map; undefined after reporting everything that is wrong with them. */
export function checkFields<S extends z.ZodMiniObject>(
  schema: S,
  map: TreeMap,
  where: Where,
  report: Report,
): Fields<z.output<S>> | undefined {
  const plain = plainOf(map, (key) => where.kind !== "defaults" && key.startsWith("x-"));
  const result = schema.safeParse(plain);
  if (result.success) {
    return { values: result.data, spans: new Map([...spansOf(map, ""), ...relaySpans(map)]) };
  }
  const known = Object.keys(schema.shape);
  for (const issue of result.error.issues) {
    if (issue.code === "unrecognized_keys") reportUnknownKeys(issue.keys, known, map, where, report);
    else reportIssue(issue, map, where, report);
  }
  return undefined;
}

function relaySpans(map: TreeMap): readonly (readonly [string, Span])[] {
  const relay = mapAt(map, "relay");
  return relay === undefined ? [] : spansOf(relay, "relay.");
}

function spansOf(map: TreeMap, prefix: string): readonly (readonly [string, Span])[] {
  return [...map.entries].map(([key, entry]) => [`${prefix}${key}`, spanOfValue(entry)]);
}

/** `forward "db": `, the start of a message about it. */
export function prefixOf(where: Where): string {
  if (where.kind === "top") return "";
  return where.kind === "defaults" ? "defaults: " : `${where.kind} ${quoted(where.name)}: `;
}

function reportUnknownKeys(
  keys: readonly string[],
  known: readonly string[],
  map: TreeMap,
  where: Where,
  report: Report,
): void {
  const place = where.kind === "top" ? "" : ` in ${prefixOf(where).slice(0, -2)}`;
  for (const key of keys) {
    const isNamed = where.kind === "forward" || where.kind === "top";
    const foreign = isNamed ? foreignKey(key, where.kind) : undefined;
    const forAll = where.kind === "top" && Object.hasOwn(defaultsSchema.shape, key);
    const elsewhere = forAll ? `for all forwards: "defaults: { ${key}: … }"` : undefined;
    const hint = foreign ?? elsewhere ?? suggest(key, known) ?? `known keys: ${known.join(", ")}`;
    const span = map.entries.get(key)?.key ?? map.span;
    report.error({ code: "UnknownKey", message: `unknown key ${quoted(key)}${place}`, hint, span });
  }
}

type Issue = z.core.$ZodIssue;

function reportIssue(issue: Issue, map: TreeMap, where: Where, report: Report): void {
  const at = find(map, issue.path);
  const carried: unknown = issue.code === "custom" ? issue.params?.["carried"] : undefined;
  if (!(carried instanceof CarriedProblem)) {
    report.error({ ...wordsFor(issue, at?.value, where), span: at ? spanOfValue(at) : map.span });
    return;
  }
  reportAt(carried.problem, at, map.span, prefixOf(where), report);
}

/** Reports what the reader of an entry's value told, at the part of it that is meant. */
export function reportProblem(problem: Problem, entry: TreeEntry, prefix: string, report: Report): void {
  const { value } = entry;
  const path = problem.path ?? [];
  const below = path.length > 0 && value.kind !== "scalar" ? findBelow(value, path) : entry;
  reportAt(problem, below ?? entry, entry.key, prefix, report);
}

function reportAt(
  { code, message, hint, part, atKey }: Problem,
  at: TreeEntry | undefined,
  otherwise: Span,
  prefix: string,
  report: Report,
): void {
  let span = at ? spanOfValue(at) : otherwise;
  if (at && atKey) span = at.key;
  else if (at && part && at.value.kind === "scalar") span = spanOfPart(at.value, part);
  report.error({ code, message: `${prefix}${message}`, hint, span });
}

/** The words for what zod itself found; its own text is shown nowhere. */
function wordsFor(issue: Issue, value: Tree | undefined, where: Where) {
  const plain = value === undefined ? undefined : plainOf(value);
  const field = `${prefixOf(where)}${String(issue.path[0] ?? "this")}`;
  if (plain === null || plain === "") return { code: "Empty", message: `${field} is empty` };
  if (issue.code === "invalid_type") {
    const wanted = issue.expected === "boolean" ? "true or false" : "text";
    const needsQuotes = wanted === "text" && (typeof plain === "number" || typeof plain === "boolean");
    const hint = needsQuotes ? "put it in quotes" : undefined;
    return { code: "WrongType", message: `${field} must be ${wanted}, got ${shown(plain)}`, hint };
  }
  // The message of a pattern is our own: fields.ts gives each its rule in words.
  const wanted = issue.code === "invalid_value" ? either(issue.values.map(shown)) : issue.message;
  return { code: "BadValue", message: `${field} must be ${wanted}, got ${shown(plain)}` };
}

/** The entry a path leads to; items of lists have no key and lend themselves as one. */
function find(map: TreeMap, path: readonly PropertyKey[]): TreeEntry | undefined {
  return findBelow(map, path);
}

function findBelow(top: Tree, path: readonly PropertyKey[]): TreeEntry | undefined {
  let found: TreeEntry | undefined;
  let tree = top;
  for (const step of path) {
    if (tree.kind === "map") found = tree.entries.get(String(step));
    else if (tree.kind === "list") {
      const item: Tree | undefined = tree.items[Number(step)];
      found = item && { key: item.span, value: item };
    }
    if (found === undefined) return undefined;
    tree = found.value;
  }
  return found;
}
