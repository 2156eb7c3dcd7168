/** An error as a user sees it: what is wrong, where, and what to do. */
import type { KfwdError } from "../../errors.ts";
import { visible } from "../../printable.ts";
import type { Paint } from "./colour.ts";

/** Lines for stderr; the detail is kept as it is, since whoever made it has made it visible. */
export function errorText(error: KfwdError, paint: Paint): string {
  const lines = [`${paint.bad("error:")} ${visible(error.message)}`];
  if (error.detail !== undefined) lines.push(error.detail);
  if (error.hint !== undefined) lines.push(`${paint.dim("hint:")} ${visible(error.hint)}`);
  return lines.join("\n");
}

/** One line of JSON for stderr under `--json`. */
export function errorJson(error: KfwdError): string {
  return JSON.stringify({ error: error.toRecord() });
}
