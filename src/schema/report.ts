/** Gathers what is found in a file, so that all of it can be told at once. */
import type { Diagnostic, Place, Texts } from "./diagnostic.ts";
import type { LintRule } from "./lint-rules.ts";
import { visible } from "../printable.ts";
import { firstLineOf, positionAt, type Source, type Span } from "./source.ts";

const SHOWN_MAX = 10;
/** So many are looked through for each error; only the first ten errors are shown. */
const HIDDEN_MAX = 100;

/** A finding at its place in a source. */
export interface Finding {
  readonly code: string;
  readonly rule?: LintRule;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly span: Span;
  readonly related?: { readonly message: string; readonly span: Span };
  /** What cannot be judged before this is mended: other errors in it would be about what nobody wrote. */
  readonly hides?: Span;
}

/** Diagnostics in the order of the file, ten at most; `more` is how many others there are. */
export interface Findings {
  readonly diagnostics: readonly Diagnostic[];
  readonly more: number;
}

/** Grows while files are checked. Two findings that say the same of one place are one. */
export class Report {
  readonly #found: Record<Diagnostic["severity"], Finding[]> = { error: [], warning: [], info: [] };
  readonly #seen = new Set<string>();
  readonly #hidden: Span[] = [];
  readonly #sources = new Map<string, Source>();

  get hasErrors(): boolean {
    return this.#found.error.length > 0;
  }

  /** Whether there are errors, and none of another code. */
  hasErrorsOnly(code: string): boolean {
    return this.hasErrors && this.#found.error.every((finding) => finding.code === code);
  }

  /** The texts of the files, for code frames. */
  get texts(): Texts {
    return new Map([...this.#sources].map(([name, { text }]) => [name, text]));
  }

  /** Makes a file known; findings come in the order in which the files were. */
  addSource(source: Source): void {
    if (!this.#sources.has(source.name)) this.#sources.set(source.name, source);
  }

  error(finding: Finding): void {
    this.#add("error", finding);
  }

  warning(finding: Finding): void {
    this.#add("warning", finding);
  }

  info(finding: Finding): void {
    this.#add("info", finding);
  }

  errors(): Findings {
    return this.#shown("error");
  }

  warnings(): Findings {
    return this.#shown("warning");
  }

  infos(): Findings {
    return this.#shown("info");
  }

  #add(severity: Diagnostic["severity"], finding: Finding): void {
    if (severity !== "error" && this.hasErrors) return; // nobody is told it beside errors
    const { code, message, span } = finding;
    const key = `${severity} ${code} ${span.source.name} ${span.start} ${span.end} ${message}`;
    if (this.#seen.has(key)) return;
    if (finding.hides === undefined && this.#hidden.some((hidden) => isWithin(span, hidden))) return;
    if (finding.hides !== undefined && this.#hidden.length < HIDDEN_MAX) this.#hidden.push(finding.hides);
    this.#seen.add(key);
    this.addSource(span.source);
    this.#found[severity].push(finding);
  }

  #shown(severity: Diagnostic["severity"]): Findings {
    const order = new Map([...this.#sources.keys()].map((name, index) => [name, index]));
    const rank = ({ span }: Finding): number => order.get(span.source.name) ?? 0;
    const sorted = this.#found[severity].toSorted((a, b) => rank(a) - rank(b) || a.span.start - b.span.start);
    const shown = sorted.slice(0, SHOWN_MAX).map((finding) => diagnosticOf(severity, finding));
    return { diagnostics: shown, more: sorted.length - shown.length };
  }
}

function isWithin(span: Span, outer: Span): boolean {
  return span.source.name === outer.source.name && span.start >= outer.start && span.end <= outer.end;
}

function diagnosticOf(severity: Diagnostic["severity"], finding: Finding): Diagnostic {
  const { code, rule, message, hint, related } = finding;
  return {
    severity,
    code,
    ...(rule && { rule }),
    message: visible(message), // whatever of the files or of variables stands in it
    ...(hint !== undefined && { hint: visible(hint) }),
    ...placeOf(finding.span),
    ...(related && { related: { ...placeOf(related.span), message: related.message } }),
  };
}

function placeOf(span: Span): Place {
  const { source, start, end } = firstLineOf(span);
  const { line, column } = positionAt(source, start);
  return { file: source.name, line, column, endColumn: column + (end - start) };
}
