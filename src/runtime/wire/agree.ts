/** Keeps a zod schema and the TypeScript type it stands for the same, by the compiler. */
import type * as z from "zod/mini";

/** A type as its readers see it: read-only and with every optional key, so that a forgotten one is found. */
type Plain<T> = T extends readonly (infer E)[]
  ? readonly Plain<E>[]
  : T extends object
    ? { readonly [K in keyof T]-?: Plain<T[K]> }
    : T;

type Covers<A, B> = [Plain<B>] extends [Plain<A>] ? ([Plain<A>] extends [Plain<B>] ? unknown : never) : never;

/**
 * `agree<Spec>()(schema)` is `schema`, typed as a schema of `Spec`. It does not compile when one of the two has a
 * key, a value or a null that the other has not.
 */
export function agree<T>() {
  return <S extends z.ZodMiniType<T>>(schema: S & Covers<z.output<S>, T>): z.ZodMiniType<T> => schema;
}
