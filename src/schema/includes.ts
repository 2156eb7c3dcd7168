/** `include`: forwards of other files, each resolved by itself before it is laid under the file that names it. */
import { FORWARD_NAME } from "./fields.ts";
import { reportProblem } from "./field-check.ts";
import type { FileText } from "./layer.ts";
import { mergeForwards, mergeMaps } from "./mergetree.ts";
import { quoted, shown } from "../printable.ts";
import type { Fail } from "./problem.ts";
import { anyText, Fielded, flag, listOf, textLike } from "./readers.ts";
import type { Report } from "./report.ts";
import { placeText } from "./diagnostic.ts";
import { positionOf, type Span } from "./source.ts";
import { suggest } from "../suggest.ts";
import { isNothing, mapAt, plainOf, spanOfValue, type TreeEntry, type TreeMap } from "./tree.ts";

/** What became of a path that a file includes. */
export type IncludeAnswer =
  | { readonly kind: "file"; readonly file: FileText }
  | { readonly kind: "missing" }
  | { readonly kind: "refused"; readonly why: string; readonly hint?: string };

/** Finds and reads a file that another one includes. */
export type IncludeReader = (path: string, from: FileText) => IncludeAnswer;

interface Wanted {
  readonly path: string;
  readonly prefix?: string | undefined;
  readonly only?: readonly string[] | undefined;
  readonly optional: boolean;
  readonly at: Span;
}

const DEPTH_MAX = 5;
const FILES_MAX = 100;

/** A file with its own includes, environment and defaults in it: maps `forwards` and `ranges`. */
export type Resolve = (file: FileText, chain: readonly FileText[]) => TreeMap | undefined;

/** Follows the includes of all files of a project. */
export class Includes {
  readonly #read: IncludeReader;
  readonly #resolve: Resolve;
  readonly #report: Report;
  #count = 0;

  constructor(read: IncludeReader, resolve: Resolve, report: Report) {
    this.#read = read;
    this.#resolve = resolve;
    this.#report = report;
  }

  /** What the files of an `include` hold together; undefined when there are none. `chain` ends with who includes. */
  collect(entry: TreeEntry | undefined, chain: readonly FileText[]): TreeMap | undefined {
    if (entry === undefined || isNothing(entry.value)) return undefined;
    let all: TreeMap | undefined;
    for (const wanted of this.#wanted(entry)) {
      const found = this.#follow(wanted, chain);
      if (found === undefined) continue;
      const renamed = this.#chosen(found, wanted);
      if (all !== undefined) this.#reportClashes(all, renamed);
      all = all === undefined ? renamed : this.#joined(all, renamed);
    }
    return all;
  }

  #wanted(entry: TreeEntry): readonly Wanted[] {
    const { value } = entry;
    const items: readonly TreeEntry[] =
      value.kind === "list"
        ? value.items.map((item) => ({ key: item.span, value: item }))
        : [{ key: entry.key, value }];
    return items.flatMap((item) => {
      const read = readWanted(plainOf(item.value), (problem) =>
        reportProblem(problem, item, "include: ", this.#report),
      );
      const path = item.value.kind === "map" ? item.value.entries.get("path") : item;
      return read ? [{ ...read, at: spanOfValue(path ?? item) }] : [];
    });
  }

  #follow(wanted: Wanted, chain: readonly FileText[]): TreeMap | undefined {
    const from = chain.at(-1);
    if (from === undefined) return undefined;
    const refuse = (code: string, message: string, hint?: string): undefined => {
      this.#report.error({ code, message, hint, span: wanted.at });
    };
    if (/^[a-z][a-z0-9+.-]+:/i.test(wanted.path) && !wanted.path.startsWith("pkg:")) {
      const message = `cannot include ${quoted(wanted.path)}: only files of this project and of its packages`;
      return refuse("BadInclude", message, "include: pkg:@acme/ports/forwards.yaml");
    }
    const answer = this.#read(wanted.path, from);
    if (answer.kind === "missing") {
      if (wanted.optional) return undefined;
      const message = `included file ${quoted(wanted.path)} not found`;
      return refuse(
        "IncludeMissing",
        message,
        `{ path: ${wanted.path}, optional: true } where it may be missing`,
      );
    }
    if (answer.kind === "refused") {
      return refuse("BadInclude", `cannot include ${quoted(wanted.path)}: ${answer.why}`, answer.hint);
    }
    const { file } = answer;
    const again = chain.findIndex(({ path }) => path === file.path);
    if (again !== -1) {
      const names = [...chain.slice(again), file].map(({ name }) => name);
      return refuse("IncludeCycle", `include cycle ${names.join(" → ")}`);
    }
    if (chain.length > DEPTH_MAX)
      return refuse("BadInclude", `includes are nested deeper than ${DEPTH_MAX} files`);
    this.#count++;
    if (this.#count > FILES_MAX) return refuse("BadInclude", `more than ${FILES_MAX} files are included`);
    return this.#resolve(file, [...chain, file]);
  }

  /** The forwards that are wanted, under the names that are wanted. */
  #chosen(found: TreeMap, { prefix = "", only, at }: Wanted): TreeMap {
    const forwards = mapAt(found, "forwards")?.entries ?? new Map<string, TreeEntry>();
    const chosen = new Map<string, TreeEntry>();
    for (const name of only ?? []) {
      if (forwards.has(name)) continue;
      const hint = suggest(name, [...forwards.keys()]) ?? `known: ${[...forwards.keys()].join(", ")}`;
      const message = `the included file has no forward ${quoted(name)}`;
      this.#report.error({ code: "IncludeMissing", message, hint, span: at });
    }
    for (const [name, entry] of forwards) {
      if (only !== undefined && !only.includes(name)) continue;
      const renamed = `${prefix}${name}`;
      if (FORWARD_NAME.test(renamed)) chosen.set(renamed, entry);
      else {
        const message = `${quoted(renamed)} cannot be the name of a forward: shorten the prefix`;
        this.#report.error({ code: "BadName", message, span: at });
      }
    }
    const entries = new Map(found.entries);
    entries.set("forwards", { key: at, value: { kind: "map", entries: chosen, span: at } });
    return { ...found, entries };
  }

  #reportClashes(one: TreeMap, other: TreeMap): void {
    const [first, second] = [mapAt(one, "forwards"), mapAt(other, "forwards")];
    for (const [name, entry] of second?.entries ?? []) {
      const before = first?.entries.get(name);
      if (before === undefined || isSamePlace(before.key, entry.key)) continue;
      const places = [before, entry].map(({ key }) => placeText(positionOf(key)).replace(/:[0-9]+$/, ""));
      const message = `${quoted(name)} is defined in ${places.join(" and ")}`;
      const related = { message: "and here", span: entry.key };
      const hint = "include one of them with a prefix: { path: …, prefix: other- }";
      this.#report.error({ code: "IncludeClash", message, hint, span: before.key, related });
    }
  }

  #joined(under: TreeMap, over: TreeMap): TreeMap {
    const merged = mergeMaps(under, over);
    const [first, second] = [mapAt(under, "forwards"), mapAt(over, "forwards")];
    if (first === undefined || second === undefined) return merged;
    const entries = new Map(merged.entries);
    entries.set("forwards", { key: first.span, value: mergeForwards(first, second) });
    return { ...merged, entries };
  }
}

/** One file that is reached on two ways is no clash. */
function isSamePlace(a: Span, b: Span): boolean {
  return a.source.name === b.source.name && a.start === b.start;
}

const PREFIX = /^[a-z][a-z0-9-]{0,38}$/;

function readWanted(value: unknown, fail: Fail): Omit<Wanted, "at"> | undefined {
  if (typeof value === "string" && value !== "") return { path: value, optional: false };
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const message = `it must be a path or a map with a path, got ${shown(value)}`;
    fail({ code: "WrongType", message, hint: "include: [../platform/forwards.yaml]" });
    return undefined;
  }
  const map = Fielded.open("include", value, fail);
  const path = map?.read("path", anyText("path"));
  const prefixRule = 'lowercase letters, digits and "-", starting with a letter';
  const prefix = map?.read(
    "prefix",
    textLike("prefix", (text) => PREFIX.test(text), prefixRule),
  );
  const only = map?.read("only", listOf("only", anyText("a name of only"), "alone"));
  const optional = map?.read("optional", flag("optional")) ?? false;
  if (!map?.isGood()) return undefined;
  if (path !== undefined) return { path, prefix, only, optional };
  fail({ code: "Empty", message: "path is missing", hint: "{ path: ../platform/forwards.yaml }" });
  return undefined;
}
