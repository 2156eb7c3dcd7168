/** Merged files to specs: every forward by itself, then all of them together. */
import { checkFields, type Fields } from "./field-check.ts";
import { defaultsSchema, entrySchema, type DefaultsFields, type EnvironmentFields } from "./fields.ts";
import { specsOf } from "./entry.ts";
import { Linter, readLintLevels, type LintLevels } from "./lintlevels.ts";
import { lintPorts } from "./portlints.ts";
import type { Prepared } from "./prepare.ts";
import { quoted } from "../printable.ts";
import { lintProject } from "./projectlints.ts";
import { readRanges, type PlacedRange } from "./ranges.ts";
import type { Overrides, PlacedSpec, RawEntry, Surroundings } from "./rawentry.ts";
import type { Report } from "./report.ts";
import type { Span } from "./source.ts";
import { isNothing, mapAt, type Tree, type TreeMap } from "./tree.ts";

/** What is to be made of the files of a project. */
export interface Choice {
  /** Absent: the files' `defaultEnvironment`, else none. */
  readonly environment?: string | undefined;
  /** Profiles to turn on besides those of the environment. */
  readonly profiles?: readonly string[];
  /** Forwards that were named: their profiles do not matter. */
  readonly names?: readonly string[];
  readonly overrides?: Overrides;
  /** Contexts that need no protection any more. */
  readonly allowContexts?: readonly string[];
}

/** What the machine knows that files cannot say. */
export interface Facts {
  /** Version of kfwd; absent: `requires` is not looked at. */
  readonly version?: string;
  /** What `docker` in `bind` stands for. */
  readonly dockerAddress?: string | undefined;
  /** Local ports that a compose file beside the project publishes, each with words for who does. */
  readonly published?: ReadonlyMap<number, string>;
  /** Whether version control tracks the local file. */
  readonly isLocalTracked?: boolean;
  /** Names of files beside the base that would be read if it were not there. */
  readonly rivals?: readonly string[];
}

/** A forward of a file that hides an included one. */
export interface Shadow {
  readonly name: string;
  readonly at: Span;
  readonly other: Span;
}

/** What the files came to. */
export interface Parts {
  /** The base first, the local file last. */
  readonly prepared: readonly Prepared[];
  /** All of them as one. */
  readonly merged: TreeMap;
  readonly environment: Fields<EnvironmentFields> | undefined;
  readonly protect: readonly string[];
  /** Those that the environments of included files turn on. */
  readonly includedProfiles: ReadonlySet<string>;
  readonly fixed: ReadonlySet<Tree>;
  readonly shadows: readonly Shadow[];
  readonly choice: Choice;
  readonly facts: Facts;
}

/** What the forwards came to. */
export interface Assembled {
  /** Those that are off too. */
  readonly placed: readonly PlacedSpec[];
  readonly ranges: readonly PlacedRange[];
  readonly portOffset: number;
  readonly profiles: ReadonlySet<string>;
  readonly lint: LintLevels;
  readonly defaults: TreeMap | undefined;
}

const NO_DEFAULTS: Fields<DefaultsFields> = { values: {}, spans: new Map() };

/** Of use only if nothing was reported as an error. */
export function assemble(parts: Parts, report: Report): Assembled {
  const { prepared, merged, environment, protect, fixed, choice, facts } = parts;
  const portOffset = environment?.values.portOffset ?? 0;
  const ranges = readRanges(merged.entries.get("ranges"), portOffset, report);
  const lint = readLintLevels(merged.entries.get("lint"), report);
  const profiles = new Set([
    ...(choice.profiles ?? []),
    ...(environment?.values.profiles ?? []),
    ...parts.includedProfiles,
  ]);
  const defaults = mapAt(merged, "defaults");
  const isUsable = prepared.every(({ hasGoodDefaults }) => hasGoodDefaults);
  const around: Surroundings = {
    defaults: (isUsable && defaults && mergedDefaults(defaults, report)) || NO_DEFAULTS,
    overrides: choice.overrides ?? {},
    portOffset,
    fixed,
    ranges,
    protect,
    dockerAddress: facts.dockerAddress,
    profiles,
    named: new Set(choice.names),
  };
  const placed = entriesOf(merged, parts, report).flatMap((entry) => specsOf(entry, around, report));
  if (isUsable) lintAll(placed, ranges, new Linter(lint, report), parts);
  return { placed, ranges, portOffset, profiles, lint, defaults };
}

function mergedDefaults(defaults: TreeMap, report: Report): Fields<DefaultsFields> | undefined {
  const fields = checkFields(defaultsSchema, defaults, { kind: "defaults" }, report);
  const { context, followContext } = fields?.values ?? {};
  const at = fields?.spans.get("followContext");
  if (context !== undefined && followContext === true && at !== undefined) {
    const message = "defaults: forwards cannot both have a context and follow another";
    report.error({ code: "GivenTwice", message, hint: "keep context or followContext", span: at });
  }
  return fields;
}

/** The forwards whose fields are right; tells of those that are empty. */
function entriesOf(merged: TreeMap, { prepared }: Parts, report: Report): readonly RawEntry[] {
  const forwards = mapAt(merged, "forwards");
  const entries: RawEntry[] = [];
  const empty: { readonly name: string; readonly key: Span }[] = [];
  for (const [name, { key, value }] of forwards?.entries ?? []) {
    if (isNothing(value)) empty.push({ name, key });
    if (value.kind !== "map") continue;
    const known = prepared.map(({ checked }) => checked.get(value)).find((one) => one !== undefined);
    const fields = known ?? checkFields(entrySchema, value, { kind: "forward", name }, report);
    if (fields !== undefined) entries.push({ name, nameAt: key, tree: value, fields });
  }
  for (const { name, key } of empty) {
    const message = `forward ${quoted(name)} is empty`;
    const finding = { code: "Empty", message, hint: `${name}: "8080:svc/api:http"`, span: key };
    if (entries.length === 0) report.error(finding);
    else report.warning({ ...finding, message: `${message}: it is left out` });
  }
  const [base] = prepared;
  if (entries.length === 0 && base !== undefined && !report.hasErrors) {
    const hint = 'forwards: { api: "8080:svc/api:http" }';
    report.error({ code: "NoForwards", message: "forwards is empty", hint, span: base.forwardsAt });
  }
  return entries;
}

function lintAll(
  placed: readonly PlacedSpec[],
  ranges: readonly PlacedRange[],
  linter: Linter,
  { prepared, environment, protect, shadows, choice, facts }: Parts,
): void {
  const active = placed.filter(({ off }) => off === undefined);
  lintPorts(active, ranges, facts.published ?? new Map(), linter);
  const local = prepared.find(({ role }) => role === "local");
  const localStart = local && { ...local.tree.span, end: local.tree.span.start };
  const profilesAt = environment?.spans.get("profiles");
  lintProject(
    placed,
    {
      ranges,
      protect,
      allowedContexts: new Set(choice.allowContexts),
      wantedProfiles: new Map((environment?.values.profiles ?? []).map((name) => [name, profilesAt])),
      trackedLocal: facts.isLocalTracked ? localStart : undefined,
    },
    linter,
  );
  for (const { name, at, other } of shadows) {
    const message = `forward ${quoted(name)} hides an included one of the same name`;
    const hint = `write only what differs, or include it with a prefix`;
    const related = { message: `the included ${quoted(name)} is here`, span: other };
    linter.tell("entry-shadows-include", { message, hint, span: at, related });
  }
}
