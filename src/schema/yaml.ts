/** YAML text to a tree, within limits that no file can break, and with every complaint in our words. */
import { Composer, Lexer, Parser, type CST, type Document, type ParsedNode } from "yaml";
import { findControl, quoted } from "../printable.ts";
import type { Report } from "./report.ts";
import type { Source, Span } from "./source.ts";
import { treeOf, type TreeMap } from "./tree.ts";
import { Landmarks, reportSyntax } from "./yaml-words.ts";

/** Largest file taken, in bytes of UTF-8. */
export const FILE_MAX_BYTES = 256 * 1024;

/** Deepest nesting taken, the innermost value counted too. The library builds nodes recursively, and Node 20 dies of a few thousand levels. */
const LEVELS_MAX = 64;

/** Most lexer tokens taken: a large file of usual lines has 100 000, one made to be slow many more. */
const TOKENS_MAX = 150_000;

/** What the lexer puts before the text of a plain or block scalar, which may then start with any character. */
const SCALAR_FOLLOWS = "\x1f";

/** Whether the text is larger than {@link FILE_MAX_BYTES}; looks at no more of it than it must. */
export function isTooLarge(text: string): boolean {
  if (text.length > FILE_MAX_BYTES) return true;
  return text.length * 3 > FILE_MAX_BYTES && new TextEncoder().encode(text).length > FILE_MAX_BYTES;
}

/** The map at the top of a file that is not too large; undefined after reporting why there is none. */
export function readYaml(source: Source, report: Report): TreeMap | undefined {
  refuseUnreadable(source, report);
  if (report.hasErrors) return undefined;
  const { tokens, landmarks } = tokenize(source, report);
  if (report.hasErrors) return undefined;
  const node = compose(tokens, landmarks, source, report);
  if (report.hasErrors) return undefined;
  const tree = node && treeOf(node, source, report);
  if (tree?.kind === "map") return tree;
  const isEmpty = tree === undefined || (tree.kind === "scalar" && tree.value === null);
  const message = isEmpty ? "the file is empty" : 'the file must be a map with the key "forwards"';
  const span = tree?.span ?? { source, start: 0, end: 0 };
  report.error({ code: isEmpty ? "EmptyFile" : "NotAMap", message, hint: FIRST_LINES, span });
  return undefined;
}

const FIRST_LINES = 'forwards: { api: "8080:svc/api:http" }';

/** Of so many characters at the start of a file, UTF-16 makes nearly half NULs. */
const SAMPLE_CHARS = 200;

function looksLikeUtf16(text: string): boolean {
  const sample = text.slice(0, SAMPLE_CHARS);
  return sample.replaceAll("\0", "").length < sample.length * 0.7;
}

function refuseUnreadable(source: Source, report: Report): void {
  if (looksLikeUtf16(source.text)) {
    const message = "the file is not valid UTF-8: it looks like UTF-16";
    const span = { source, start: 0, end: 0 };
    report.error({ code: "NotUtf8", message, hint: "save it as UTF-8", span });
    return;
  }
  const replaced = source.text.indexOf("\ufffd");
  if (replaced !== -1) {
    const span = { source, start: replaced, end: replaced + 1 };
    report.error({ code: "NotUtf8", message: "the file is not valid UTF-8", hint: "save it as UTF-8", span });
  }
  const control = findControl(source.text);
  if (control !== undefined) {
    const span = { source, start: control.index, end: control.index + 1 };
    report.error({
      code: "ControlCharacter",
      message: `control character ${control.name} in the file`,
      span,
    });
  }
}

interface Tokens {
  readonly tokens: readonly CST.Token[];
  readonly landmarks: Landmarks;
}

/** Lexes and parses step by step, neither of which recurses with depth, and stops at the first level too deep. */
function tokenize(source: Source, report: Report): Tokens {
  const tokens: CST.Token[] = [];
  const parser = new Parser();
  const landmarks = new Landmarks();
  let before = "";
  let count = 0;
  for (const lexeme of new Lexer().lex(source.text)) {
    const span = { source, start: parser.offset, end: parser.offset + lexeme.length };
    if (before !== SCALAR_FOLLOWS) {
      refuseFeature(lexeme, span, report);
      landmarks.pass(lexeme, span.start);
    }
    before = lexeme;
    for (const token of parser.next(lexeme)) tokens.push(token);
    count++;
    if (parser.stack.length - 1 > LEVELS_MAX) {
      report.error({ code: "TooDeep", message: `the file is nested deeper than ${LEVELS_MAX} levels`, span });
      break;
    }
    if (count > TOKENS_MAX) {
      report.error({ code: "TooLarge", message: `the file holds more than ${TOKENS_MAX} YAML tokens`, span });
      break;
    }
  }
  if (report.hasErrors) return { tokens: [], landmarks };
  for (const token of parser.end()) tokens.push(token);
  return { tokens, landmarks };
}

/** What YAML has and we do not, by the character it starts with. */
const REFUSED: ReadonlyMap<string, { readonly code: string; readonly what: string; readonly hint?: string }> =
  new Map([
    [
      "&",
      { code: "Anchor", what: "anchors", hint: 'write the value out where it is used, or use "defaults"' },
    ],
    ["*", { code: "Alias", what: "aliases", hint: 'write the value out, or quote it if it starts with "*"' }],
    ["!", { code: "Tag", what: "tags", hint: 'quote the value if it starts with "!"' }],
    ["%", { code: "Directive", what: "directives", hint: "remove the line" }],
  ]);

function refuseFeature(lexeme: string, span: Span, report: Report): void {
  const refused = REFUSED.get(lexeme[0] ?? "");
  if (refused === undefined) return;
  const { code, what, hint } = refused;
  report.error({ code, message: `YAML ${what} are not allowed, got ${quoted(lexeme)}`, hint, span });
}

function compose(
  tokens: readonly CST.Token[],
  landmarks: Landmarks,
  source: Source,
  report: Report,
): ParsedNode | undefined {
  const [, second] = tokens.filter((token) => token.type === "document");
  if (second !== undefined) {
    const span = { source, start: second.offset, end: second.offset + 3 };
    const message = "the file holds more than one YAML document";
    report.error({ code: "SeveralDocuments", message, hint: "give each a file of its own", span });
    return undefined;
  }
  let node: ParsedNode | undefined;
  for (const document of documentsOf(tokens, source)) {
    reportSyntax([...document.errors, ...document.warnings], landmarks, source, report);
    node ??= document.contents ?? undefined;
  }
  return node;
}

/** The library makes an Error of each complaint; the stack traces of 100 000 of them would take half a second. */
function documentsOf(tokens: readonly CST.Token[], source: Source): readonly Document.Parsed[] {
  const composer = new Composer({
    version: "1.2",
    stringKeys: true,
    uniqueKeys: false,
    resolveKnownTags: false,
  });
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return [...composer.compose(tokens, true, source.text.length)];
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
