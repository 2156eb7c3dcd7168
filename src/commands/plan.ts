/** Reads the file for a command, and says what is wrong with it. */
import { KfwdError, recordCode } from "../errors.ts";
import { delimiter, relative, resolve } from "node:path";
import { formatDiagnostics, type Diagnostic, type FrameLine, type Texts } from "../schema/diagnostic.ts";
import type { LintRule } from "../schema/lint-rules.ts";
import { globMatches } from "../glob.ts";
import { visibleJson } from "../printable.ts";
import { suggestFrom } from "../suggest.ts";
import {
  inEnvironment,
  refuseBadNamespace,
  refuseUnknownProfiles,
  type GoodConfig,
  type LoadedConfig,
  type LoadRequest,
  type ProjectChoice,
  type TrustQuestion,
  type UpPlan,
} from "../runtime/index.ts";
import { shellWord } from "../shellword.ts";
import type { Output } from "./output.ts";
import { annotationOf } from "./render/annotation.ts";
import { paintFrameLine } from "./render/errortext.ts";
import type { ClusterFlags, SharedFlags, World } from "./world.ts";

/** What files are read for: the more it does, the more of it must be allowed. */
export type Purpose = "start" | "askCluster" | "setVariables" | "tell";

/** What an untrusted file may not demand, by what it is read for. */
const REFUSED: Readonly<Record<Purpose, (kind: TrustQuestion["demands"][number]["kind"]) => boolean>> = {
  start: () => true,
  askCluster: (kind) => kind === "kubeconfig-exec",
  setVariables: (kind) => kind === "obeyed-variable",
  tell: () => false,
};

/**
 * The files as a plan; undefined when they are not fit for use, which has been said then (exit status 2).
 * `choose` has those of the known ones that the names mean.
 */
export async function readPlan(
  world: World,
  flags: ClusterFlags,
  names: readonly string[],
  out: Output,
  purpose: Purpose,
  choose = (known: readonly string[]): readonly string[] => chooseNames(names, known),
): Promise<UpPlan | undefined> {
  const request = { ...loadRequest(world, flags), names };
  const loaded = await readFiles(world, request, out, ["protected-context"]); // which is refused below
  if (loaded === undefined) return undefined;
  refuseUnknownProfiles(loaded.parsed.details, flags.profile ?? []);
  const known = loaded.parsed.project.forwards.map(({ name }) => name);
  if (purpose === "start") {
    const allowedBy = (context: string): string => `--allow-context ${shellWord(context)}`;
    const chosen = choose(known);
    world.runtime.refuseProtected(loaded, chosen, flags.allowContext ?? [], allowedBy);
  }
  refuseUntrusted(world, loaded, flags, purpose);
  const { config, read, parsed, ownName } = loaded;
  const explicitName = chosenName(world, flags);
  const { forwards, environment } = parsed.project;
  const project = inEnvironment(explicitName ?? ownName, environment);
  const allowContexts = flags.allowContext ?? [];
  return { config, read, forwards, ownName, explicitName, environment, project, allowContexts };
}

/** @throws KfwdError `UNTRUSTED`. */
export function refuseUntrusted(
  world: World,
  loaded: GoodConfig,
  flags: ClusterFlags,
  purpose: Purpose,
): void {
  if (flags.trust ?? world.env["KFWD_TRUST"] === "1") return;
  world.runtime.refuseUntrusted(loaded, flags.kubeconfig, REFUSED[purpose]);
}

/** Reads the files and tells what is wrong in them; undefined when they are not fit for use (exit status 2). */
export async function readFiles(
  world: World,
  request: LoadRequest,
  out: Output,
  untold: readonly LintRule[] = [],
): Promise<GoodConfig | undefined> {
  const { parsed, ...loaded } = await world.runtime.load(request);
  tellParsed(world, parsed, out, untold);
  return parsed.kind === "valid" ? { ...loaded, parsed } : undefined;
}

/** Says what was found in the files, but for the rules that somebody else speaks of. */
export function tellParsed(
  world: World,
  parsed: LoadedConfig["parsed"],
  out: Output,
  untold: readonly LintRule[] = [],
): void {
  const found = parsed.kind === "valid" ? parsed.warnings : [...parsed.warnings, ...parsed.diagnostics];
  const told = found.filter(({ rule, severity }) => severity === "error" || !rule || !untold.includes(rule));
  tellFindings(world, told, parsed, out);
}

/** What a command line and its variables say of the files. @throws KfwdError `USAGE`. */
export function loadRequest(world: World, flags: ClusterFlags): LoadRequest {
  const { context, namespace, kubeconfig } = flags;
  refuseBadNamespace(namespace);
  const files = chosenFiles(world, flags);
  if (files.indexOf("-") !== files.lastIndexOf("-")) {
    throw new KfwdError("USAGE", "standard input is named twice, and can be read once", {
      hint: "-f - -f PATH",
    });
  }
  return {
    files,
    environment: chosenEnvironment(world, flags),
    profiles: flags.profile ?? listOf(world.env["KFWD_PROFILES"], ","),
    dotenvs: flags.dotenv ?? [],
    localFile: isLocalRead(world, flags) ? "read" : "ignore",
    allowContexts: flags.allowContext ?? [],
    overrides: {
      ...(context !== undefined && { context }),
      ...(namespace !== undefined && { namespace }),
      ...(kubeconfig !== undefined && { kubeconfig }),
    },
  };
}

/** `-p`, else KFWD_PROJECT. */
export function chosenName(world: World, flags: SharedFlags): string | undefined {
  return flags.project ?? (world.env["KFWD_PROJECT"] || undefined);
}

/** The project that a command is about that needs no file to be right. */
export function chosenProject(world: World, flags: ProjectFlags): ProjectChoice {
  const [file, ...overrides] = chosenFiles(world, flags);
  return {
    file,
    overrides,
    localFile: isLocalRead(world, flags) ? "read" : "ignore",
    dotenvs: flags.dotenv ?? [],
    name: chosenName(world, flags),
    environment: chosenEnvironment(world, flags),
  };
}

/** Flags that say which project is meant, of which a command may lack some. */
type ProjectFlags = SharedFlags & Pick<ClusterFlags, "dotenv" | "local">;

function isLocalRead(world: World, flags: ProjectFlags): boolean {
  return flags.local !== false && chosenFiles(world, flags).length === 0 && !world.env["CI"];
}

/** `-f` in their order, else KFWD_FILE, which is a list of paths as PATH is. */
function chosenFiles(world: World, flags: SharedFlags): readonly string[] {
  return flags.file ?? listOf(world.env["KFWD_FILE"], delimiter);
}

/** `-e`, else KFWD_ENV. */
function chosenEnvironment(world: World, flags: SharedFlags): string | undefined {
  return flags.env ?? (world.env["KFWD_ENV"] || undefined);
}

function listOf(text: string | undefined, separator: string): readonly string[] {
  return (text ?? "").split(separator).filter((word) => word !== "");
}

/** The forwards that a command is about. */
export interface Chosen {
  readonly names: readonly string[];
  /** The user named them: the others are left alone. */
  readonly only: boolean;
  /** What was chosen when the files were read before, and is in them no more. */
  readonly gone?: readonly string[];
}

/** `*` stands for any characters of a name, `?` for one; no name has one of them. */
const GLOB = /[*?]/;

/** Those of `known` that a word of the command line means; `kafka` stands for `kafka:registry`, too. */
export function namesMeant(word: string, known: readonly string[]): readonly string[] {
  const isMeant = GLOB.test(word)
    ? (name: string) => globMatches(word, name)
    : (name: string) => name === word || name.startsWith(`${word}:`);
  return known.filter(isMeant);
}

/**
 * The names a command is to touch, in their order, all of `known` when none was given.
 * @throws KfwdError `UNKNOWN_FORWARD`.
 */
export function chooseNames(wanted: readonly string[], known: readonly string[]): readonly string[] {
  if (wanted.length === 0) return known;
  const found = wanted.map((word) => [word, namesMeant(word, known)] as const);
  const [unknown] = found.find(([, names]) => names.length === 0) ?? [];
  if (unknown !== undefined) {
    const what = GLOB.test(unknown) ? "that matches" : "named";
    const hint = suggestFrom(unknown, known, "known");
    throw new KfwdError("UNKNOWN_FORWARD", `no forward ${what} "${unknown}"`, { hint });
  }
  const chosen = new Set(found.flatMap(([, names]) => names));
  return known.filter((name) => chosen.has(name));
}

/** As {@link chooseNames} of a later reading: what was chosen `before` still is, and words may mean nothing any more. */
export function chooseAgain(
  wanted: readonly string[],
  before: readonly string[],
  known: readonly string[],
): readonly string[] {
  if (wanted.length === 0 && before.length === 0) return known;
  const chosen = new Set([...before, ...wanted.flatMap((word) => namesMeant(word, known))]);
  return known.filter((name) => chosen.has(name));
}

/** Where GitHub runs it, each finding is shown at its line in the pull request, too. */
function annotate({ env, cwd, stderr }: World, found: readonly Diagnostic[]): void {
  if (env["GITHUB_ACTIONS"] !== "true") return;
  const root = env["GITHUB_WORKSPACE"] || cwd;
  for (const finding of found) {
    const path = relative(root, resolve(cwd, finding.file)).replaceAll("\\", "/");
    stderr.write(`${annotationOf(finding, path)}\n`);
  }
}

/** Says on stderr what was found in the files, in the form that the flags ask for. */
export function tellFindings(
  world: World,
  found: readonly Diagnostic[],
  { more, texts }: { readonly more: number; readonly texts: Texts },
  out: Output,
): void {
  annotate(world, found);
  if (out.progress === "json") {
    for (const diagnostic of found) out.say(diagnosticJson(diagnostic));
    return;
  }
  const told = out.progress === "quiet" ? found.filter(({ severity }) => severity === "error") : found;
  if (told.length === 0) return;
  const paint = (line: FrameLine): string => paintFrameLine(line, out.notePaint);
  out.say(formatDiagnostics(told, more, texts, paint));
}

/** A finding as JSON has it. */
export function findingRecord({ code, rule, message, hint, file, line, column }: Diagnostic): object {
  return {
    code: recordCode(code),
    ...(rule === undefined ? {} : { rule }),
    message,
    ...(hint === undefined ? {} : { hint }),
    file,
    line,
    column,
  };
}

function diagnosticJson(diagnostic: Diagnostic): string {
  return visibleJson({ [diagnostic.severity]: findingRecord(diagnostic) });
}
