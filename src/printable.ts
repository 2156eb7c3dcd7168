/** Makes text of a file fit to stand in a message: nothing invisible, nothing endless. */

/**
 * Characters that move the cursor, start a terminal command, turn the reading direction or show nothing:
 * C0 and C1, zero-width and bidirectional marks, line separators, halves of a surrogate pair.
 */
const INVISIBLE =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Cs}/gu;

/** What no text needs: C0 without tab and line breaks, C1, carriage returns alone, halves of a surrogate pair. */
const CONTROL =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]|\r(?!\n)|\p{Cs}/u;

const QUOTE_MAX_CHARS = 60;

/** The text with each invisible character written as `\u001b`. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** One line of JSON: what is made visible in it is an escape of JSON, too, so it says the same. */
export function visibleJson(value: object): string {
  return visible(JSON.stringify(value));
}

/** The text in double quotes, visible and cut to 60 characters. */
export function quoted(text: string): string {
  const cut = text.length > QUOTE_MAX_CHARS ? `${text.slice(0, QUOTE_MAX_CHARS - 1)}…` : text;
  return `"${visible(cut)}"`;
}

/** A value as a message says it after "got": `99999`, `"udp"`, `a list`. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return Array.isArray(value) ? "a list" : "a map";
}

/** Words in a row for a sentence: `"a", "b" or "c"`. */
export function either(words: readonly string[]): string {
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} or ${last}`;
}

/** The first control character of a text, as `U+001B`, and where it is. */
export function findControl(text: string): { readonly index: number; readonly name: string } | undefined {
  const found = CONTROL.exec(text);
  if (found === null) return undefined;
  const name = `U+${found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  return { index: found.index, name };
}
