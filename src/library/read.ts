/** From options to what is to be kept up: reads the files, and refuses what a person would have to agree to. */
import { delimiter } from "node:path";
import { KfwdError } from "../errors.ts";
import {
  inEnvironment,
  refuseBadNamespace,
  refuseMetadata,
  refuseUnknownProfiles,
  type GoodConfig,
  type LoadRequest,
  type Runtime,
  type UpPlan,
} from "../runtime/index.ts";
import { formatDiagnostics, placeText, type Diagnostic } from "../schema/diagnostic.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { suggestFrom } from "../suggest.ts";
import type { UpOptions, Warning } from "./api.ts";

/** Variables of the process, or what stands in their place. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What is to be brought up. */
export interface Reading {
  readonly plan: UpPlan;
  /** The forwards that are wanted, in the order of the file; never empty. */
  readonly chosen: readonly ForwardSpec[];
  readonly warnings: readonly Warning[];
}

/** @throws KfwdError of exit status 2, whose hint says what to do about it. */
export async function readPlan(runtime: Runtime, options: UpOptions, variables: Variables): Promise<Reading> {
  const { parsed, ...loaded } = await runtime.load(requestOf(options, variables));
  if (parsed.kind === "invalid") throw invalid(parsed.diagnostics, parsed.more, parsed.texts);
  const good: GoodConfig = { ...loaded, parsed };
  refuseUnknownProfiles(parsed.details, options.profiles ?? []);
  const { forwards, environment } = parsed.project;
  const chosen = chosenOf(forwards, options.names);
  const allowContexts = options.allowContexts ?? [];
  const names = chosen.map(({ name }) => name);
  runtime.refuseProtected(good, names, allowContexts, (context) => `allowContexts: ${listed(context)}`);
  if (!(options.trust ?? variables["KFWD_TRUST"] === "1"))
    runtime.refuseUntrusted(good, options.kubeconfig, () => true);
  refuseMetadata(chosen, options.allowMetadata ?? [], (host) => `allowMetadata: ${listed(host)}`);
  const explicitName = options.project ?? (variables["KFWD_PROJECT"] || undefined);
  const { config, read, ownName } = good;
  const project = inEnvironment(explicitName ?? ownName, environment);
  return {
    plan: { config, read, forwards, ownName, explicitName, environment, project, allowContexts },
    chosen,
    warnings: parsed.warnings.map(({ message, hint, file, line, column }) => ({
      message,
      hint,
      file,
      line,
      column,
    })),
  };
}

/** An option's value that names one thing. */
function listed(name: string): string {
  return JSON.stringify([name]);
}

function requestOf(options: UpOptions, variables: Variables): LoadRequest {
  const { context, namespace, kubeconfig } = options;
  refuseBadNamespace(namespace);
  const files = listOf(options.file) ?? wordsOf(variables["KFWD_FILE"], delimiter);
  if (files.includes("-")) {
    throw new KfwdError("USAGE", "the library reads no standard input", { hint: "name a file" });
  }
  const isLocalRead = options.local ?? !variables["CI"];
  return {
    files,
    environment: options.env ?? (variables["KFWD_ENV"] || undefined),
    profiles: options.profiles ?? wordsOf(variables["KFWD_PROFILES"], ","),
    names: options.names ?? [],
    dotenvs: listOf(options.dotenv) ?? [],
    localFile: isLocalRead && files.length === 0 ? "read" : "ignore",
    allowContexts: options.allowContexts ?? [],
    overrides: {
      ...(context !== undefined && { context }),
      ...(namespace !== undefined && { namespace }),
      ...(kubeconfig !== undefined && { kubeconfig }),
    },
  };
}

function listOf(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof value === "string" ? [value] : value;
}

function wordsOf(text: string | undefined, separator: string): readonly string[] {
  return (text ?? "").split(separator).filter((word) => word !== "");
}

/** The first mistake is the message, all of them are its detail. */
function invalid(found: readonly Diagnostic[], more: number, texts: ReadonlyMap<string, string>): KfwdError {
  const [first] = found;
  if (first === undefined) return new KfwdError("CONFIG_INVALID", "the file has mistakes");
  const others = found.length + more - 1;
  const rest = others === 0 ? "" : `, and ${others} more`;
  return new KfwdError("CONFIG_INVALID", `${placeText(first)}: ${first.message}${rest}`, {
    hint: first.hint,
    detail: formatDiagnostics(found, more, texts),
    place: { file: first.file, line: first.line, column: first.column },
  });
}

/** Whole names only: what is typed as `forwards.kafka` must be one forward. */
function chosenOf(
  forwards: readonly ForwardSpec[],
  names: readonly string[] | undefined,
): readonly ForwardSpec[] {
  if (names === undefined) {
    if (forwards.length > 0) return forwards;
    const hint = "name forwards with `names`, or profiles with `profiles`";
    throw new KfwdError("NOTHING_SELECTED", "the file has no forward that is switched on", { hint });
  }
  if (names.length === 0) {
    const hint = "leave `names` out for all forwards";
    throw new KfwdError("NOTHING_SELECTED", "`names` is empty", { hint });
  }
  for (const name of names) refuseUnknown(name, forwards);
  return forwards.filter(({ name }) => names.includes(name));
}

function refuseUnknown(name: string, forwards: readonly ForwardSpec[]): void {
  const known = forwards.map((spec) => spec.name);
  if (known.includes(name)) return;
  const items = known.filter((one) => one.startsWith(`${name}:`));
  const hint =
    items.length === 0 ? suggestFrom(name, known, "known") : `it stands for several: ${items.join(", ")}`;
  throw new KfwdError("UNKNOWN_FORWARD", `no forward named "${name}"`, { hint });
}
