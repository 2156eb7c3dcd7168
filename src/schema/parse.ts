/** Files of a project in, a project or diagnostics out. */
import type { Choice, Facts } from "./assemble.ts";
import { compile, type Compiled, type Outcome, type ProjectFiles } from "./compile.ts";
import { demandsOf } from "./demands.ts";
import type { EntryDetails, ProjectDetails, VariableUse } from "./details.ts";
import type { Diagnostic, Texts } from "./diagnostic.ts";
import { PROJECT_NAME } from "./fields.ts";
import { fixesOf } from "./fixes.ts";
import type { PathBase } from "./paths.ts";
import type { Overrides, PlacedSpec } from "./rawentry.ts";
import { quoted } from "../printable.ts";
import { Report, type Finding } from "./report.ts";
import { makeSource, positionOf } from "./source.ts";
import type { ProjectSpec, SourcePosition } from "./spec.ts";
import { spanOfValue, type Tree, type TreeMap } from "./tree.ts";
import { isTooLarge, readYaml } from "./yaml.ts";

/** The file a text comes from. */
export interface FileIdentity extends PathBase {
  /** As messages show it, relative to where the user stands. */
  readonly name: string;
}

/** A project that may be used, or every reason why not; both in the order of the files, ten diagnostics at most. */
export type ParseResult =
  | {
      readonly kind: "valid";
      readonly project: ProjectSpec;
      readonly details: ProjectDetails;
      readonly warnings: readonly Diagnostic[];
      /** How many warnings are not in the list. */
      readonly more: number;
      /** What only `check` says. */
      readonly notes: readonly Diagnostic[];
      readonly texts: Texts;
    }
  | {
      readonly kind: "invalid";
      readonly diagnostics: readonly Diagnostic[];
      /** How many errors are not in the list. */
      readonly more: number;
      /** What must be known beside the errors, as that they may be in the wrong file. */
      readonly warnings: readonly Diagnostic[];
      /** Absent when something else is wrong than that some of them are not set. */
      readonly variables?: readonly VariableUse[];
      readonly texts: Texts;
    };

/**
 * Reads the files of a project. Never throws, whatever they hold, unless `include` does.
 */
export function parseProject(files: ProjectFiles, choice: Choice = {}, facts: Facts = {}): ParseResult {
  const report = new Report();
  const outcome = compile(files, choice, facts, report);
  const { compiled } = outcome;
  const { texts } = report;
  const rivals = rivalsOf(files, facts);
  if (compiled === undefined || report.hasErrors) {
    const beside = new Report();
    if (rivals) beside.warning(rivals);
    return {
      kind: "invalid",
      ...report.errors(),
      warnings: beside.warnings().diagnostics,
      ...(report.hasErrorsOnly("UnsetVariable") && { variables: [...outcome.uses, ...outcome.idleUses] }),
      texts,
    };
  }
  if (rivals) report.warning(rivals);
  const { diagnostics, more } = report.warnings();
  const details = detailsOf(compiled, outcome, files);
  const project = projectOf(compiled);
  const notes = report.infos().diagnostics;
  return { kind: "valid", project, details, warnings: diagnostics, more, notes, texts };
}

/** Files that would have been read in the place of this one. */
function rivalsOf({ files: [base] }: ProjectFiles, { rivals = [] }: Facts): Finding | undefined {
  if (base === undefined || rivals.length === 0) return undefined;
  const { name, text } = base.file;
  const others = rivals.map(quoted).join(", ");
  const message = `${others} beside ${quoted(name)} ${rivals.length === 1 ? "is" : "are"} not read`;
  const hint = "keep one of them, or name the one you mean with -f";
  return { code: "SeveralFiles", message, hint, span: { source: makeSource(name, text), start: 0, end: 0 } };
}

/** Reads one file by itself, without variables and includes. */
export function parseForwards(text: string, file: FileIdentity, overrides: Overrides = {}): ParseResult {
  const base = { ...file, path: null, text, variables: { get: () => undefined } };
  const include = (): { kind: "missing" } => ({ kind: "missing" });
  return parseProject({ files: [{ role: "base", file: base }], include }, { overrides });
}

/** The project's name as the file gives it, whatever else is wrong in it; undefined when it gives none that may be used. */
export function projectNameIn(text: string): string | undefined {
  const { name } = topTextsIn(text, ["name"]);
  return name !== undefined && PROJECT_NAME.test(name) ? name : undefined;
}

/** Texts at the top of a file, as they are written; what is not there or no text is left out. */
export function topTextsIn(text: string, keys: readonly string[]): Readonly<Record<string, string>> {
  if (isTooLarge(text)) return {};
  const tree = readYaml(makeSource("", text), new Report());
  const found = keys.flatMap((key) => {
    const value = tree?.entries.get(key)?.value;
    return value?.kind === "scalar" && typeof value.value === "string" ? [[key, value.value] as const] : [];
  });
  return Object.fromEntries(found);
}

function projectOf({ name, environment, protect, placed }: Compiled): ProjectSpec {
  return {
    ...(name !== undefined && { name }),
    ...(environment !== undefined && { environment }),
    ...(protect.length > 0 && { protect }),
    forwards: placed.filter(({ off }) => off === undefined).map(({ spec }) => spec),
  };
}

function detailsOf(compiled: Compiled, { uses, idleUses }: Outcome, { files }: ProjectFiles): ProjectDetails {
  const { placed, defaultEnvironment, profiles, layers } = compiled;
  const named = [...new Set([...placed.flatMap((one) => one.profiles), ...profiles])];
  const isFile = new Set(files.map(({ file }) => file.name));
  return {
    entries: placed.map((one) => entryOf(one, compiled.defaults)),
    environments: compiled.environments,
    ...(defaultEnvironment !== undefined && { defaultEnvironment }),
    profiles: named.map((name) => ({ name, active: profiles.has(name) })),
    ranges: compiled.ranges.map(({ at: _, ...range }) => range),
    portOffset: compiled.portOffset,
    variables: uses,
    idleVariables: idleUses,
    files: layers
      .filter(({ role, file }) => role === "include" || isFile.has(file.name))
      .map(({ role, file }) => ({ name: file.name, path: file.path, role })),
    lint: compiled.lint,
    demands: demandsOf(placed),
    fixes: fixesOf(layers, compiled.lint),
  };
}

function entryOf(
  { spec, off, profiles, range, entry }: PlacedSpec,
  defaults: TreeMap | undefined,
): EntryDetails {
  const origins: Record<string, SourcePosition> = {};
  for (const map of [defaults, entry.tree]) if (map !== undefined) addOrigins(map, "", origins);
  const { target } = origins;
  // `[ns/]kind/name` is stronger than a namespace of the defaults
  if (entry.fields.values.target?.namespace !== undefined && target) origins["namespace"] = target;
  const { targetPort } = origins;
  if (entry.fields.values.targetPort !== undefined && targetPort) origins["port"] ??= targetPort; // of a pod they are one
  return { spec, ...(off && { off }), profiles, ...(range && { range: range.name }), origins };
}

/** The places of a map's values, at any depth, by their path. */
function addOrigins(tree: Tree, path: string, origins: Record<string, SourcePosition>): void {
  if (tree.kind !== "map") return;
  for (const [key, entry] of tree.entries) {
    if (key.startsWith("x-")) continue;
    const below = path === "" ? key : `${path}.${key}`;
    const position = positionOf(spanOfValue(entry));
    origins[below] = position;
    if (below === "probe" && entry.value.kind === "scalar") origins["probe.type"] = position;
    addOrigins(entry.value, below, origins);
  }
}
