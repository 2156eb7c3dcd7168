/** One file with every value checked by itself and its place kept; defaults are not merged yet. */
import { isLoopback } from "./address.ts";
import { readCompact } from "./compact.ts";
import {
  defaultsSchema,
  entrySchema,
  FORMAT_VERSION,
  FORWARD_NAME,
  FORWARD_NAME_RULE,
  topSchema,
} from "./fields.ts";
import type { DefaultsFields, EntryFields, TopFields } from "./fields.ts";
import { checkFields, prefixOf, type Fields, type Where } from "./field-check.ts";
import { resolvePath, type PathBase } from "./paths.ts";
import { quoted, shown } from "../printable.ts";
import type { Report } from "./report.ts";
import type { Span } from "./source.ts";
import { plainOf, spanOfPart, spanOfValue, type TreeEntry, type TreeMap, type TreeScalar } from "./tree.ts";

/** What one file says. */
export interface RawFile {
  readonly name: string | undefined;
  /** With the shorthands of the top in it; undefined when it has errors. */
  readonly defaults: Fields<DefaultsFields> | undefined;
  /** In the order of the file, without those that have errors. */
  readonly entries: readonly RawEntry[];
  /** The key `forwards`. */
  readonly forwardsAt: Span;
}

/** One item of `forwards`. */
export interface RawEntry {
  readonly name: string;
  readonly nameAt: Span;
  /** Null removes the forward of that name. */
  readonly fields: Fields<EntryFields> | null;
}

const FORWARDS_HINT = 'forwards: { api: "8080:svc/api:http" }';

/** Reads the file's map; undefined when nothing in it can be used. */
export function readRaw(top: TreeMap, base: PathBase, report: Report): RawFile | undefined {
  if (isNewer(top, report)) return undefined;
  const fields = checkFields(topSchema, top, { kind: "top" }, report);
  const defaults = readDefaults(top, fields, base, report);
  const forwards = top.entries.get("forwards");
  if (forwards === undefined) {
    // another word for it has been reported already
    const hasOnlyKnown = [...top.entries.keys()].every(
      (key) => Object.hasOwn(topSchema.shape, key) || key.startsWith("x-"),
    );
    const span = { ...top.span, end: top.span.start };
    const message = 'the file has no key "forwards"';
    if (hasOnlyKnown) report.error({ code: "NoForwards", message, hint: FORWARDS_HINT, span });
    return undefined;
  }
  const entries = readEntries(forwards, base, report);
  return entries && { name: fields?.values.name, defaults, entries, forwardsAt: forwards.key };
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

function readDefaults(
  top: TreeMap,
  fields: Fields<TopFields> | undefined,
  base: PathBase,
  report: Report,
): Fields<DefaultsFields> | undefined {
  const entry = top.entries.get("defaults");
  const own = entry === undefined || isEmpty(entry) ? NO_DEFAULTS : checkDefaults(entry, report);
  if (own === undefined || fields === undefined) return undefined;
  const values = { ...own.values };
  const spans = new Map(own.spans);
  for (const field of ["context", "namespace", "kubeconfig"] as const) {
    const span = fields.spans.get(field);
    const value = fields.values[field];
    if (span === undefined || value === undefined) continue;
    const twice = spans.get(field);
    if (twice !== undefined) {
      const related = { message: "and here", span: twice };
      const message = `${field} is given twice: at the top of the file and in defaults`;
      report.error({ code: "GivenTwice", message, span, related });
    }
    values[field] = value;
    spans.set(field, span);
  }
  return finish({ values, spans }, { kind: "defaults" }, base, report);
}

const NO_DEFAULTS: Fields<DefaultsFields> = { values: {}, spans: new Map() };

function checkDefaults(entry: TreeEntry, report: Report): Fields<DefaultsFields> | undefined {
  if (entry.value.kind === "map")
    return checkFields(defaultsSchema, entry.value, { kind: "defaults" }, report);
  const message = `defaults must be a map, got ${shown(plainOf(entry.value))}`;
  report.error({ code: "WrongType", message, span: spanOfValue(entry) });
  return undefined;
}

function readEntries(forwards: TreeEntry, base: PathBase, report: Report): readonly RawEntry[] | undefined {
  const { value } = forwards;
  if (value.kind !== "map") {
    const empty = { code: "NoForwards", message: "forwards is empty" };
    const wrong = {
      code: "WrongType",
      message: `forwards must be a map of names, got ${shown(plainOf(value))}`,
    };
    report.error({
      ...(isEmpty(forwards) ? empty : wrong),
      hint: FORWARDS_HINT,
      span: spanOfValue(forwards),
    });
    return undefined;
  }
  const entries: RawEntry[] = [];
  for (const [name, entry] of value.entries) {
    if (!FORWARD_NAME.test(name)) {
      const message = `${quoted(name)} cannot be the name of a forward`;
      report.error({ code: "BadName", message, hint: `a name is ${FORWARD_NAME_RULE}`, span: entry.key });
      continue;
    }
    if (isEmpty(entry)) {
      entries.push({ name, nameAt: entry.key, fields: null });
      continue;
    }
    const where = { kind: "forward", name } as const;
    const checked = checkEntry(entry, where, report);
    const fields = checked && finish(checked, where, base, report);
    if (fields !== undefined) entries.push({ name, nameAt: entry.key, fields });
  }
  return entries;
}

function checkEntry(entry: TreeEntry, where: Where, report: Report): Fields<EntryFields> | undefined {
  const { value } = entry;
  if (value.kind === "map") return checkFields(entrySchema, value, where, report);
  if (value.kind === "scalar" && typeof value.value === "string")
    return checkCompact(value, value.value, where, report);
  const message = `${prefixOf(where)}it must be text or a map, got ${shown(plainOf(value))}`;
  report.error({ code: "WrongType", message, hint: 'as in "8080:svc/api:http"', span: spanOfValue(entry) });
  return undefined;
}

function checkCompact(
  scalar: TreeScalar,
  text: string,
  where: Where,
  report: Report,
): Fields<EntryFields> | undefined {
  const compact = readCompact(text, ({ code, message, hint, part }) => {
    const span = part === undefined ? scalar.span : spanOfPart(scalar, part);
    report.error({ code, message: `${prefixOf(where)}${message}`, hint, span });
  });
  if (compact === undefined) return undefined;
  const { target, local, port, bind, protocol } = compact;
  const values: EntryFields = {
    target: target.value,
    local: local.value,
    ...(port && { port: port.value }),
    ...(bind && { bind: bind.value }),
    ...(protocol && { protocol: protocol.value }),
  };
  const pieces = Object.entries({ target, local, port, bind, protocol });
  const spans = pieces.flatMap(([field, piece]) =>
    piece ? [[field, spanOfPart(scalar, piece.part)] as const] : [],
  );
  return { values, spans: new Map(spans) };
}

/** Makes the kubeconfig's path absolute, while it is known which file it stands in, and warns of public addresses. */
function finish<T extends EntryFields | DefaultsFields>(
  fields: Fields<T>,
  where: Where,
  base: PathBase,
  report: Report,
): Fields<T> | undefined {
  const { bind, kubeconfig } = fields.values;
  const bindAt = fields.spans.get("bind");
  const open = (bind ?? []).filter((address) => !isLoopback(address));
  if (open.length > 0 && bindAt !== undefined) {
    const through = open.slice(0, 3).join(", ");
    const message = `${prefixOf(where)}other machines can connect through ${through}`;
    report.warning({ code: "PublicBind", message, hint: "bind: localhost", span: bindAt });
  }
  if (kubeconfig === undefined || kubeconfig === null) return fields;
  const absolute = resolvePath(kubeconfig, base);
  if (absolute !== undefined)
    return { values: { ...fields.values, kubeconfig: absolute }, spans: fields.spans };
  const prefix = where.kind === "forward" ? prefixOf(where) : ""; // a default may stand at the top of the file
  const message = `${prefix}cannot tell which folder ${quoted(kubeconfig)} is in`;
  const span = fields.spans.get("kubeconfig");
  const hint = "write an absolute path, or one that is relative to this file";
  if (span !== undefined) report.error({ code: "BadPath", message, hint, span });
  return undefined;
}

function isEmpty(entry: TreeEntry): boolean {
  return entry.value.kind === "scalar" && entry.value.value === null;
}
