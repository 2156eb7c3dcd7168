/** Checks one file by itself, and brings it into the form in which files are merged. */
import { environmentsOf } from "./environment.ts";
import { checkFields, type Fields, type Where } from "./field-check.ts";
import {
  defaultsSchema,
  entrySchema,
  FORMAT_VERSION,
  topSchema,
  type EntryFields,
  type TopFields,
} from "./fields.ts";
import { FILE_SHORTHANDS, forwardsOf, withDefaults, type Layer } from "./layer.ts";
import { resolvePath } from "./paths.ts";
import { quoted, shown } from "../printable.ts";
import { reportRequires } from "./requires.ts";
import type { Report } from "./report.ts";
import { isNothing, mapAt, plainOf, spanOfValue, type Tree, type TreeEntry, type TreeMap } from "./tree.ts";

/** A file whose maps can be merged. */
export interface Prepared extends Layer {
  readonly top: Fields<TopFields> | undefined;
  /** With `defaults`, `forwards`, `environments`, `ranges` and `lint` alone. */
  readonly normal: TreeMap;
  /** Whether what it says of defaults can be used. */
  readonly hasGoodDefaults: boolean;
  /** What the checked forwards say, by their tree: most are merged with nothing, and need no second look. */
  readonly checked: ReadonlyMap<TreeMap, Fields<EntryFields>>;
  /** The key `forwards`; the start of the file where there is none. */
  readonly forwardsAt: TreeEntry["key"];
}

const MERGED = ["defaults", "forwards", "environments", "ranges", "lint"] as const;
const FORWARDS_HINT = 'forwards: { api: "8080:svc/api:http" }';

/** Undefined after reporting why nothing in the file can be used. */
export function prepare(
  layer: Layer,
  environment: string | undefined,
  kfwdVersion: string | undefined,
  report: Report,
): Prepared | undefined {
  const { tree, role } = layer;
  if (isNewer(tree, report)) return undefined;
  const top = checkFields(topSchema, tree, { kind: "top" }, report);
  if (role === "local") refuseInLocal(tree, report);
  reportRequires(tree.entries.get("requires"), kfwdVersion, report);
  const forwards = tree.entries.get("forwards");
  const start = { ...tree.span, end: tree.span.start };
  if (forwards === undefined && role === "base" && !tree.entries.has("include")) {
    // another word for it has been reported already
    const known = [...tree.entries.keys()].every(
      (key) => Object.hasOwn(topSchema.shape, key) || key.startsWith("x-"),
    );
    const message = 'the file has no key "forwards"';
    if (known) report.error({ code: "NoForwards", message, hint: FORWARDS_HINT, span: start });
  }
  const ownDefaults = checkDefaults(tree, layer, report);
  const placed = withDefaults(tree, FILE_SHORTHANDS, report);
  const isOptional = role !== "base" && forwards !== undefined && isNothing(forwards.value);
  const checked = new Map<TreeMap, Fields<EntryFields>>();
  const good = forwards && !isOptional ? goodForwards(forwards, layer, checked, report) : undefined;
  const entries = new Map<string, TreeEntry>();
  for (const key of MERGED) {
    const entry = placed.entries.get(key);
    if (entry !== undefined && !(key === "defaults" && isNothing(entry.value))) entries.set(key, entry);
  }
  if (forwards && good) entries.set("forwards", { key: forwards.key, value: good });
  else entries.delete("forwards");
  const environments = tree.entries.get("environments");
  if (environments !== undefined) {
    const items = preparedEnvironments(environments, environment, layer, report);
    if (items) entries.set("environments", { key: environments.key, value: items });
    else entries.delete("environments");
  }
  const hasGoodDefaults = top !== undefined && ownDefaults;
  const normal: TreeMap = { kind: "map", entries, span: tree.span };
  return { ...layer, top, normal, hasGoodDefaults, checked, forwardsAt: forwards?.key ?? start };
}

/** A file of a later format: what else it holds cannot be judged. */
function isNewer(top: TreeMap, report: Report): boolean {
  const entry = top.entries.get("version");
  const version = entry && plainOf(entry.value);
  if (entry === undefined || typeof version !== "number" || version <= FORMAT_VERSION) return false;
  const message = `this file needs a newer kfwd: it has version ${version}, this kfwd reads version ${FORMAT_VERSION}`;
  report.error({ code: "NewerVersion", message, hint: "npm install kfwd@latest", span: spanOfValue(entry) });
  return true;
}

function refuseInLocal(tree: TreeMap, report: Report): void {
  for (const key of ["include", "name"]) {
    const entry = tree.entries.get(key);
    if (entry === undefined) continue;
    const message = `the local file cannot have ${quoted(key)}`;
    report.error({ code: "BadKey", message, hint: "write it into the file beside it", span: entry.key });
  }
}

/** Whether the map under `defaults` is one that can be used; reports what is wrong in it. */
function checkDefaults(tree: TreeMap, layer: Layer, report: Report): boolean {
  const entry = tree.entries.get("defaults");
  checkKubeconfig(tree, { kind: "top" }, layer, report);
  const isGood = checkShorthand(tree, "relay", report);
  if (entry === undefined || isNothing(entry.value)) return isGood;
  if (entry.value.kind !== "map") {
    const message = `defaults must be a map, got ${shown(plainOf(entry.value))}`;
    report.error({ code: "WrongType", message, span: spanOfValue(entry) });
    return false;
  }
  const own = layer.role === "base" ? entry.value : withoutNulls(entry.value);
  checkKubeconfig(own, { kind: "defaults" }, layer, report);
  return checkFields(defaultsSchema, own, { kind: "defaults" }, report) !== undefined && isGood;
}

/** Whether a key that stands for one of `defaults` is right. */
function checkShorthand(tree: TreeMap, key: string, report: Report): boolean {
  const entry = tree.entries.get(key);
  if (entry === undefined) return true;
  const map: TreeMap = { ...tree, entries: new Map([[key, entry]]) };
  return checkFields(defaultsSchema, map, { kind: "top" }, report) !== undefined;
}

function withoutNulls(map: TreeMap): TreeMap {
  return { ...map, entries: new Map([...map.entries].filter(([, { value }]) => !isNothing(value))) };
}

/** The forwards of which every field is right by itself; reports the others. */
function goodForwards(
  entry: TreeEntry,
  layer: Layer,
  checked: Map<TreeMap, Fields<EntryFields>>,
  report: Report,
): TreeMap | undefined {
  const forwards = forwardsOf(entry, report);
  return forwards && checkedForwards(forwards, layer, checked, report);
}

function checkedForwards(
  forwards: TreeMap,
  layer: Layer,
  checked: Map<TreeMap, Fields<EntryFields>>,
  report: Report,
): TreeMap {
  const good = new Map<string, TreeEntry>();
  for (const [name, forward] of forwards.entries) {
    const where: Where = { kind: "forward", name };
    const { value } = forward;
    if (value.kind === "map") {
      const fields = checkFields(entrySchema, value, where, report);
      if (fields === undefined || !checkKubeconfig(value, where, layer, report)) continue;
      checked.set(value, fields);
    }
    good.set(name, forward);
  }
  return { ...forwards, entries: good };
}

function preparedEnvironments(
  entry: TreeEntry,
  active: string | undefined,
  layer: Layer,
  report: Report,
): TreeMap | undefined {
  const items = environmentsOf(entry, active, report);
  const item = active === undefined ? undefined : items?.entries.get(active);
  if (items === undefined || item?.value.kind !== "map" || active === undefined) return items;
  const forwards = mapAt(item.value, "forwards");
  const defaults = mapAt(item.value, "defaults");
  const entries = new Map(item.value.entries);
  if (forwards) {
    const value = checkedForwards(forwards, layer, new Map(), report);
    entries.set("forwards", { key: forwards.span, value });
  }
  if (defaults) {
    const where: Where = { kind: "environment", name: active };
    const good = checkFields(defaultsSchema, withoutNulls(defaults), where, report) !== undefined;
    if (!good || !checkKubeconfig(defaults, where, layer, report)) entries.delete("defaults");
  }
  const all = new Map(items.entries);
  all.set(active, { key: item.key, value: { ...item.value, entries } });
  return { ...items, entries: all };
}

/** Whether it is known where the kubeconfig of a map is, and that it may be there. */
function checkKubeconfig(map: TreeMap, where: Where, { file }: Layer, report: Report): boolean {
  const entry = map.entries.get("kubeconfig");
  const path = entry && textOf(entry.value);
  if (entry === undefined || path === undefined || path === "") return true;
  const span = spanOfValue(entry);
  const prefix = where.kind === "forward" ? `forward ${quoted(where.name)}: ` : "";
  const absolute = resolvePath(path, file);
  if (absolute === undefined) {
    const message = `${prefix}cannot tell which folder ${quoted(path)} is in`;
    const hint = "write an absolute path, or one that is relative to this file";
    report.error({ code: "BadPath", message, hint, span });
    return false;
  }
  const isRelative = !/^(?:[~/\\]|[A-Za-z]:)/.test(path);
  const { root } = file;
  if (!isRelative || root === undefined || absolute === root || absolute.startsWith(`${root}/`)) return true;
  const message = `${prefix}kubeconfig ${quoted(path)} leads out of the project`;
  report.error({
    code: "BadPath",
    message,
    hint: "write an absolute path, or one that starts with ~/",
    span,
  });
  return false;
}

function textOf(tree: Tree): string | undefined {
  return tree.kind === "scalar" && typeof tree.value === "string" ? tree.value : undefined;
}
