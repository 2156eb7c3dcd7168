/** What the YAML library complains about, in our words. */
import type { ErrorCode, YAMLError } from "yaml";
import { positionAt, type Source } from "./source.ts";
import { quoted } from "../printable.ts";
import type { Report } from "./report.ts";

/** Reports errors and warnings alike: the first of each line, since one mistake draws others after it. */
export function reportSyntax(
  errors: readonly YAMLError[],
  landmarks: Landmarks,
  source: Source,
  report: Report,
): void {
  const linesTold = new Set<number>();
  const brokenKeys = new Set<number>();
  for (const error of errors) if (error.code === "MULTILINE_IMPLICIT_KEY") brokenKeys.add(error.pos[0]);
  for (const error of errors) {
    if (error.code === "UNEXPECTED_TOKEN" && linesTold.size > 0) continue; // the parser is lost by now
    const missed = Math.min(error.pos[0], source.text.length);
    const { line } = positionAt(source, missed);
    if (linesTold.has(line)) continue;
    linesTold.add(line);
    const tab = tabInIndentation(source, line);
    const words = tab === undefined ? wordsFor(error, brokenKeys, source) : TAB;
    const start = openedAt(words, landmarks) ?? indentedAt(source, missed);
    const span = tab ?? { source, start, end: Math.max(error.pos[1], start + 1) };
    report.error({ code: "InvalidYaml", message: `invalid YAML: ${words.message}`, hint: words.hint, span });
  }
}

/** What the lexer says where a line is indented too little to be inside brackets. */
const FLOW_BROKEN_OFF = "\x18";

/** Where quotes and brackets were opened: the library tells only where it missed their end. */
export class Landmarks {
  #brackets: number[] = [];
  #unclosedBracket: number | undefined;
  #lastQuote = 0;

  /** Takes note of a lexer token that is not the text of a plain or block scalar. */
  pass(lexeme: string, offset: number): void {
    const first = lexeme[0] ?? "";
    if (first === '"' || first === "'") this.#lastQuote = offset;
    else if (lexeme === "[" || lexeme === "{") this.#brackets.push(offset);
    else if (lexeme === "]" || lexeme === "}") this.#brackets.pop();
    else if (lexeme === FLOW_BROKEN_OFF) {
      this.#unclosedBracket ??= this.#brackets.at(-1);
      this.#brackets = [];
    }
  }

  /** An unclosed quote takes the rest of the file, so it is the last one. */
  get unclosedQuote(): number {
    return this.#lastQuote;
  }

  get unclosedBracket(): number | undefined {
    return this.#unclosedBracket ?? this.#brackets.at(-1);
  }
}

interface Words {
  readonly message: string;
  readonly hint?: string;
}

const NO_COLON = {
  message: 'a key must be followed by ": " on the same line',
  hint: 'write "key: value"',
};
const OPEN_QUOTE = { message: "this quote is never closed" };
const OPEN_MAP = { message: 'this "{" is never closed' };
const OPEN_LIST = { message: 'this "[" is never closed' };
const TAB = { message: "tabs are not allowed as indentation", hint: "indent with spaces" };

/** By the library's code; what is not here is never met, since it is refused before or switched off. */
const WORDS: Partial<Record<ErrorCode, Words>> = {
  TAB_AS_INDENT: TAB,
  BAD_INDENT: { message: "the indentation of this line fits no line above it" },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a value that contains ": " must be quoted',
    hint: "put the value in double quotes",
  },
  MULTILINE_IMPLICIT_KEY: NO_COLON,
  KEY_OVER_1024_CHARS: { message: "a key is longer than 1024 characters" },
  MISSING_CHAR: NO_COLON,
  UNEXPECTED_TOKEN: {
    message: "this cannot stand here",
    hint: "if it is part of a value, put the whole value in quotes",
  },
  BAD_SCALAR_START: { message: "a value that starts with this character must be quoted" },
  BAD_DQ_ESCAPE: {
    message: "unknown escape in double quotes",
    hint: "write a backslash as \\\\, or use single quotes",
  },
  BLOCK_IN_FLOW: { message: 'a "," is missing in these brackets, or a value with ": " is not quoted' },
  NON_STRING_KEY: { message: "a key must be text, not a list or a map" },
};

/**
 * Where one code covers several mistakes the library's text is the only evidence. It is matched, never shown;
 * a text that changes falls back to the words of its code.
 */
const FINER: readonly (readonly [code: ErrorCode, text: RegExp, words: Words])[] = [
  ["BAD_INDENT", /^Flow map/, OPEN_MAP],
  ["BAD_INDENT", /^Flow sequence/, OPEN_LIST],
  ["BAD_INDENT", /^Block scalar/, { message: "the text after | or > must be indented deeper than its key" }],
  ["MISSING_CHAR", /^Flow map/, OPEN_MAP],
  ["MISSING_CHAR", /^Flow sequence/, OPEN_LIST],
  ["MISSING_CHAR", /^Missing closing/, OPEN_QUOTE],
  ["MISSING_CHAR", /^Missing , /, { message: 'a "," is missing between two items' }],
  ["MISSING_CHAR", /^Comments must/, { message: 'a comment needs a space before its "#"' }],
  ["MISSING_CHAR", /^Sequence item/, { message: 'a list item must start with "- "' }],
  ["MISSING_CHAR", /^Block collection/, { message: 'nothing may follow "---" on its line' }],
  ["UNEXPECTED_TOKEN", /flow-(?:map|seq)-end/, { message: "this bracket closes nothing" }],
  ["UNEXPECTED_TOKEN", /^Unexpected (?:,|empty item)/, { message: 'an item is missing before this ","' }],
  ["UNEXPECTED_TOKEN", /^Block scalar header/, { message: "only a digit, + or - may follow | or >" }],
  [
    "BLOCK_AS_IMPLICIT_KEY",
    /^A block sequence/,
    { message: "a list item cannot stand between the keys of a map" },
  ],
];

/** For something that is never closed: where it was opened. */
function openedAt(words: Words, landmarks: Landmarks): number | undefined {
  if (words === OPEN_QUOTE) return landmarks.unclosedQuote;
  return words === OPEN_MAP || words === OPEN_LIST ? landmarks.unclosedBracket : undefined;
}

/** The first character of the line for an offset in the blanks before it. */
function indentedAt(source: Source, offset: number): number {
  let at = offset;
  while (source.text[at] === " ") at++;
  return at;
}

function wordsFor(error: YAMLError, brokenKeys: ReadonlySet<number>, source: Source): Words {
  const at = error.pos[0];
  if (error.code === "BLOCK_AS_IMPLICIT_KEY" && brokenKeys.has(at)) {
    return { message: "this key has a value already, but the next line is indented as if it belonged to it" };
  }
  if (error.code === "BAD_SCALAR_START") {
    const first = quoted(source.text[at] ?? "");
    return { message: `a value that starts with ${first} must be quoted` };
  }
  const finer = FINER.find(([code, text]) => code === error.code && text.test(error.message));
  return finer?.[2] ?? WORDS[error.code] ?? { message: "it cannot be read from here on" };
}

/** A tab before the first character of the line: the likeliest cause of whatever else is said of the line. */
function tabInIndentation(
  source: Source,
  line: number,
): { source: Source; start: number; end: number } | undefined {
  const lineStart = source.lineStarts[line - 1] ?? 0;
  const blank = /^[ \t]*/.exec(source.text.slice(lineStart, lineStart + 200))?.[0] ?? "";
  const tab = blank.indexOf("\t");
  return tab === -1 ? undefined : { source, start: lineStart + tab, end: lineStart + tab + 1 };
}
