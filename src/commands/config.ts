/** `kfwd config`: what the files come to once they are merged and filled in. */
import { createHash } from "node:crypto";
import type { ProjectDetails, VariableUse } from "../schema/details.ts";
import { placeText } from "../schema/diagnostic.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import { refuseUnknownProfiles } from "../runtime/index.ts";
import { refuseUnfit } from "./dotenv.ts";
import { Output } from "./output.ts";
import { chosenName, loadRequest, readFiles, tellParsed } from "./plan.ts";
import { configFields, configYaml } from "./render/configtext.ts";
import { variablesText } from "./render/shells.ts";
import type { FileFlags, World } from "./world.ts";

export interface ConfigFlags extends FileFlags {
  readonly output?: "yaml" | "json";
  readonly origin?: boolean;
  readonly names?: boolean;
  readonly profiles?: boolean;
  readonly environments?: boolean;
  readonly variables?: boolean;
  readonly environment?: boolean;
  readonly hash?: boolean;
}

export async function config(world: World, flags: ConfigFlags): Promise<number> {
  const isJson = flags.json === true || flags.output === "json";
  const out = new Output(world, isJson ? { ...flags, json: true } : flags);
  if (flags.variables) return listVariables(world, flags, out, isJson);
  const loaded = await readFiles(world, loadRequest(world, flags), out);
  if (loaded === undefined) return 2;
  refuseUnknownProfiles(loaded.parsed.details, flags.profile ?? []);
  const { parsed, ownName } = loaded;
  const { project, details } = parsed;
  const list = listOf(flags, project.forwards, details, isJson);
  if (list !== undefined) return tellList(list, out, isJson);
  const name = chosenName(world, flags) ?? ownName;
  const { environment, protect } = project;
  const fields = configFields({ name, environment, protect }, details);
  if (isJson)
    out.json({
      schema: "kfwd.config/1",
      environment: environment ?? null,
      ...fields,
      ...origins(flags, details),
    });
  else out.data(configYaml(fields, flags.origin ? details : undefined));
  return 0;
}

interface List {
  readonly lines: readonly string[];
  readonly json: object;
}

function tellList(list: List, out: Output, isJson: boolean): number {
  if (isJson) out.json({ schema: "kfwd.config/1", ...list.json });
  else if (list.lines.length > 0) out.data(list.lines.join("\n"));
  return 0;
}

/** Also of files that cannot be used yet, because some variables are not set: this is how one finds out which. */
async function listVariables(
  world: World,
  flags: ConfigFlags,
  out: Output,
  isJson: boolean,
): Promise<number> {
  const { parsed } = await world.runtime.load(loadRequest(world, flags));
  const unset = parsed.kind === "invalid" ? parsed.variables : undefined;
  if (unset === undefined) tellParsed(world, parsed, out);
  if (parsed.kind === "valid") refuseUnknownProfiles(parsed.details, flags.profile ?? []);
  const variables =
    parsed.kind === "valid" ? [...parsed.details.variables, ...parsed.details.idleVariables] : unset;
  return variables === undefined ? 2 : tellList(variableList(together(variables)), out, isJson);
}

/** What the flags ask for in place of the whole. */
function listOf(
  flags: ConfigFlags,
  forwards: readonly ForwardSpec[],
  details: ProjectDetails,
  isJson: boolean,
): List | undefined {
  if (flags.names) {
    const names = forwards.map(({ name }) => name);
    return { lines: names, json: { names } };
  }
  if (flags.profiles) {
    const profiles = details.profiles.map(({ name }) => name);
    return { lines: profiles, json: { profiles: details.profiles } };
  }
  if (flags.environments) {
    const { environments, defaultEnvironment = null } = details;
    return { lines: environments, json: { environments, defaultEnvironment } };
  }
  if (flags.environment) return environmentList(details.variables, isJson);
  if (flags.hash) {
    const hashes = forwards.map((spec) => [spec.name, hashOf(spec)] as const);
    return { lines: hashes.map((pair) => pair.join(" ")), json: { hashes: Object.fromEntries(hashes) } };
  }
  return undefined;
}

/** What is used in several environments alike is told once. */
function together(variables: readonly VariableUse[]): readonly VariableUse[] {
  const known = new Map<string, VariableUse>();
  for (const { places, ...use } of variables) {
    const key = JSON.stringify([use.name, use.default, use.value]);
    const same = known.get(key);
    const required = use.required || same?.required === true;
    known.set(key, { ...use, required, places: [...(same?.places ?? []), ...places] });
  }
  return [...known.values()];
}

function variableList(variables: readonly VariableUse[]): List {
  const rows = variables.map(({ places, ...use }) => [
    use.name,
    originOf(use),
    places.map(placeText).join(", "),
  ]);
  const head = ["VARIABLE", "FROM", "USED AT"];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return { lines: rows.length === 0 ? [] : lines, json: { variables: variables.map(withValue) } };
}

function originOf({ default: fallback, required, value, from }: Omit<VariableUse, "places">): string {
  if (value !== undefined) return from ?? "";
  if (fallback !== undefined) return `default ${JSON.stringify(fallback)}`;
  return required ? "not set, required" : "not set";
}

/** As JSON has it. */
function withValue(use: VariableUse): object {
  return { ...use, value: use.value ?? null };
}

function environmentList(variables: readonly VariableUse[], isJson: boolean): List {
  const values = new Map<string, string>();
  for (const { name, value, default: fallback } of variables) {
    const used = value ?? fallback;
    if (used !== undefined) values.set(name, used);
  }
  const json = { variables: Object.fromEntries(values) };
  if (values.size === 0 || isJson) return { lines: [], json };
  const text = variablesText(values, "dotenv", "");
  refuseUnfit(text, values);
  return { lines: text.split("\n"), json };
}

/** By what it means, not by where it stands or how it was written. */
function hashOf({ source: _source, ...spec }: ForwardSpec): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(spec)))
    .digest("hex")
    .slice(0, 16);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(pairs.map(([key, one]) => [key, sorted(one)]));
}

function origins(flags: ConfigFlags, { entries }: ProjectDetails): object {
  if (!flags.origin) return {};
  return { origins: Object.fromEntries(entries.map(({ spec, origins: of }) => [spec.name, of])) };
}
