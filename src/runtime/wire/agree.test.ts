import { expect, test } from "vitest";
import * as z from "zod/mini";
import { agree } from "./agree.ts";

interface Thing {
  readonly name: string;
  readonly note?: string;
  readonly kinds: readonly ("a" | "b")[];
  readonly inner: { readonly count: number | null };
}
const kinds = z.array(z.enum(["a", "b"]));
const note = z.exactOptional(z.string());
const inner = z.object({ count: z.nullable(z.number()) });

test("a schema that agrees with its type is that schema", () => {
  const schema = z.object({ name: z.string(), note, kinds, inner });
  expect(agree<Thing>()(schema)).toBe(schema);
});

test("a schema that does not agree is refused by the compiler", () => {
  // The type checker fails this file if one of these is taken.
  // @ts-expect-error: a key is missing
  agree<Thing>()(z.object({ note, kinds, inner }));
  // @ts-expect-error: an optional key is missing
  agree<Thing>()(z.object({ name: z.string(), kinds, inner }));
  // @ts-expect-error: a key too many
  agree<Thing>()(z.object({ name: z.string(), note, kinds, inner, more: z.string() }));
  // @ts-expect-error: a value is missing
  agree<Thing>()(z.object({ name: z.string(), note, kinds: z.array(z.enum(["a"])), inner }));
  // @ts-expect-error: a value too many
  agree<Thing>()(z.object({ name: z.string(), note, kinds: z.array(z.enum(["a", "b", "c"])), inner }));
  // @ts-expect-error: a null is missing, deep inside
  agree<Thing>()(z.object({ name: z.string(), note, kinds, inner: z.object({ count: z.number() }) }));
  // @ts-expect-error: undefined is not the same as absent
  agree<Thing>()(z.object({ name: z.string(), note: z.optional(z.string()), kinds, inner }));
  expect.assertions(0);
});
