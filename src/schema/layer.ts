/** One file of a project: its text as a tree, and that tree brought into the one form in which files are merged. */
import { readCompact } from "./compact.ts";
import { prefixOf, type Where } from "./field-check.ts";
import { FORWARD_NAME, FORWARD_NAME_RULE } from "./fields.ts";
import type { Variables } from "./interpolation.ts";
import type { PathBase } from "./paths.ts";
import { quoted, shown } from "../printable.ts";
import type { Report } from "./report.ts";
import { makeSource, type Source, type Span } from "./source.ts";
import {
  isNothing,
  mapAt,
  plainOf,
  spanOfPart,
  spanOfValue,
  type TreeEntry,
  type TreeMap,
  type TreeScalar,
} from "./tree.ts";
import { FILE_MAX_BYTES, isTooLarge, readYaml } from "./yaml.ts";

/** A file as it was read, with what is around it. */
export interface FileText extends PathBase {
  /** As messages show it, relative to where the user stands. */
  readonly name: string;
  /** Absolute, symlinks resolved; null for standard input. */
  readonly path: string | null;
  readonly text: string;
  readonly variables: Variables;
  /** The folder that relative paths of kubeconfigs must not leave; absent: no such limit. */
  readonly root?: string;
}

/** Where a file stands among those that are merged. */
export type Role = "include" | "base" | "override" | "local";

/** A file whose text is YAML. */
export interface Layer {
  readonly role: Role;
  readonly file: FileText;
  readonly source: Source;
  readonly tree: TreeMap;
}

/** The file's tree; undefined after reporting why there is none. */
export function readLayer(file: FileText, role: Role, report: Report): Layer | undefined {
  if (isTooLarge(file.text)) {
    const span = { source: makeSource(file.name, ""), start: 0, end: 0 };
    const message = `the file is larger than ${FILE_MAX_BYTES / 1024} KiB`;
    report.error({ code: "TooLarge", message, span });
    return undefined;
  }
  const source = makeSource(file.name, file.text, file);
  report.addSource(source);
  const tree = readYaml(source, report);
  return tree && { role, file, source, tree };
}

/** Keys of a file that are short for the same key of `defaults`. */
export const FILE_SHORTHANDS = ["context", "namespace", "kubeconfig", "followContext", "relay"] as const;
/** The same of an environment. */
export const ENVIRONMENT_SHORTHANDS = ["context", "namespace", "kubeconfig"] as const;

/** The map with what is short for `defaults` moved there; reports what is said in both places. */
export function withDefaults(
  map: TreeMap,
  shorthands: readonly (typeof FILE_SHORTHANDS)[number][],
  report: Report,
): TreeMap {
  const defaults = new Map(mapAt(map, "defaults")?.entries);
  const place =
    shorthands.length === FILE_SHORTHANDS.length ? "at the top of the file" : "in the environment";
  let moved = false;
  for (const field of shorthands) {
    const entry = map.entries.get(field);
    if (entry === undefined) continue;
    const twice = defaults.get(field);
    if (twice !== undefined) {
      const related = { message: "and here", span: spanOfValue(twice) };
      const message = `${field} is given twice: ${place} and in defaults`;
      report.error({ code: "GivenTwice", message, span: spanOfValue(entry), related });
    }
    defaults.set(field, entry);
    moved = true;
  }
  if (!moved) return map;
  const entries = new Map(map.entries);
  for (const field of shorthands) entries.delete(field);
  const key = map.entries.get("defaults")?.key ?? map.span;
  entries.set("defaults", { key, value: { kind: "map", entries: defaults, span: key } });
  return { ...map, entries };
}

const FORWARDS_HINT = 'forwards: { api: "8080:svc/api:http" }';

/** The forwards of a map, each a map or null, under names that they may have. */
export function forwardsOf(entry: TreeEntry, report: Report): TreeMap | undefined {
  const { value } = entry;
  if (value.kind !== "map") {
    const empty = { code: "NoForwards", message: "forwards is empty" };
    const wrong = {
      code: "WrongType",
      message: `forwards must be a map of names, got ${shown(plainOf(value))}`,
    };
    const finding = isNothing(value) ? empty : wrong;
    report.error({ ...finding, hint: FORWARDS_HINT, span: spanOfValue(entry) });
    return undefined;
  }
  const entries = new Map<string, TreeEntry>();
  for (const [name, forward] of value.entries) {
    if (!FORWARD_NAME.test(name)) {
      const hint = `a name is ${FORWARD_NAME_RULE}`;
      const message = `${quoted(name)} cannot be the name of a forward`;
      report.error({ code: "BadName", message, hint, span: forward.key });
      continue;
    }
    const expanded = expandedForward(forward, { kind: "forward", name }, report);
    if (expanded !== undefined) entries.set(name, expanded);
  }
  return { kind: "map", entries, span: value.span };
}

function expandedForward(entry: TreeEntry, where: Where, report: Report): TreeEntry | undefined {
  const { value } = entry;
  if (value.kind === "map" || isNothing(value)) return entry;
  if (value.kind === "scalar" && typeof value.value === "string") {
    const map = expandedCompact(value, value.value, where, report);
    return map && { key: entry.key, value: map };
  }
  const message = `${prefixOf(where)}it must be text or a map, got ${shown(plainOf(value))}`;
  report.error({ code: "WrongType", message, hint: 'as in "8080:svc/api:http"', span: spanOfValue(entry) });
  return undefined;
}

/** A forward in one line as the map that says the same; each value has the place of its characters. */
function expandedCompact(
  scalar: TreeScalar,
  text: string,
  where: Where,
  report: Report,
): TreeMap | undefined {
  const compact = readCompact(text, ({ code, message, hint, part }) => {
    const span = part === undefined ? scalar.span : spanOfPart(scalar, part);
    report.error({ code, message: `${prefixOf(where)}${message}`, hint, span });
  });
  if (compact === undefined) return undefined;
  const pieces = Object.entries(compact).flatMap(([field, piece]) => {
    if (piece === undefined) return [];
    const { index, length } = piece.part;
    const span = spanOfPart(scalar, piece.part);
    return [[field, madeEntry(text.slice(index, index + length), span)] as const];
  });
  return { kind: "map", entries: new Map(pieces), span: scalar.span, compact: true };
}

function madeEntry(value: string, span: Span): TreeEntry {
  return { key: span, value: { kind: "scalar", value, style: "made", span } };
}
