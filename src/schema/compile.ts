/** The files of a project to its specs: read, filled with variables, merged, and checked as a whole. */
import { assemble, type Assembled, type Choice, type Facts, type Parts, type Shadow } from "./assemble.ts";
import type { VariableUse } from "./details.ts";
import { checkEnvironment } from "./environment.ts";
import type { Fields } from "./field-check.ts";
import { ENVIRONMENT_NAME, type EnvironmentFields } from "./fields.ts";
import { Includes, type IncludeReader } from "./includes.ts";
import { readLayer, type FileText, type Layer, type Role } from "./layer.ts";
import { mergeFiles, mergeForward } from "./mergetree.ts";
import { prepare, type Prepared } from "./prepare.ts";
import { quoted } from "../printable.ts";
import { Report } from "./report.ts";
import { makeSource } from "./source.ts";
import { suggestFrom } from "../suggest.ts";
import { isNothing, mapAt, spanOfValue, type Tree, type TreeEntry, type TreeMap } from "./tree.ts";
import { Interpolator } from "./variables.ts";

/** The files of a project, and how to get at those they include. */
export interface ProjectFiles {
  /** The base first, then overrides, the local file last. */
  readonly files: readonly { readonly role: Exclude<Role, "include">; readonly file: FileText }[];
  readonly include: IncludeReader;
}

/** A project before it is put into words for others. */
export interface Compiled extends Assembled {
  readonly name: string | undefined;
  readonly environment: string | undefined;
  readonly defaultEnvironment: string | undefined;
  readonly environments: readonly string[];
  readonly protect: readonly string[];
  /** The weakest first. */
  readonly layers: readonly Layer[];
}

/** What was made of the files. */
export interface Outcome {
  /** Undefined, or with errors in the report, when the files cannot be used. */
  readonly compiled: Compiled | undefined;
  /** Of all that was read, though it cannot be used. */
  readonly uses: readonly VariableUse[];
  /** Of environments that are not in force. */
  readonly idleUses: readonly VariableUse[];
}

/** Never throws, whatever the files hold, unless `include` does. */
export function compile(project: ProjectFiles, choice: Choice, facts: Facts, report: Report): Outcome {
  return new Compilation(project, choice, facts, report).run();
}

class Compilation {
  readonly #project: ProjectFiles;
  readonly #choice: Choice;
  readonly #facts: Facts;
  readonly #report: Report;
  readonly #interpolator: Interpolator;
  /** Of what is not in force, where nothing can be wrong. */
  readonly #elsewhere = new Interpolator(new Report());
  readonly #includes: Includes;
  readonly #included: Layer[] = [];
  readonly #fixed = new Set<Tree>();
  readonly #protect = new Set<string>();
  readonly #shadows: Shadow[] = [];
  readonly #includedProfiles = new Set<string>();
  #environment: string | undefined;

  constructor(project: ProjectFiles, choice: Choice, facts: Facts, report: Report) {
    this.#project = project;
    this.#choice = choice;
    this.#facts = facts;
    this.#report = report;
    this.#interpolator = new Interpolator(report);
    this.#includes = new Includes(project.include, (file, chain) => this.#resolve(file, chain), report);
  }

  run(): Outcome {
    const compiled = this.#compiled();
    return { compiled, uses: this.#interpolator.uses, idleUses: this.#elsewhere.uses };
  }

  #compiled(): Compiled | undefined {
    const layers = this.#project.files.flatMap(({ role, file }) => readLayer(file, role, this.#report) ?? []);
    const isWhole = layers.length === this.#project.files.length;
    const [base] = layers;
    if (!isWhole || base === undefined) return undefined;
    const filled = layers.map((layer) => this.#filled(layer));
    const fallback = defaultEnvironmentOf(filled);
    this.#environment = this.#choice.environment ?? fallback;
    const prepared = filled.flatMap((layer) => this.#prepared(this.#withEnvironment(layer)) ?? []);
    if (prepared.length < filled.length) return undefined;
    const items = prepared.flatMap(({ normal }) => [
      ...(mapAt(normal, "environments")?.entries.keys() ?? []),
    ]);
    const environments = [...new Set(items)];
    if (!this.#isKnownEnvironment(prepared, environments)) return undefined;
    const merged = this.#merged(prepared);
    const environment = this.#environmentFields(prepared);
    for (const context of lastOf(prepared, (layer) => layer.top?.values.protect) ?? [])
      this.#protect.add(context);
    const parts: Parts = {
      prepared,
      merged,
      environment,
      protect: [...this.#protect],
      includedProfiles: this.#includedProfiles,
      fixed: this.#fixed,
      shadows: this.#shadows,
      choice: this.#choice,
      facts: this.#facts,
    };
    return {
      ...assemble(parts, this.#report),
      name: lastOf(prepared, ({ role, top }) => (role === "local" ? undefined : top?.values.name)),
      environment: this.#environment,
      defaultEnvironment: fallback,
      environments,
      protect: parts.protect,
      layers: [...this.#included, ...prepared],
    };
  }

  /** A layer with variables in it, but for environments, of which only the one in force matters. */
  #filled(layer: Layer): Layer {
    const tree = this.#interpolator.map(layer.tree, layer.file.variables, ["environments"]);
    return { ...layer, tree };
  }

  #withEnvironment(layer: Layer): Layer {
    const name = this.#environment;
    const environments = mapAt(layer.tree, "environments");
    for (const [other, { value }] of environments?.entries ?? [])
      if (other !== name && value.kind === "map") this.#elsewhere.map(value, layer.file.variables);
    const item = name === undefined ? undefined : environments?.entries.get(name);
    if (environments === undefined || name === undefined || item?.value.kind !== "map") return layer;
    const value = this.#interpolator.map(item.value, layer.file.variables);
    const items = new Map(environments.entries).set(name, { key: item.key, value });
    const entries = new Map(layer.tree.entries);
    entries.set("environments", { key: environments.span, value: { ...environments, entries: items } });
    return { ...layer, tree: { ...layer.tree, entries } };
  }

  #prepared(layer: Layer): Prepared | undefined {
    return prepare(layer, this.#environment, this.#facts.version, this.#report);
  }

  #isKnownEnvironment(prepared: readonly Prepared[], known: readonly string[]): boolean {
    const name = this.#environment;
    if (name === undefined || known.includes(name)) return true;
    const example = `environments: { ${ENVIRONMENT_NAME.test(name) ? name : "dev"}: { context: kind-dev } }`;
    const hint = suggestFrom(name, known, "known") ?? example;
    const [base] = prepared;
    if (base === undefined) return false;
    const named = this.#choice.environment === undefined ? "defaultEnvironment" : "environments";
    const entry = lastOf(prepared, ({ tree }) => tree.entries.get(named));
    const start = { ...base.tree.span, end: base.tree.span.start };
    const span = named === "environments" ? (entry?.key ?? start) : entry && spanOfValue(entry);
    const message = `no environment named ${quoted(name)}`;
    this.#report.error({ code: "UnknownEnvironment", message, hint, span: span ?? start });
    return false;
  }

  /** An included file as a plain map of forwards and ranges, with its environment and its defaults in them. */
  #resolve(file: FileText, chain: readonly FileText[]): TreeMap | undefined {
    const read = readLayer(file, "include", this.#report);
    if (read === undefined) return undefined;
    this.#included.push(read);
    const layer = this.#prepared(this.#withEnvironment(this.#filled(read)));
    if (layer === undefined) return undefined;
    for (const context of layer.top?.values.protect ?? []) this.#protect.add(context);
    // its portOffset is for when it stands alone: ports of one project move together, as its base file says
    const environment = this.#environmentFields([layer]);
    for (const profile of environment?.values.profiles ?? []) this.#includedProfiles.add(profile);
    const below = this.#includes.collect(layer.tree.entries.get("include"), chain);
    const own = this.#overEnvironment(below ? mergeFiles(below, layer.normal) : layer.normal);
    const defaults = mapAt(own, "defaults");
    const forwards = mapAt(own, "forwards");
    const ranges = own.entries.get("ranges");
    const pushed = defaults && forwards ? withOwnDefaults(forwards, defaults) : forwards;
    const entries = new Map<string, TreeEntry>();
    if (ranges) entries.set("ranges", ranges);
    if (pushed) entries.set("forwards", { key: pushed.span, value: pushed });
    return { kind: "map", entries, span: own.span };
  }

  /** The map with the environment in force laid over it. */
  #overEnvironment(map: TreeMap): TreeMap {
    const environments = mapAt(map, "environments");
    const item =
      environments && this.#environment !== undefined ? mapAt(environments, this.#environment) : undefined;
    if (item === undefined) return map;
    this.#fix(mapAt(item, "forwards"));
    const part = new Map([...item.entries].filter(([key]) => key === "defaults" || key === "forwards"));
    return this.#laidOver(map, { ...item, entries: part });
  }

  /** What is laid over, after telling of removals that remove nothing. */
  #laidOver(under: TreeMap, over: TreeMap): TreeMap {
    const known = mapAt(under, "forwards")?.entries;
    for (const [name, { key, value }] of mapAt(over, "forwards")?.entries ?? []) {
      if (!isNothing(value) || known?.has(name)) continue;
      const message = `forward ${quoted(name)} is empty: there is none of that name to remove`;
      const hint = suggestFrom(name, [...(known?.keys() ?? [])], "known");
      this.#report.warning({ code: "Empty", message, hint, span: key });
    }
    return mergeFiles(under, over);
  }

  #fix(forwards: TreeMap | undefined): void {
    for (const { value } of forwards?.entries.values() ?? []) {
      if (value.kind !== "map") continue;
      for (const field of ["local", "port", "targetPort", "ports"]) {
        const tree = value.entries.get(field)?.value;
        if (tree !== undefined) this.#fixed.add(tree);
        if (tree?.kind === "list") for (const item of tree.items) this.#fixed.add(item);
      }
    }
  }

  /** Included < base < overrides < environment < local file. */
  #merged(prepared: readonly Prepared[]): TreeMap {
    const local = prepared.find(({ role }) => role === "local");
    let merged: TreeMap | undefined;
    for (const layer of prepared.filter(({ role }) => role !== "local")) {
      const below = this.#includes.collect(layer.tree.entries.get("include"), [layer.file]);
      if (below !== undefined) this.#reportShadows(below, layer);
      const under = below && merged ? mergeFiles(below, merged) : (below ?? merged);
      merged = under ? this.#laidOver(under, layer.normal) : layer.normal;
    }
    const items = local?.normal.entries.get("environments");
    // the local file may change environments, but what else it says is stronger than they are
    if (items && merged)
      merged = mergeFiles(merged, { ...NOTHING, entries: new Map([["environments", items]]) });
    merged = this.#overEnvironment(merged ?? NOTHING);
    if (local === undefined) return merged;
    this.#fix(mapAt(local.normal, "forwards"));
    const rest = new Map([...local.normal.entries].filter(([key]) => key !== "environments"));
    return this.#laidOver(merged, { ...local.normal, entries: rest });
  }

  /** Forwards that are written as if nothing of their name were included. */
  #reportShadows(below: TreeMap, layer: Prepared): void {
    const included = mapAt(below, "forwards")?.entries;
    for (const [name, entry] of mapAt(layer.normal, "forwards")?.entries ?? []) {
      const other = included?.get(name);
      const isWhole = entry.value.kind === "map" && entry.value.entries.has("target");
      if (other !== undefined && isWhole) this.#shadows.push({ name, at: entry.key, other: other.key });
    }
  }

  #environmentFields(prepared: readonly Prepared[]): Fields<EnvironmentFields> | undefined {
    const name = this.#environment;
    if (name === undefined) return undefined;
    let item: TreeMap | undefined;
    for (const { normal } of prepared) {
      const environments = mapAt(normal, "environments");
      const own = environments && mapAt(environments, name);
      if (own) item = item ? mergeFiles(item, own) : own;
    }
    return item && checkEnvironment(name, item, this.#report);
  }
}

const NOTHING_SOURCE = makeSource("", "");
const NOTHING: TreeMap = {
  kind: "map",
  entries: new Map(),
  span: { source: NOTHING_SOURCE, start: 0, end: 0 },
};

/** The last layer's word on something. */
function lastOf<T>(layers: readonly Prepared[], read: (layer: Prepared) => T | undefined): T | undefined {
  return layers.map(read).findLast((value) => value !== undefined);
}

function defaultEnvironmentOf(layers: readonly Layer[]): string | undefined {
  const values = layers.map(({ tree }) => tree.entries.get("defaultEnvironment")?.value);
  const last = values.findLast((value) => value?.kind === "scalar" && typeof value.value === "string");
  return last?.kind === "scalar" && typeof last.value === "string" ? last.value : undefined;
}

/** Forwards with the defaults of their file in them, so that it is theirs wherever they go. */
function withOwnDefaults(forwards: TreeMap, defaults: TreeMap): TreeMap {
  const entries = new Map<string, TreeEntry>();
  for (const [name, entry] of forwards.entries) {
    if (entry.value.kind !== "map") continue;
    const { compact, ...plain } = entry.value;
    const merged = mergeForward(
      { key: entry.key, value: { ...defaults, span: plain.span } },
      { key: entry.key, value: plain },
    );
    const value = merged.value.kind === "map" && compact ? { ...merged.value, compact } : merged.value;
    entries.set(name, { key: entry.key, value });
  }
  return { ...forwards, entries };
}
