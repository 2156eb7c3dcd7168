/** The names that completion offers: from the file, locks and kubeconfigs. Asks no cluster, and keeps silent. */
import type { Command } from "commander";
import { targetText } from "../runtime/index.ts";
import type { ProjectDetails } from "../schema/details.ts";
import type { ForwardSpec } from "../schema/spec.ts";
import type { NameKind } from "./completionline.ts";
import { chosenProject, loadRequest } from "./plan.ts";
import { localText } from "./render/forward.ts";
import { TOPICS } from "./topicnames.ts";
import type { ClusterFlags, World } from "./world.ts";

/** A word that may be chosen, and what to say of it. */
export interface Suggestion {
  readonly value: string;
  readonly about: string;
}

/** All of the kind that can be found; what cannot be read has none. */
export async function namesOf(
  world: World,
  program: Command,
  kind: NameKind,
  given: Partial<ClusterFlags>,
): Promise<readonly Suggestion[]> {
  const flags: ClusterFlags = { color: "never", ...given };
  switch (kind) {
    case "forwards":
      return forwards(world, flags);
    case "profiles":
      return bare((await detailsOf(world, { ...flags, profile: [] }))?.profiles.map(({ name }) => name));
    case "environments":
      return environments(await detailsOf(world, flags));
    case "namespaces":
      return namespaces(world, flags);
    case "contexts":
      return contexts(world, flags).map(({ name, namespace = "" }) => ({ value: name, about: namespace }));
    case "projects":
      return locksOf(world).map(({ record }) => ({ value: record.project, about: record.config.path ?? "" }));
    case "topics":
      return topics(program);
  }
}

async function forwards(world: World, flags: ClusterFlags): Promise<readonly Suggestion[]> {
  const details = await detailsOf(world, flags);
  const declared = (details?.entries ?? [])
    .filter(({ off }) => off !== "disabled")
    .map(({ spec }) => ({ value: spec.name, about: aboutForward(spec) }));
  const known = new Set(declared.map(({ value }) => value));
  const others = running(world, flags).filter(({ value }) => !known.has(value));
  return [...declared, ...others];
}

function aboutForward(spec: ForwardSpec): string {
  const { bind, local, protocol, description } = spec;
  const place = local === "auto" ? [] : [localText({ bind, localPort: local, protocol })];
  return [...place, description ?? targetText(spec)].join(" ");
}

/** By the project's lock alone: to ask its supervisor would make everybody wait for one that hangs. */
function running(world: World, flags: ClusterFlags): readonly Suggestion[] {
  return attempt(() => {
    const id = world.runtime.find(chosenProject(world, flags))?.files.id;
    const record = world.runtime.locks().find((lock) => lock.id === id)?.record;
    return (record?.forwards ?? []).map(({ name, bind, port, protocol }) => ({
      value: name,
      about: localText({ bind: bind.slice(0, 1), localPort: port, protocol }),
    }));
  });
}

function environments(details: ProjectDetails | undefined): readonly Suggestion[] {
  return (details?.environments ?? []).map((value) => ({
    value,
    about: value === details?.defaultEnvironment ? "default" : "",
  }));
}

async function namespaces(world: World, flags: ClusterFlags): Promise<readonly Suggestion[]> {
  const details = await detailsOf(world, flags);
  const inFile = (details?.entries ?? []).map(({ spec }) => spec.namespace);
  const inContexts = contexts(world, flags).map(({ namespace }) => namespace);
  return bare([...inFile, ...inContexts].filter((name) => name !== undefined));
}

function contexts(world: World, { kubeconfig }: ClusterFlags) {
  return attempt(() => world.runtime.contexts(kubeconfig));
}

function topics(program: Command): readonly Suggestion[] {
  const commands = program.createHelp().visibleCommands(program);
  const explained = commands.map((command) => ({ value: command.name(), about: command.description() }));
  return [...explained, ...TOPICS.map(([value, about]) => ({ value, about }))];
}

function bare(names: readonly string[] = []): readonly Suggestion[] {
  return [...new Set(names)].map((value) => ({ value, about: "" }));
}

function locksOf(world: World) {
  return attempt(() => world.runtime.locks());
}

/** Undefined where there is no file, or it has mistakes: `kfwd check` tells. */
async function detailsOf(world: World, flags: ClusterFlags): Promise<ProjectDetails | undefined> {
  try {
    const request = loadRequest(world, flags);
    if (request.files.includes("-")) return undefined; // it can be read once, by the command itself
    const { parsed } = await world.runtime.load(request);
    return parsed.kind === "valid" ? parsed.details : undefined;
  } catch {
    return undefined;
  }
}

function attempt<T>(look: () => readonly T[]): readonly T[] {
  try {
    return look();
  } catch {
    return [];
  }
}
