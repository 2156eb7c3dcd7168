/** What is wrong in a file, where, and how it looks on paper. */
import { visible } from "../printable.ts";
import type { LintRule } from "./lint-rules.ts";
import { withoutByteOrderMark } from "./source.ts";

/** Where in a file; lines and columns count from 1 in UTF-16 units, `endColumn` is exclusive and on the same line. */
export interface Place {
  /** As it was named to the parser. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endColumn: number;
}

/** One finding. An error stops the file from being used; a warning does not, and `info` is for `check` alone. */
export interface Diagnostic extends Place {
  readonly severity: "error" | "warning" | "info";
  /** Stable: `UnknownKey`, which is `KFWD_UNKNOWN_KEY` under `--json`. */
  readonly code: string;
  /** The lint that found it, whose level `lint:` of the file may change. */
  readonly rule?: LintRule;
  /** One line, nothing invisible in it. */
  readonly message: string;
  /** What to do: one sentence or one line of YAML. */
  readonly hint?: string;
  /** A second place that belongs to it: the first of two equal keys. */
  readonly related?: RelatedPlace;
}

/** `message` says what stands there: `"api" is here`. */
export interface RelatedPlace extends Place {
  readonly message: string;
}

/** One line of a shown diagnostic; `kind` lets a renderer choose colours. */
export interface FrameLine {
  readonly kind: "title" | "place" | "context" | "focus" | "caret" | "hint";
  readonly text: string;
}

const CODE_MAX_CHARS = 100;

/** How much of a long line is shown in front of the part that is meant. */
const LEAD_CHARS = Math.floor(CODE_MAX_CHARS / 3);

/** Texts of files by the name that messages give them. */
export type Texts = ReadonlyMap<string, string>;

/** The diagnostic as text: title, place, code frame, hint. `texts` has the files it speaks of. */
export function formatDiagnostic(
  diagnostic: Diagnostic,
  texts: Texts,
  paint: (line: FrameLine) => string = plain,
): string {
  return frameLines(diagnostic, texts).map(paint).join("\n");
}

function plain(line: FrameLine): string {
  return line.text;
}

/** Several diagnostics with blank lines between them, and how many others there are. */
export function formatDiagnostics(
  diagnostics: readonly Diagnostic[],
  more: number,
  texts: Texts,
  paint: (line: FrameLine) => string = plain,
): string {
  const parts = diagnostics.map((diagnostic) => formatDiagnostic(diagnostic, texts, paint));
  return [...parts, ...(more > 0 ? [`and ${more} more`] : [])].join("\n\n");
}

/** The lines of {@link formatDiagnostic}, each with its kind. No line is wider than about 110 columns but by its file name. */
export function frameLines(diagnostic: Diagnostic, texts: Texts): readonly FrameLine[] {
  const lines: FrameLine[] = [
    { kind: "title", text: `${diagnostic.severity}: ${diagnostic.message}` },
    { kind: "place", text: `  ${placeText(diagnostic)}` },
    ...codeFrame(diagnostic, texts),
  ];
  const { related } = diagnostic;
  if (related !== undefined) {
    lines.push({ kind: "place", text: `  ${placeText(related)}: ${related.message}` });
    lines.push(...codeFrame(related, texts));
  }
  if (diagnostic.hint !== undefined) lines.push({ kind: "hint", text: `hint: ${diagnostic.hint}` });
  return lines;
}

/** `forwards.yaml:9:5` */
export function placeText(place: Pick<Place, "file" | "line" | "column">): string {
  return `${visible(place.file)}:${place.line}:${place.column}`;
}

/** The line before, the line itself and a row of carets; nothing when the text has no such line. */
function codeFrame(place: Place, texts: Texts): readonly FrameLine[] {
  const text = withoutByteOrderMark(texts.get(place.file) ?? "");
  const focus = lineOf(text, place.line);
  if (focus === undefined || text.length === 0) return [];
  const digits = String(place.line).length;
  const before = place.line > 1 ? lineOf(text, place.line - 1) : undefined;
  const { left, marked, right } = narrowed(cutAround(focus, place.column - 1, place.endColumn - 1));
  const carets = " ".repeat(widthOf(left)) + "^".repeat(Math.max(1, widthOf(marked)));
  const lines: FrameLine[] = [
    { kind: "focus", text: ` > ${place.line} | ${left}${marked}${right}`.trimEnd() },
    { kind: "caret", text: `   ${" ".repeat(digits)} | ${carets}` },
  ];
  if (before === undefined || before.trim() === "") return lines;
  const number = String(place.line - 1).padStart(digits);
  return [
    { kind: "context", text: `   ${number} | ${headOf(cutEnd(before), CODE_MAX_CHARS + 1)}`.trimEnd() },
    ...lines,
  ];
}

/** The text of a line, counted from 1, without its line break. */
function lineOf(text: string, line: number): string | undefined {
  let start = 0;
  for (let skip = 1; skip < line; skip++) {
    const end = text.indexOf("\n", start);
    if (end === -1) return undefined;
    start = end + 1;
  }
  const end = text.indexOf("\n", start);
  return text.slice(start, end === -1 ? text.length : end).replace(/\r$/, "");
}

interface Parts {
  readonly left: string;
  readonly marked: string;
  readonly right: string;
}

/** A line in three parts, the middle one between `start` and `end`; a long line loses what is far from the middle. */
function cutAround(line: string, start: number, end: number): Parts {
  const from = Math.max(0, Math.min(start - LEAD_CHARS, line.length - CODE_MAX_CHARS));
  const to = from + CODE_MAX_CHARS;
  return {
    left: (from > 0 ? "…" : "") + printable(line.slice(from, start)),
    marked: printable(line.slice(start, Math.min(end, to))),
    right: cutEnd(line.slice(Math.min(end, to)), Math.max(0, to - end)),
  };
}

/** The same once more for a line that became long when what is invisible in it was written out. */
function narrowed(parts: Parts): Parts {
  const { left, marked, right } = parts;
  const ellipses = 2;
  if (widthOf(left + marked + right) <= CODE_MAX_CHARS + ellipses) return parts;
  const lead = widthOf(left) <= LEAD_CHARS ? left : `…${Array.from(left).slice(-LEAD_CHARS).join("")}`;
  const room = CODE_MAX_CHARS - LEAD_CHARS;
  const rest = Math.max(0, room - widthOf(marked));
  return { left: lead, marked: headOf(marked, room), right: rest === 0 ? "" : headOf(right, rest) };
}

function headOf(text: string, maxChars: number): string {
  const chars = Array.from(text);
  return chars.length <= maxChars ? text : `${chars.slice(0, maxChars).join("")}…`;
}

function cutEnd(text: string, maxChars = CODE_MAX_CHARS): string {
  return text.length <= maxChars ? printable(text) : `${printable(text.slice(0, maxChars))}…`;
}

/** A tab becomes one arrow: it stays seen, and the caret stays under its character. */
function printable(text: string): string {
  return visible(text.replaceAll("\t", "→"));
}

/** Columns on a terminal, one for each character. */
function widthOf(text: string): number {
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, "x").length;
}
