/** Findings as GitHub Actions reads them off a job's output, to show them at their lines in a pull request. */
import { visible } from "../../printable.ts";
import type { Diagnostic } from "../../schema/diagnostic.ts";

const COMMANDS = { error: "error", warning: "warning", info: "notice" } as const;

/** One line of output; `path` is the file's, relative to the repository. */
export function annotationOf(finding: Diagnostic, path: string): string {
  const { severity, line, column, endColumn, code, message, hint } = finding;
  const place = [`file=${property(path)}`, `line=${line}`, `col=${column}`, `endColumn=${endColumn}`];
  const text = hint === undefined ? visible(message) : `${visible(message)}\nhint: ${visible(hint)}`;
  return `::${COMMANDS[severity]} ${place.join(",")},title=${property(code)}::${data(text)}`;
}

function data(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
