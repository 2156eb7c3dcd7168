/** An error as a user sees it: what is wrong, where, and what to do. */
import type { KfwdError } from "../../errors.ts";
import { visible, visibleJson } from "../../printable.ts";
import { placeText, type FrameLine } from "../../schema/diagnostic.ts";
import type { Paint } from "./colour.ts";

/** Lines for stderr. */
export function errorText(error: KfwdError, paint: Paint): string {
  const lines = [`${paint.bad("error:")} ${visible(error.message)}`];
  if (error.place !== undefined) lines.push(`  ${placeText(error.place)}`);
  if (error.detail !== undefined) lines.push(...error.detail.split("\n").map(visible));
  if (error.hint !== undefined) lines.push(`${paint.dim("hint:")} ${visible(error.hint)}`);
  return lines.join("\n");
}

/** A line of what is wrong in a file, in the colours of {@link errorText}. */
export function paintFrameLine({ kind, text }: FrameLine, paint: Paint): string {
  switch (kind) {
    case "title":
      return text.replace(/^error:/, word(paint.bad)).replace(/^warning:/, word(paint.waiting));
    case "hint":
      return text.replace(/^hint:/, word(paint.dim));
    case "caret":
      return text.replace(/\^+$/, word(paint.bad));
    case "place":
    case "context":
    case "focus":
      return text;
  }
}

/** For `replace`, which hands over more than the match. */
function word(paint: (text: string) => string): (match: string) => string {
  return (match) => paint(match);
}

/** One line of JSON for stderr under `--json`. */
export function errorJson(error: KfwdError): string {
  return visibleJson({ error: error.toRecord() });
}
