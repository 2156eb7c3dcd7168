/** What would be wrong in a file that is about to be written. */
import { parseForwards } from "../schema/parse.ts";

export function complaintsOf(
  text: string,
): readonly { readonly line: number; readonly code: string; readonly message: string }[] {
  const parsed = parseForwards(text, { name: "forwards.yaml", folder: "/", home: "/" });
  return parsed.kind === "valid" ? [] : parsed.diagnostics;
}
