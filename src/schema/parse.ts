/** Text of forwards.yaml in, a project or diagnostics out. */
import type { ProjectDetails } from "./details.ts";
import type { Diagnostic, Texts } from "./diagnostic.ts";
import { PROJECT_NAME } from "./fields.ts";
import { mergeFile, type Overrides } from "./merge.ts";
import type { PathBase } from "./paths.ts";
import { readRaw } from "./raw.ts";
import { Report } from "./report.ts";
import { makeSource } from "./source.ts";
import type { ProjectSpec } from "./spec.ts";
import { FILE_MAX_BYTES, isTooLarge, readYaml } from "./yaml.ts";

/** The file a text comes from. */
export interface FileIdentity extends PathBase {
  /** As messages show it, relative to where the user stands. */
  readonly name: string;
}

/** A project that may be used, or every reason why not; both in the order of the file, ten diagnostics at most. */
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
      readonly texts: Texts;
    };

/**
 * Checks a whole file and fills in its defaults, of which `overrides` take the place. Never throws, whatever the text,
 * and needs under a second for it.
 */
export function parseForwards(text: string, file: FileIdentity, overrides: Overrides = {}): ParseResult {
  const report = new Report();
  const project = isTooLarge(text) ? refuseSize(file, report) : read(text, file, overrides, report);
  const texts = new Map([[file.name, text]]);
  if (project === undefined || report.hasErrors) return { kind: "invalid", ...report.errors(), texts };
  const { diagnostics, more } = report.warnings();
  const details = detailsOf(project, file);
  return { kind: "valid", project, details, warnings: diagnostics, more, notes: [], texts };
}

/** The project's name as the file gives it, whatever else is wrong in it; undefined when it gives none that may be used. */
export function projectNameIn(text: string): string | undefined {
  if (isTooLarge(text)) return undefined;
  const name = readYaml(makeSource("", text), new Report())?.entries.get("name")?.value;
  const value = name?.kind === "scalar" ? name.value : undefined;
  return typeof value === "string" && PROJECT_NAME.test(value) ? value : undefined;
}

function read(
  text: string,
  file: FileIdentity,
  overrides: Overrides,
  report: Report,
): ProjectSpec | undefined {
  const tree = readYaml(makeSource(file.name, text), report);
  const raw = tree && readRaw(tree, file, report);
  return raw && mergeFile(raw, overrides, report);
}

function refuseSize(file: FileIdentity, report: Report): undefined {
  const span = { source: makeSource(file.name, ""), start: 0, end: 0 };
  const message = `the file is larger than ${FILE_MAX_BYTES / 1024} KiB`;
  report.error({ code: "TooLarge", message, span });
}

function detailsOf(project: ProjectSpec, file: FileIdentity): ProjectDetails {
  return {
    entries: project.forwards.map((spec) => ({ spec, profiles: [], origins: { target: spec.source } })),
    environments: [],
    profiles: [],
    ranges: [],
    portOffset: 0,
    variables: [],
    files: [{ name: file.name, path: null, role: "base" }],
    lint: {},
    demands: [],
  };
}
