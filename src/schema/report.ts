/** Gathers what is found in a file, so that all of it can be told at once. */
import type { Diagnostic, Place } from "./diagnostic.ts";
import { firstLineOf, positionAt, type Span } from "./source.ts";

const SHOWN_MAX = 10;

/** A finding at its place in a source. */
export interface Finding {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly span: Span;
  readonly related?: { readonly message: string; readonly span: Span };
}

/** Diagnostics in the order of the file, ten at most; `more` is how many others there are. */
export interface Findings {
  readonly diagnostics: readonly Diagnostic[];
  readonly more: number;
}

/** Grows while a file is checked. */
export class Report {
  readonly #errors: Finding[] = [];
  readonly #warnings: Finding[] = [];

  get hasErrors(): boolean {
    return this.#errors.length > 0;
  }

  error(finding: Finding): void {
    this.#errors.push(finding);
  }

  warning(finding: Finding): void {
    this.#warnings.push(finding);
  }

  errors(): Findings {
    return shownOf("error", this.#errors);
  }

  warnings(): Findings {
    return shownOf("warning", this.#warnings);
  }
}

function shownOf(severity: Diagnostic["severity"], findings: readonly Finding[]): Findings {
  const sorted = findings.toSorted((a, b) => a.span.start - b.span.start);
  const shown = sorted.slice(0, SHOWN_MAX).map((finding) => diagnosticOf(severity, finding));
  return { diagnostics: shown, more: sorted.length - shown.length };
}

function diagnosticOf(severity: Diagnostic["severity"], finding: Finding): Diagnostic {
  const { code, message, hint, related } = finding;
  return {
    severity,
    code,
    message,
    ...(hint !== undefined && { hint }),
    ...placeOf(finding.span),
    ...(related && { related: { ...placeOf(related.span), message: related.message } }),
  };
}

function placeOf(span: Span): Place {
  const { source, start, end } = firstLineOf(span);
  const { line, column } = positionAt(source, start);
  return { file: source.name, line, column, endColumn: column + (end - start) };
}
