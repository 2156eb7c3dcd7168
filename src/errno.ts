/** What the system says when it refuses something, and how people say it. */

/** The code of what was thrown: `ENOENT`, `ERR_SSL_WRONG_VERSION_NUMBER`; undefined where it bears none. */
export function errnoOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string"
    ? thrown.code
    : undefined;
}
