/** The contexts of kubeconfigs, for people who choose one: quick, and without Kubernetes' code. */
import { parse } from "yaml";
import * as z from "zod/mini";
import { readRegularFile } from "../../readfile.ts";

const KUBECONFIG_MAX_BYTES = 8 * 1024 * 1024;
/** Of the list of contexts alone: some thousands of them. */
const LIST_MAX_CHARS = 256 * 1024;

/** The list at the top level, up to the next key: certificates, most of a kubeconfig, need no parser then. */
const LIST = /^contexts:[^\n]*\n(?:[ \t#-][^\n]*\n|\r?\n)*/m;

const listed = z.object({
  contexts: z.array(
    z.object({
      name: z.string(),
      context: z.optional(z.nullable(z.object({ namespace: z.optional(z.nullable(z.string())) }))),
    }),
  ),
});

/** A context, and the namespace that it stands for. */
export interface NamedContext {
  readonly name: string;
  readonly namespace: string | undefined;
}

/** The contexts of all files, each name once; a file that cannot be read or understood has none. */
export function contextsIn(paths: readonly string[]): readonly NamedContext[] {
  const found = new Map<string, NamedContext>();
  for (const context of paths.flatMap(contextsOf)) {
    if (!found.has(context.name)) found.set(context.name, context);
  }
  return [...found.values()];
}

function contextsOf(path: string): readonly NamedContext[] {
  try {
    const text = readRegularFile(path, KUBECONFIG_MAX_BYTES).toString("utf8");
    const list = text.trimStart().startsWith("{") ? text : (LIST.exec(`${text}\n`)?.[0] ?? "");
    if (list.length > LIST_MAX_CHARS) return [];
    const value: unknown = text.trimStart().startsWith("{")
      ? JSON.parse(list)
      : parse(list, { logLevel: "silent" });
    const read = z.safeParse(listed, value);
    if (!read.success) return [];
    return read.data.contexts.map(({ name, context }) => ({
      name,
      namespace: context?.namespace ?? undefined,
    }));
  } catch {
    return []; // whoever uses it says what is wrong with it
  }
}
