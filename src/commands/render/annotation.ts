/** Findings as GitHub shows them beside the lines of a pull request. */
import { visible } from "../../printable.ts";
import type { Diagnostic } from "../../schema/diagnostic.ts";

/** A workflow command: `::error file=forwards.yaml,line=9,col=5::unknown key "prot"`. */
export function annotationOf({ severity, file, line, column, message, hint }: Diagnostic): string {
  const kind = severity === "info" ? "notice" : severity;
  const text = hint === undefined ? message : `${message} (${hint})`;
  return `::${kind} file=${escaped(file, /[%,:]/g)},line=${line},col=${column}::${escaped(text, /%/g)}`;
}

/** What would end the command or a part of it, as its syntax wants it written. */
function escaped(text: string, special: RegExp): string {
  const code = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  return visible(text).replace(special, code);
}
