/** From what stands on a command line to the project that is meant, and who keeps it. */
import { dirname, resolve } from "node:path";
import { KfwdError } from "../errors.ts";
import { PROJECT_NAME, PROJECT_NAME_RULE } from "../schema/fields.ts";
import { findConfig, foldersUpwards, projectNameOf, readConfig } from "./files/configfile.ts";
import type { LockDeps, LockState } from "./daemon/inspect.ts";
import { inspect } from "./daemon/inspect.ts";
import { findRuntimeFolder, openRuntimeFolder, type PlaceFacts } from "./daemon/place.ts";
import { listProjects, projectFiles, projectId, realPath, type ProjectFiles } from "./daemon/projectfiles.ts";
import { readLock } from "./daemon/readlock.ts";
import { defaultEnvironmentIn, nameIn, readTops, type TopFiles } from "./files/topwords.ts";
import type { LockRecord } from "./wire/lockrecord.ts";

/** What a command knows of its surroundings. */
export interface Surroundings {
  readonly facts: PlaceFacts;
  readonly cwd: string;
  readonly lockDeps: LockDeps;
}

/** What a user may say to name a project. */
export interface ProjectChoice {
  /** `-f`; `-` means standard input. */
  readonly file: string | undefined;
  /** Further `-f`. */
  readonly overrides?: readonly string[];
  /** Whether `forwards.local.yaml` counts. Absent: it does not. */
  readonly localFile?: "read" | "ignore";
  /** `--dotenv`. */
  readonly dotenvs?: readonly string[];
  /** `-p` or KFWD_PROJECT; `shop@staging` names the environment, too. */
  readonly name: string | undefined;
  /** `-e` or KFWD_ENV. */
  readonly environment?: string | undefined;
}

/** A project that may run or not. */
export interface Project {
  readonly files: ProjectFiles;
  /** Its name: the one it runs under, else the one it would have. */
  readonly shownAs: string;
  /** Other names under which its file runs as well. */
  readonly namesakes: readonly string[];
}

/** A file that is there, and what its project is called. */
export interface NamedFile {
  readonly path: string;
  /** Without `-p`: the file's `name:`, else its folder's. */
  readonly ownName: string;
  /** `-p` or KFWD_PROJECT. */
  readonly explicitName: string | undefined;
  /** The one in force: each has a project of its own, so that they can run side by side. */
  readonly environment: string | undefined;
}

/** What a project of an environment is called. */
export function inEnvironment(name: string, environment: string | undefined): string {
  return environment === undefined ? name : `${name}@${environment}`;
}

/**
 * The project of a file that is there, for `up`. Makes the runtime folder.
 * @throws KfwdError `RUNTIME_FOLDER`, `USAGE`.
 */
export function projectOfFile(
  around: Surroundings,
  { path, ownName, explicitName, environment }: NamedFile,
): { readonly runtimeFolder: string; readonly files: ProjectFiles } {
  checkName(explicitName);
  const runtimeFolder = openRuntimeFolder(around.facts);
  const named = explicitName === undefined ? undefined : inEnvironment(explicitName, environment);
  const running = recordsIn(around, runtimeFolder).find(
    ({ record }) => record.config.path === path && record.project === named,
  );
  if (running !== undefined) return { runtimeFolder, files: running.files };
  // To be told the name that it has anyhow makes it no other project.
  const id = idOf(around, path, explicitName === ownName ? undefined : explicitName, environment);
  return { runtimeFolder, files: projectFiles(runtimeFolder, id) };
}

/**
 * The project a user means who wants to look at it or end it: by its name from anywhere, else by the file of this
 * folder, else by the folder alone if the file is gone. Undefined: none of that name runs, nor did one lately.
 * @throws KfwdError `CONFIG_NOT_FOUND` when there is neither a name nor a file, `CONFIG_UNREADABLE`, `RUNTIME_FOLDER`,
 * `USAGE`.
 */
export function findProject(around: Surroundings, choice: ProjectChoice): Project | undefined {
  checkName(choice.name?.split("@", 1)[0]);
  const runtimeFolder = findRuntimeFolder(around.facts);
  const records = recordsIn(around, runtimeFolder);
  const configPath = configPathOf(around, choice);
  if (choice.name !== undefined) return byName(around, choice.name, choice.environment, configPath, records);
  if (configPath === undefined) return byFolder(around, choice, records);
  const { cwd, facts } = around;
  const tops = topsOf(around, choice, configPath);
  const environment = choice.environment ?? defaultEnvironmentIn(tops, choice.dotenvs ?? [], facts.env, cwd);
  const files = projectFiles(runtimeFolder, idOf(around, configPath, undefined, environment));
  const ofFile = records.filter(({ record }) => record.config.path === configPath);
  const known = records.find((one) => one.files.id === files.id);
  const [only, another] = ofFile;
  const isGone = known === undefined && choice.environment === undefined && only && another === undefined;
  if (isGone && tops.files.length === 0 && choice.file !== "-") {
    return { files: only.files, shownAs: only.record.project, namesakes: [] };
  }
  if (known === undefined && choice.file !== "-") readConfig(configPath, cwd); // throws when it is not there
  const folder = tops.files[0]?.folder ?? dirname(configPath);
  const shownAs = known?.record.project ?? inEnvironment(nameIn(tops) ?? projectNameOf(folder), environment);
  const others = ofFile.filter((one) => one !== known);
  return { files, shownAs, namesakes: others.map(({ record }) => record.project) };
}

/** Who keeps the project, if anyone. Changes nothing. */
export function lookAt(around: Surroundings, project: Project, signal: AbortSignal): Promise<LockState> {
  return inspect(around.lockDeps, project.files, signal);
}

/** Every project that has a lock that can be read. @throws KfwdError `RUNTIME_FOLDER`. */
export function knownProjects(around: Surroundings): readonly Known[] {
  return recordsIn(around, findRuntimeFolder(around.facts));
}

/** A lock's content and where it lies. */
export interface Known {
  readonly files: ProjectFiles;
  readonly record: LockRecord;
}

function recordsIn(around: Surroundings, runtimeFolder: string): readonly Known[] {
  return listProjects(runtimeFolder).flatMap((files) => {
    const reading = readLock(files.lock, around.facts.uid);
    return reading.kind === "value" ? [{ files, record: reading.value }] : [];
  });
}

function byName(
  around: Surroundings,
  name: string,
  environment: string | undefined,
  configPath: string | undefined,
  records: readonly Known[],
): Project | undefined {
  const bearers = bearersOf(name, environment, records);
  const here = bearers.filter(({ record }) => record.config.path === configPath);
  const [only, another] = here.length > 0 ? here : bearers;
  // Two of one file: it took the name that another one had been started with.
  const asked = configPath === undefined ? undefined : idOf(around, configPath, name, environment);
  const started = here.find(({ files }) => files.id === asked);
  if (another !== undefined && started === undefined) {
    const names = new Set(bearers.map(({ record }) => record.project));
    const paths = bearers.map(
      ({ record }) =>
        `  ${names.size > 1 ? `${record.project}: ` : ""}${record.config.path ?? "<stdin>"} (pid ${record.pid})`,
    );
    throw new KfwdError("USAGE", `several projects are called "${name}"`, {
      detail: paths.join("\n"),
      hint:
        names.size > 1
          ? "name the environment with -e"
          : "run this in the folder of the one you mean, or name its file with -f",
    });
  }
  const found = started ?? only;
  return found && { files: found.files, shownAs: found.record.project, namesakes: [] };
}

/** Who runs under a name: without an environment those of any, if none has the bare name. */
function bearersOf(
  name: string,
  environment: string | undefined,
  records: readonly Known[],
): readonly Known[] {
  const full = inEnvironment(name, environment);
  const exact = records.filter(({ record }) => record.project === full);
  if (exact.length > 0 || environment !== undefined) return exact;
  return records.filter(({ record }) => record.project.startsWith(`${name}@`));
}

function byFolder(
  around: Surroundings,
  choice: ProjectChoice,
  records: readonly Known[],
): Project | undefined {
  for (const folder of foldersUpwards({ cwd: around.cwd, home: around.facts.home })) {
    const known = records.find(
      ({ record }) => record.config.path !== null && dirname(record.config.path) === folder,
    );
    if (known) return { files: known.files, shownAs: known.record.project, namesakes: [] };
  }
  findConfig({ cwd: around.cwd, home: around.facts.home }, choice.file); // throws: there is none
  return undefined;
}

/** What came on standard input cannot be asked again. */
function topsOf(
  { cwd, facts }: Surroundings,
  { file, overrides = [], localFile = "ignore", dotenvs = [] }: ProjectChoice,
  configPath: string,
): TopFiles {
  if (configPath === stdinPath(cwd)) return { files: [], local: undefined };
  const base = findConfig({ cwd, home: facts.home }, file);
  const others = overrides.filter((path) => path !== "-").map((path) => resolve(cwd, path));
  return readTops({ base, overrides: others, localFile, dotenvs }, cwd);
}

function configPathOf(around: Surroundings, { file, name }: ProjectChoice): string | undefined {
  if (file === "-") return stdinPath(around.cwd);
  try {
    return realPath(findConfig({ cwd: around.cwd, home: around.facts.home }, file));
  } catch (thrown) {
    if (name !== undefined || KfwdError.from(thrown).code === "CONFIG_NOT_FOUND") return undefined;
    throw thrown;
  }
}

/** Stands for the file of a project that came on standard input: one for each folder. */
export function stdinPath(cwd: string): string {
  return `${cwd}/<stdin>`;
}

function idOf(
  around: Surroundings,
  configPath: string,
  name: string | undefined,
  environment: string | undefined,
): string {
  return projectId({
    configPath,
    uid: around.facts.uid,
    explicitName: inEnvironment(name ?? "", environment),
  });
}

function checkName(name: string | undefined): void {
  if (name === undefined || PROJECT_NAME.test(name)) return;
  throw new KfwdError("USAGE", `"${name}" cannot be the name of a project`, {
    hint: `a name is ${PROJECT_NAME_RULE}`,
  });
}
