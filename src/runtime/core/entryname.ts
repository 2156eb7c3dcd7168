/** What a forward has in common with others of its entry in the file. */

/** Items of a `ports` list have the name of their entry before a colon. */
export function entryOf(name: string): string {
  return name.replace(/:.*$/s, "");
}
