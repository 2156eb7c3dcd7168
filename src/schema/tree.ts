/** The values of a YAML file as plain data that knows where it was written. */
import { isMap, isScalar, isSeq, type ParsedNode, type YAMLMap } from "yaml";
import type { TextPart } from "./problem.ts";
import { findControl, quoted } from "../printable.ts";
import type { Report } from "./report.ts";
import type { Source, Span } from "./source.ts";

export type Tree = TreeScalar | TreeList | TreeMap;

export interface TreeScalar {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
  /** `made`: its characters are not those of the file, a variable having been put in, or it is part of another. */
  readonly style: "plain" | "single" | "double" | "block" | "made";
  /** Quotes included; empty where nothing is written. */
  readonly span: Span;
}

export interface TreeList {
  readonly kind: "list";
  readonly items: readonly Tree[];
  readonly span: Span;
}

export interface TreeMap {
  readonly kind: "map";
  /** In the order of the file; of two equal keys the first. */
  readonly entries: ReadonlyMap<string, TreeEntry>;
  readonly span: Span;
  /** It was written in one line, and takes the place of what it is merged over. */
  readonly compact?: true;
}

export interface TreeEntry {
  readonly key: Span;
  readonly value: Tree;
}

/** Builds the tree of a document that parsed without errors; reports what YAML allows and we do not. */
export function treeOf(node: ParsedNode, source: Source, report: Report): Tree {
  const span = spanOf(node, source);
  if (isMap(node)) return { kind: "map", entries: entriesOf(node, source, report), span };
  if (isSeq(node))
    return { kind: "list", items: node.items.map((item) => treeOf(item, source, report)), span };
  if (!isScalar(node)) return emptyAt(span); // an alias, refused before
  const value = scalarValue(node.value);
  const control = typeof value === "string" ? findControl(value) : undefined;
  if (control !== undefined) {
    report.error({ code: "ControlCharacter", message: `control character ${control.name} in a value`, span });
  }
  return { kind: "scalar", value, style: STYLES.get(node.type ?? "") ?? "plain", span };
}

function entriesOf(map: YAMLMap.Parsed, source: Source, report: Report): ReadonlyMap<string, TreeEntry> {
  const entries = new Map<string, TreeEntry>();
  for (const pair of map.items) {
    const span = spanOf(pair.key, source);
    const key = isScalar(pair.key) ? String(pair.key.value) : "";
    const first = entries.get(key);
    if (key === "<<") {
      const hint = 'write the keys out, or use "defaults"';
      report.error({ code: "MergeKey", message: "merge keys (<<) are not allowed", hint, span });
    } else if (first === undefined) {
      const value = pair.value === null ? emptyAt(span) : treeOf(pair.value, source, report);
      entries.set(key, { key: span, value });
    } else {
      const related = { message: "the first one is here", span: first.key };
      report.error({
        code: "DuplicateKey",
        message: `key ${quoted(key)} stands twice in the same map`,
        span,
        related,
      });
    }
  }
  return entries;
}

const STYLES: ReadonlyMap<string, TreeScalar["style"]> = new Map([
  ["QUOTE_SINGLE", "single"],
  ["QUOTE_DOUBLE", "double"],
  ["BLOCK_LITERAL", "block"],
  ["BLOCK_FOLDED", "block"],
]);

function scalarValue(value: unknown): TreeScalar["value"] {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  return null;
}

function emptyAt(span: Span): TreeScalar {
  return { kind: "scalar", value: null, style: "plain", span: { ...span, start: span.end } };
}

function spanOf(node: ParsedNode, source: Source): Span {
  const [start, end] = node.range;
  return { source, start, end };
}

/** The tree as plain values; maps have no prototype, so that no key is special. Leaves out what `skip` says. */
export function plainOf(tree: Tree, skip: (key: string) => boolean = () => false): unknown {
  if (tree.kind === "scalar") return tree.value;
  if (tree.kind === "list") return tree.items.map((item) => plainOf(item));
  const plain: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of tree.entries) if (!skip(key)) plain[key] = plainOf(entry.value);
  return plain;
}

/** Where the value of an entry stands; where nothing is written, its key. */
export function spanOfValue(entry: TreeEntry): Span {
  const { span } = entry.value;
  return span.start === span.end ? entry.key : span;
}

/** Where a part of a text value stands, if that can be told: text on one line, quoted or not. */
export function spanOfPart(scalar: TreeScalar, part: TextPart): Span {
  const { source, start, end } = scalar.span;
  const written = source.text.slice(start, end);
  const isAsWritten = scalar.style !== "block" && scalar.style !== "made" && !written.includes("\n");
  if (typeof scalar.value !== "string" || !isAsWritten) return scalar.span;
  const quote = scalar.style === "plain" ? 0 : 1;
  let at = quote;
  for (let index = 0; index < part.index && at < written.length;) {
    const unit = unitAt(written, at, scalar.style);
    at += unit.writtenChars;
    index += unit.valueChars;
  }
  let until = at;
  for (let length = 0; length < part.length && until < written.length - quote;) {
    const unit = unitAt(written, until, scalar.style);
    until += unit.writtenChars;
    length += unit.valueChars;
  }
  return { source, start: start + at, end: start + until };
}

const ESCAPE_CHARS: ReadonlyMap<string, number> = new Map([
  ["x", 4],
  ["u", 6],
  ["U", 10],
]);

/** How many characters the next character of a value takes in the file: more than one where it is escaped. */
function unitAt(written: string, at: number, style: TreeScalar["style"]) {
  if (style === "single" && written.startsWith("''", at)) return { writtenChars: 2, valueChars: 1 };
  if (style !== "double" || written[at] !== "\\") return { writtenChars: 1, valueChars: 1 };
  const writtenChars = ESCAPE_CHARS.get(written[at + 1] ?? "") ?? 2;
  const isPair = Number.parseInt(written.slice(at + 2, at + 10), 16) > 0xffff;
  return { writtenChars, valueChars: writtenChars === 10 && isPair ? 2 : 1 };
}

/** The map under a key; undefined when there is none or it is something else. */
export function mapAt(map: TreeMap, key: string): TreeMap | undefined {
  const value = map.entries.get(key)?.value;
  return value?.kind === "map" ? value : undefined;
}

/** Whether it is null: written so, or nothing written at all. */
export function isNothing(tree: Tree): boolean {
  return tree.kind === "scalar" && tree.value === null;
}
