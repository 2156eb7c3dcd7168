/** `environments`: what a project changes for a cluster, laid over its forwards. */
import { checkFields, type Fields } from "./field-check.ts";
import {
  ENVIRONMENT_NAME,
  ENVIRONMENT_NAME_RULE,
  environmentSchema,
  type EnvironmentFields,
} from "./fields.ts";
import { ENVIRONMENT_SHORTHANDS, forwardsOf, withDefaults } from "./layer.ts";
import { quoted, shown } from "../printable.ts";
import type { Report } from "./report.ts";
import { suggest } from "../suggest.ts";
import { isNothing, plainOf, spanOfValue, type Tree, type TreeEntry, type TreeMap } from "./tree.ts";

/** Brings the items of `environments` into the form in which they are merged; looks closely only at the one in force. */
export function environmentsOf(
  entry: TreeEntry,
  active: string | undefined,
  report: Report,
): TreeMap | undefined {
  const { value } = entry;
  if (value.kind !== "map") {
    const message = `environments must be a map of names, got ${shown(plainOf(value))}`;
    const hint = "environments: { dev: { context: kind-dev } }";
    if (!isNothing(value)) report.error({ code: "WrongType", message, hint, span: spanOfValue(entry) });
    return undefined;
  }
  const entries = new Map<string, TreeEntry>();
  for (const [name, item] of value.entries) {
    const environment = environmentOf(name, item, name === active, report);
    if (environment !== undefined) entries.set(name, { key: item.key, value: environment });
  }
  return { ...value, entries };
}

function environmentOf(name: string, item: TreeEntry, isActive: boolean, report: Report): Tree | undefined {
  if (!ENVIRONMENT_NAME.test(name)) {
    const hint = `a name is ${ENVIRONMENT_NAME_RULE}`;
    const message = `${quoted(name)} cannot be the name of an environment`;
    report.error({ code: "BadName", message, hint, span: item.key });
    return undefined;
  }
  const { value } = item;
  if (isNothing(value)) return { kind: "map", entries: new Map(), span: item.key };
  if (value.kind !== "map") {
    const message = `environment ${quoted(name)} must be a map, got ${shown(plainOf(value))}`;
    report.error({ code: "WrongType", message, hint: "{ context: kind-dev }", span: spanOfValue(item) });
    return undefined;
  }
  if (!isActive) {
    reportUnknownKeys(name, value, report);
    return value;
  }
  const forwards = value.entries.get("forwards");
  const normal = forwards && !isNothing(forwards.value) ? forwardsOf(forwards, report) : undefined;
  const placed = withDefaults(value, ENVIRONMENT_SHORTHANDS, report);
  const entries = new Map(placed.entries);
  if (forwards && normal) entries.set("forwards", { key: forwards.key, value: normal });
  else entries.delete("forwards");
  return { ...placed, entries };
}

/** What can be said of an environment without the values of its variables. */
function reportUnknownKeys(name: string, map: TreeMap, report: Report): void {
  const known = Object.keys(environmentSchema.shape);
  for (const [key, entry] of map.entries) {
    if (known.includes(key) || key.startsWith("x-")) continue;
    const hint = suggest(key, known) ?? `known keys: ${known.join(", ")}`;
    const message = `unknown key ${quoted(key)} in environment ${quoted(name)}`;
    report.error({ code: "UnknownKey", message, hint, span: entry.key });
  }
}

/** The checked fields of the environment in force. */
export function checkEnvironment(
  name: string,
  map: TreeMap,
  report: Report,
): Fields<EnvironmentFields> | undefined {
  return checkFields(environmentSchema, map, { kind: "environment", name }, report);
}
