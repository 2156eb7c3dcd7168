/** Contexts that the files protect: forwards start there only when their user has said so. */
import { KfwdError, type FilePlace } from "../../errors.ts";
import { globMatches } from "../../glob.ts";

/** A context that the files protect, in which a forward would be started. */
export interface ProtectedContext {
  readonly context: string;
  readonly glob: string;
  readonly forward: string;
}

/** Which of the globs protects a context; undefined where none does, or the context is allowed. */
export function protectingGlob(
  context: string | undefined,
  protect: readonly string[],
  allowed: readonly string[],
): string | undefined {
  if (context === undefined || allowed.includes(context)) return undefined;
  return protect.find((glob) => globMatches(glob, context));
}

/** `hint`: what allows the context. */
export function protectedError(
  { context, glob, forward }: ProtectedContext,
  hint: string,
  place?: FilePlace,
): KfwdError {
  return new KfwdError("PROTECTED_CONTEXT", `context "${context}" matches protect "${glob}"`, {
    detail: `  forward "${forward}" would be started there`,
    hint,
    place,
  });
}
