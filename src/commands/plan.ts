/** Reads the file for a command, and says what is wrong with it. */
import { KfwdError } from "../errors.ts";
import { delimiter } from "node:path";
import { formatDiagnostics, type Diagnostic, type FrameLine, type Texts } from "../schema/diagnostic.ts";
import { LABEL, LABEL_RULE } from "../schema/kube-name.ts";
import { suggestFrom } from "../suggest.ts";
import type { LoadedConfig, LoadRequest, UpPlan } from "../runtime/index.ts";
import type { ParseResult } from "../schema/parse.ts";
import type { Output } from "./output.ts";
import { paintFrameLine } from "./render/errortext.ts";
import type { ClusterFlags, SharedFlags, World } from "./world.ts";

/** The files as a plan; undefined when they are not fit for use, which has been said then (exit status 2). */
export async function readPlan(
  world: World,
  flags: ClusterFlags,
  names: readonly string[],
  out: Output,
): Promise<UpPlan | undefined> {
  const loaded = await readFiles(world, { ...loadRequest(world, flags), names }, out);
  if (loaded === undefined) return undefined;
  const { config, parsed, ownName } = loaded;
  const explicitName = chosenName(world, flags);
  const project = explicitName ?? ownName;
  return { config, forwards: parsed.project.forwards, ownName, explicitName, project };
}

/** Files that are right. */
export interface GoodConfig extends LoadedConfig {
  readonly parsed: Extract<ParseResult, { readonly kind: "valid" }>;
}

/** Reads the files and tells what is wrong in them; undefined when they are not fit for use (exit status 2). */
export async function readFiles(
  world: World,
  request: LoadRequest,
  out: Output,
): Promise<GoodConfig | undefined> {
  const { parsed, ...loaded } = await world.runtime.load(request);
  const found = parsed.kind === "valid" ? parsed.warnings : parsed.diagnostics;
  tellFindings(found, parsed.more, parsed.texts, out);
  return parsed.kind === "valid" ? { ...loaded, parsed } : undefined;
}

/** What a command line and its variables say of the files. @throws KfwdError `USAGE`. */
export function loadRequest(world: World, flags: ClusterFlags): LoadRequest {
  const { context, namespace, kubeconfig } = flags;
  if (namespace !== undefined && !LABEL.test(namespace)) {
    const hint = `a namespace is ${LABEL_RULE}`;
    throw new KfwdError("USAGE", `"${namespace}" cannot be a namespace`, { hint });
  }
  const files = chosenFiles(world, flags);
  const isLocalRead = flags.local !== false && files.length === 0 && !world.env["CI"];
  return {
    files,
    environment: chosenEnvironment(world, flags),
    profiles: flags.profile ?? listOf(world.env["KFWD_PROFILES"], ","),
    envFiles: flags.envFile ?? [],
    localFile: isLocalRead ? "read" : "ignore",
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

/** The project's own file, which is the first of {@link chosenFiles}; undefined: it is searched for. */
export function chosenFile(world: World, flags: SharedFlags): string | undefined {
  return chosenFiles(world, flags)[0];
}

/** `-f` in their order, else KFWD_FILE, which is a list of paths as PATH is. */
export function chosenFiles(world: World, flags: SharedFlags): readonly string[] {
  return flags.file ?? listOf(world.env["KFWD_FILE"], delimiter);
}

/** `-e`, else KFWD_ENV. */
export function chosenEnvironment(world: World, flags: SharedFlags): string | undefined {
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
}

/** The names a command is to touch, all of `known` when none was given. @throws KfwdError `UNKNOWN_FORWARD`. */
export function chooseNames(wanted: readonly string[], known: readonly string[]): readonly string[] {
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const hint = suggestFrom(unknown, known, "known");
    throw new KfwdError("UNKNOWN_FORWARD", `no forward named "${unknown}"`, { hint });
  }
  return wanted.length === 0 ? known : [...new Set(wanted)];
}

/** Says on stderr what was found in the files, in the form that the flags ask for. */
export function tellFindings(found: readonly Diagnostic[], more: number, texts: Texts, out: Output): void {
  if (out.progress === "json") {
    for (const diagnostic of found) out.stderr.write(`${diagnosticJson(diagnostic)}\n`);
    return;
  }
  const told = out.progress === "quiet" ? found.filter(({ severity }) => severity === "error") : found;
  if (told.length === 0) return;
  const paint = (line: FrameLine): string => paintFrameLine(line, out.notePaint);
  out.stderr.write(`${formatDiagnostics(told, more, texts, paint)}\n`);
}

/** `KFWD_UNKNOWN_KEY` for UnknownKey: whatever is an error under `--json` has a code of one form. */
function errorCode(code: string): string {
  return `KFWD_${code.replaceAll(/(?<=.)[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** A finding as JSON has it. */
export function findingRecord({ code, rule, message, hint, file, line, column }: Diagnostic): object {
  return {
    code: errorCode(code),
    ...(rule === undefined ? {} : { rule }),
    message,
    ...(hint === undefined ? {} : { hint }),
    file,
    line,
    column,
  };
}

function diagnosticJson(diagnostic: Diagnostic): string {
  return JSON.stringify({ [diagnostic.severity]: findingRecord(diagnostic) });
}
