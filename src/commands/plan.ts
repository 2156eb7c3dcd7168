/** Reads the file for a command, and says what is wrong with it. */
import { KfwdError } from "../errors.ts";
import { formatDiagnostics, type Diagnostic, type FrameLine } from "../schema/diagnostic.ts";
import { LABEL, LABEL_RULE } from "../schema/kube-name.ts";
import { suggestFrom } from "../suggest.ts";
import type { UpPlan } from "../runtime/index.ts";
import type { Output } from "./output.ts";
import { paintFrameLine } from "./render/errortext.ts";
import type { ClusterFlags, SharedFlags, World } from "./world.ts";

/** The file as a plan; undefined when it is not fit for use, which has been said then (exit status 2). */
export async function readPlan(world: World, flags: ClusterFlags, out: Output): Promise<UpPlan | undefined> {
  const { context, namespace, kubeconfig } = flags;
  if (namespace !== undefined && !LABEL.test(namespace)) {
    const hint = `a namespace is ${LABEL_RULE}`;
    throw new KfwdError("USAGE", `"${namespace}" cannot be a namespace`, { hint });
  }
  const { config, parsed, ownName } = await world.runtime.load(chosenFile(world, flags), {
    ...(context !== undefined && { context }),
    ...(namespace !== undefined && { namespace }),
    ...(kubeconfig !== undefined && { kubeconfig }),
  });
  const found = parsed.kind === "valid" ? parsed.warnings : parsed.diagnostics;
  tell(found, parsed.more, config.text, out);
  if (parsed.kind === "invalid") return undefined;
  const explicitName = chosenName(world, flags);
  const project = explicitName ?? ownName;
  return { config, forwards: parsed.project.forwards, ownName, explicitName, project };
}

/** `-p`, else KFWD_PROJECT. */
export function chosenName(world: World, flags: SharedFlags): string | undefined {
  return flags.project ?? (world.env["KFWD_PROJECT"] || undefined);
}

/** `-f`, else KFWD_FILE. */
export function chosenFile(world: World, flags: SharedFlags): string | undefined {
  return flags.file ?? (world.env["KFWD_FILE"] || undefined);
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

function tell(found: readonly Diagnostic[], more: number, text: string, out: Output): void {
  if (out.progress === "json") {
    for (const diagnostic of found) out.stderr.write(`${diagnosticJson(diagnostic)}\n`);
    return;
  }
  const told = out.progress === "quiet" ? found.filter(({ severity }) => severity === "error") : found;
  if (told.length === 0) return;
  const paint = (line: FrameLine): string => paintFrameLine(line, out.notePaint);
  out.stderr.write(`${formatDiagnostics(told, more, text, paint)}\n`);
}

/** `KFWD_UNKNOWN_KEY` for UnknownKey: whatever is an error under `--json` has a code of one form. */
function errorCode(code: string): string {
  return `KFWD_${code.replaceAll(/(?<=.)[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

function diagnosticJson({ severity, code, message, hint, file, line, column }: Diagnostic): string {
  const record = {
    code: errorCode(code),
    message,
    ...(hint === undefined ? {} : { hint }),
    file,
    line,
    column,
  };
  return JSON.stringify({ [severity]: record });
}
