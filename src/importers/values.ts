/** Values of other tools' files, which may hold anything. */
import { parseAllDocuments } from "yaml";
import { isPlainMap } from "../plain.ts";
import type { DraftBuilder } from "./draft.ts";

/** A map of a file. */
export type Bag = Readonly<Record<string, unknown>>;

/** The documents of a YAML or JSON text; one that cannot be read is left out. */
export function documentsOf(text: string, builder: DraftBuilder): readonly Bag[] {
  const bags: Bag[] = [];
  for (const document of parseAllDocuments(text, { logLevel: "silent" })) {
    const [error] = document.errors;
    if (error !== undefined) {
      builder.leaveOut("a document", `it is no valid YAML: ${error.message.split("\n")[0] ?? ""}`);
      continue;
    }
    const value = plain(() => document.toJS());
    for (const item of Array.isArray(value) ? value : [value]) {
      const bag = bagOf(item);
      if (bag !== undefined) bags.push(bag);
    }
  }
  return bags;
}

/** An alias that leads nowhere, or to a thousand others, throws. */
function plain(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return undefined;
  }
}

export function bagOf(value: unknown): Bag | undefined {
  return isPlainMap(value) ? value : undefined;
}

/** The items of a list; none of anything else. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The maps of a list. */
export function bagsOf(value: unknown): readonly Bag[] {
  return listOf(value).filter(isPlainMap);
}

/** Text that is not empty; a number is text, too. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A port by number or name; digits are a number. */
export function portOf(value: unknown): number | string | undefined {
  const text = textOf(value);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : text;
}

/** A port by number alone. */
export function portNumberOf(value: unknown): number | undefined {
  const port = portOf(value);
  return typeof port === "number" && port >= 1 && port <= 65_535 ? port : undefined;
}

/** `app=web,tier=front` of a map of labels, or the text itself. */
export function selectorOf(value: unknown): string | undefined {
  const labels = bagOf(value);
  if (labels === undefined) return textOf(value);
  const pairs = Object.entries(labels).map(([key, label]) => `${key}=${textOf(label) ?? ""}`);
  return pairs.length === 0 ? undefined : pairs.join(",");
}

/** Whether a tool would fill the text in: `{{.NAMESPACE}}`, `${PORT}`, `$(id)`. */
export function isTemplate(text: string): boolean {
  return /\{\{|\$[{(A-Za-z_]/.test(text);
}
