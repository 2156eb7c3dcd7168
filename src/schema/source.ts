/** A file's text with its lines known, and places in it. */
import type { PathBase } from "./paths.ts";
import type { SourcePosition } from "./spec.ts";

/** A file as its author sees it. */
export interface Source {
  /** As messages show it: `forwards.yaml`, `../shop/forwards.yaml`. */
  readonly name: string;
  /** Without a byte order mark. */
  readonly text: string;
  /** Offset at which each line starts; the first is 0. */
  readonly lineStarts: readonly number[];
  /** Where relative paths in it start; absent: nowhere. */
  readonly base?: PathBase;
}

/** A stretch of a source: UTF-16 offsets, `end` exclusive, possibly empty. */
export interface Span {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

/** Indexes a text once, in one pass over it. */
export function makeSource(name: string, fileText: string, base?: PathBase): Source {
  const text = withoutByteOrderMark(fileText);
  const lineStarts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) lineStarts.push(at + 1);
  return { name, text, lineStarts, ...(base && { base }) };
}

/** What editors show of a file that starts with a byte order mark: all but the mark. */
export function withoutByteOrderMark(text: string): string {
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

/** Line and column of an offset, both from 1; columns count UTF-16 units, as editors do. */
export function positionAt(
  source: Source,
  offset: number,
): { readonly line: number; readonly column: number } {
  let low = 0;
  let high = source.lineStarts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((source.lineStarts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - (source.lineStarts[low] ?? 0) + 1 };
}

/** The span without what goes beyond its first line; at least one character wide, so that a caret shows it. */
export function firstLineOf(span: Span): Span {
  const { source, start } = span;
  const { line } = positionAt(source, start);
  const lineBreak = (source.lineStarts[line] ?? source.text.length + 1) - 1;
  const lineEnd = source.text[lineBreak - 1] === "\r" ? lineBreak - 1 : lineBreak;
  return { source, start, end: Math.max(start + 1, Math.min(span.end, lineEnd)) };
}

/** Where a span starts, as specs have it. */
export function positionOf({ source, start }: Span): SourcePosition {
  return { file: source.name, ...positionAt(source, start) };
}
