/** Globs of names: `*` stands for any characters, slashes and colons too, `?` for one. */

/** Whether the whole of the text fits. Takes at most pattern × text steps, whatever they hold. */
export function globMatches(pattern: string, text: string): boolean {
  let [at, from] = [0, 0];
  let star: { readonly pattern: number; text: number } | undefined;
  while (from < text.length) {
    if (pattern[at] === "*") {
      star = { pattern: at, text: from };
      at++;
    } else if (pattern[at] === "?" || (at < pattern.length && pattern[at] === text[from])) {
      at++;
      from++;
    } else if (star !== undefined) {
      star.text++;
      at = star.pattern + 1;
      from = star.text;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
