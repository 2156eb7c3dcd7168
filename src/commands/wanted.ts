/** What `up` and `run` want of the files: read when they begin, and by `up` again when they change. */
import { resolve, dirname, basename, extname, join } from "node:path";
import { KfwdError } from "../errors.ts";
import { refuseMetadata, type UpPlan } from "../runtime/index.ts";
import type { Output } from "./output.ts";
import { chooseAgain, chooseNames, loadRequest, readPlan, type Chosen } from "./plan.ts";
import { touchArgs, type TouchFlags } from "./touched.ts";
import { withTtl } from "./ttl.ts";
import type { ClusterFlags, World } from "./world.ts";

/** Flags that say what is wanted. */
export interface WantedFlags extends ClusterFlags {
  readonly allowMetadata?: readonly string[];
  readonly ttl?: string;
}

/** The files as a plan, and the forwards that are meant. */
export interface Wanted {
  readonly plan: UpPlan;
  readonly chosen: Chosen;
}

/**
 * `before`: what was chosen of the same files by name when they were read before; what has left them since is no mistake.
 * Undefined when the files are not fit for use, which has been said then. @throws KfwdError of exit status 2.
 */
export async function readWanted(
  world: World,
  flags: WantedFlags & TouchFlags,
  names: readonly string[],
  out: Output,
  before?: readonly string[],
): Promise<Wanted | undefined> {
  const choose = (known: readonly string[]): readonly string[] =>
    before === undefined ? chooseNames(names, known) : chooseAgain(names, before, known);
  const named = [...names, ...(before ?? [])];
  const plan = await readPlan(world, flags, named, out, "start", choose);
  if (plan === undefined) return undefined;
  const known = plan.forwards.map(({ name }) => name);
  const gone = before?.filter((name) => !known.includes(name)) ?? [];
  const chosen: Chosen = { names: choose(known), only: named.length > 0, gone };
  refuseMetadata(
    plan.forwards.filter(({ name }) => chosen.names.includes(name)),
    flags.allowMetadata ?? [],
    (host) => `\`--allow-metadata ${host}\``,
  );
  const lasting = withTtl(plan, chosen.names, flags.ttl);
  return { plan: { ...lasting, again: againOf(world, flags, plan, chosen) }, chosen };
}

/**
 * The command line that reads the same files in the same way, without the names, and without `--trust`, which was for
 * the files as they were. Undefined where they came on standard input.
 */
function againOf(
  world: World,
  flags: WantedFlags & TouchFlags,
  plan: UpPlan,
  { only }: Chosen,
): UpPlan["again"] {
  const { files, profiles = [], dotenvs = [], localFile, overrides } = loadRequest(world, flags);
  if (plan.config.path === null || files.includes("-")) return undefined;
  const many = (flag: string, values: readonly string[]): readonly string[] =>
    values.map((value) => `${flag}=${value}`);
  const absolute = (path: string): string => resolve(world.cwd, path);
  const one = (flag: string, value: string | undefined): readonly string[] =>
    value === undefined ? [] : [`${flag}=${value}`];
  const args = [
    ...many("--file", files.map(absolute)),
    ...one("--env", plan.environment),
    ...one("--project", plan.explicitName),
    ...many("--profile", profiles),
    ...many("--dotenv", dotenvs.map(absolute)),
    ...(localFile === "ignore" ? ["--no-local"] : []),
    ...one("--context", overrides.context),
    ...one("--namespace", overrides.namespace),
    ...one("--kubeconfig", overrides.kubeconfig && absolute(overrides.kubeconfig)),
    ...many("--allow-context", flags.allowContext ?? []),
    ...(flags.allowMetadata ? [`--allow-metadata=${flags.allowMetadata.join(",")}`] : []),
    ...one("--ttl", only ? undefined : flags.ttl), // of those that were named: they have theirs
    ...touchArgs(flags),
  ];
  // Who finds it there finds no other file that has come to lie nearer to where we are now.
  return { args, cwd: files.length === 0 ? dirname(absolute(plan.config.shownAs)) : world.cwd };
}

/** The files as they were last read: where they lie, and text that is another one when they say something else. */
export interface Reading {
  readonly paths: readonly string[];
  readonly mark: string;
}

/** Reads the files without a word, whether they are right or wrong. */
export async function readingOf(
  world: World,
  flags: WantedFlags,
  config: UpPlan["config"],
): Promise<Reading> {
  const beside = neighbours(world, flags, config);
  try {
    const { read } = await world.runtime.load(loadRequest(world, flags));
    return { paths: [...read.map(({ path }) => path), ...beside], mark: markOf(read) };
  } catch (thrown) {
    return { paths: beside, mark: KfwdError.from(thrown).message };
  }
}

/** Text that is another one when a file has changed, or another one is read. */
export function markOf(read: UpPlan["read"]): string {
  return read.map(({ path, sha256 }) => `${path} ${sha256}`).join("\n");
}

/** Files that count once they are there, and the links that lead to those that were read. */
function neighbours(world: World, flags: WantedFlags, config: UpPlan["config"]): readonly string[] {
  const { files, dotenvs = [] } = loadRequest(world, flags);
  const named = [config.shownAs, ...files]
    .filter((path) => path !== "-")
    .map((path) => resolve(world.cwd, path));
  const folders = new Set([...named.map((path) => dirname(path)), config.folder]);
  const besides = named.map((path) => {
    const extension = extname(path);
    return join(dirname(path), `${basename(path, extension)}.local${extension}`);
  });
  const dotenv = dotenvs.map((path) => resolve(world.cwd, path));
  return [
    ...named,
    ...(config.path === null ? [] : [config.path]),
    ...besides,
    ...dotenv,
    ...[...folders].map((folder) => join(folder, ".env")),
  ];
}
