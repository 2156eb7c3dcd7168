/** Lints that look at the whole project. */
import { globMatches } from "../glob.ts";
import type { Linter } from "./lintlevels.ts";
import { quoted } from "../printable.ts";
import type { PlacedRange } from "./ranges.ts";
import type { PlacedSpec } from "./rawentry.ts";
import type { Span } from "./source.ts";

/** What the project says besides its forwards. */
export interface ProjectFacts {
  readonly ranges: readonly PlacedRange[];
  readonly protect: readonly string[];
  readonly allowedContexts: ReadonlySet<string>;
  /** Profiles that an environment or a command line turns on. */
  readonly wantedProfiles: ReadonlyMap<string, Span | undefined>;
  /** The local file, if version control tracks it. */
  readonly trackedLocal: Span | undefined;
}

/** What is wrong with all forwards together, those that are off too. */
export function lintProject(forwards: readonly PlacedSpec[], facts: ProjectFacts, linter: Linter): void {
  lintEnv(
    forwards.filter(({ off }) => off === undefined),
    linter,
  );
  for (const range of facts.ranges) {
    if (range.match !== undefined || forwards.some((one) => one.range === range)) continue;
    if (
      forwards.some(({ spec: { local } }) => local !== "auto" && local >= range.first && local <= range.last)
    )
      continue;
    const message = `no forward is in range ${quoted(range.name)}`;
    linter.tell("unused-range", { message, hint: "remove it, or name it with range:", span: range.at });
  }
  const known = new Set(forwards.flatMap(({ profiles }) => profiles));
  for (const [profile, span] of facts.wantedProfiles) {
    if (known.has(profile) || span === undefined) continue;
    const message = `no forward is in profile ${quoted(profile)}`;
    linter.tell("unused-profile", { message, hint: "remove it, or name it in profiles: of a forward", span });
  }
  if (facts.trackedLocal !== undefined) {
    const message = "git tracks this file, which is for one machine alone";
    const hint = "git rm --cached forwards.local.yaml, and name it in .gitignore";
    linter.tell("local-file-tracked", { message, hint, span: facts.trackedLocal });
  }
  for (const forward of forwards) {
    lintContext(forward, facts, linter);
    lintRelay(forward, linter);
    lintQuotes(forward, linter);
  }
}

/** Two forwards that set one variable: the second would hide the first. */
function lintEnv(forwards: readonly PlacedSpec[], linter: Linter): void {
  const owners = new Map<string, PlacedSpec>();
  for (const forward of forwards) {
    for (const name of Object.keys(forward.spec.env ?? {})) {
      const owner = owners.get(name);
      if (owner === undefined) {
        owners.set(name, forward);
        continue;
      }
      const message = `${quoted(owner.spec.name)} and ${quoted(forward.spec.name)} both set ${name}`;
      const related = { message: `${quoted(owner.spec.name)} is here`, span: owner.at("env") };
      const hint = "give each a variable of its own";
      linter.tell("env-name-clash", { message, hint, span: forward.at("env"), related });
    }
  }
}

function lintContext({ spec, at, off }: PlacedSpec, facts: ProjectFacts, linter: Linter): void {
  const { context, name } = spec;
  if (context !== undefined && facts.allowedContexts.has(context)) return;
  const glob = context === undefined ? undefined : facts.protect.find((one) => globMatches(one, context));
  if (glob === undefined || context === undefined || off !== undefined) return;
  const message = `forward ${quoted(name)} is in context ${quoted(context)}, which matches protect ${quoted(glob)}`;
  linter.tell("protected-context", { message, hint: `--allow-context ${context}`, span: at("context") });
}

function lintRelay({ spec, at }: PlacedSpec, linter: Linter): void {
  const image = spec.relay?.image;
  if (image === undefined || /@sha256:[0-9a-f]{64}$/.test(image)) return;
  const message = `the relay's image ${quoted(image)} has no digest, so it may change`;
  linter.tell("relay-unpinned", {
    message,
    hint: `image: ${image.split("@")[0]}@sha256:…`,
    span: at("relay.image"),
  });
}

/** YAML 1.1 readers take `22:22` for a number, so a forward in one line is better off in quotes. */
function lintQuotes({ entry, spec }: PlacedSpec, linter: Linter): void {
  const { tree } = entry;
  if (!linter.hears("unquoted-compact")) return;
  if (!tree.compact || spec.name !== entry.name) return;
  const { source, start, end } = tree.span;
  const written = source.text.slice(start, end);
  if (/^["'|>]/.test(written) || written.includes("$")) return;
  const message = `forward ${quoted(entry.name)} in one line is not in quotes`;
  linter.tell("unquoted-compact", { message, hint: `${entry.name}: "${written}"`, span: tree.span });
}
