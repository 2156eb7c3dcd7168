/** Errors for those who see nothing of them but message and stack, as in most test runners. */
import { KfwdError } from "../errors.ts";

/** The same error, whose message says everything: what is wrong, the details, and what to do about it. */
export function told(thrown: unknown): KfwdError {
  const error = KfwdError.from(thrown);
  const { code, message, hint, detail, place } = error;
  const lines = detail === undefined ? [message] : [message, detail];
  if (hint !== undefined && !detail?.includes(`hint: ${hint}`)) lines.push(`hint: ${hint}`);
  const cause = code === "INTERNAL" ? (error.cause ?? error) : error.cause;
  return new KfwdError(code, lines.join("\n"), { hint, detail, place, cause });
}

/** @throws what `work` throws, as {@link told}. */
export function telling<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw told(thrown);
  }
}
