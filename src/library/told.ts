/** Errors for those who see nothing of them but message and stack, as in most test runners. */
import { errnoOf } from "../errno.ts";
import { KfwdError } from "../errors.ts";
import { visible } from "../printable.ts";

/** Whose messages say everything: once more would be twice. */
const TOLD = new WeakSet<KfwdError>();

/**
 * The same error, whose message says everything: what is wrong, the details, and what to do about it. What options and
 * files put into it does nothing to a terminal, which is where messages and stacks of errors end up.
 */
export function told(thrown: unknown): KfwdError {
  const error = KfwdError.from(thrown);
  if (TOLD.has(error)) return error;
  const { code, place } = error;
  const hint = error.hint === undefined ? undefined : visible(error.hint);
  const detail = error.detail === undefined ? undefined : visibleLines(error.detail);
  const lines = [visible(error.message)];
  if (detail !== undefined) lines.push(detail);
  if (hint !== undefined && !detail?.includes(`hint: ${hint}`)) lines.push(`hint: ${hint}`);
  const cause = harmless(code === "INTERNAL" ? (error.cause ?? error) : error.cause);
  const saying = new KfwdError(code, lines.join("\n"), { hint, detail, place, cause });
  TOLD.add(saying);
  return saying;
}

function visibleLines(text: string): string {
  return text.split("\n").map(visible).join("\n");
}

/** More causes behind each other than these help nobody, and they may go in a circle. */
const CAUSES_MAX = 8;

/** The cause, or where its words could do something to a terminal, one like it whose words cannot. */
function harmless(cause: unknown, depth = 1): unknown {
  if (depth > CAUSES_MAX) return undefined;
  if (!(cause instanceof Error)) return typeof cause === "string" ? visibleLines(cause) : cause;
  const message = visibleLines(cause.message);
  const stack = visibleLines(cause.stack ?? "");
  const deeper = harmless(cause.cause, depth + 1);
  if (message === cause.message && stack === (cause.stack ?? "") && deeper === cause.cause) return cause;
  const like = new Error(message, deeper === undefined ? undefined : { cause: deeper });
  const code = errnoOf(cause);
  return Object.assign(like, { stack }, code === undefined ? {} : { code });
}

/** @throws what `work` throws, as {@link told}. */
export function telling<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw told(thrown);
  }
}
