/** From what stands on a command line to the project that is meant, and who keeps it. */
import { dirname } from "node:path";
import { KfwdError } from "../errors.ts";
import { findConfig, foldersUpwards, projectNameOf } from "./configfile.ts";
import type { LockDeps, LockState } from "./daemon/inspect.ts";
import { inspect } from "./daemon/inspect.ts";
import { findRuntimeFolder, openRuntimeFolder, type PlaceFacts } from "./daemon/place.ts";
import { listProjects, projectFiles, projectId, type ProjectFiles } from "./daemon/projectfiles.ts";
import { readLock } from "./daemon/readlock.ts";
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
  /** `-p` or KFWD_PROJECT. */
  readonly name: string | undefined;
}

/** A project that may run or not. */
export interface Project {
  readonly files: ProjectFiles;
  /** How messages name it. */
  readonly shownAs: string;
}

/** `-p` names, as docker compose takes them. */
const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/**
 * The project of a file that is there, for `up`. Makes the runtime folder.
 * @throws KfwdError `RUNTIME_FOLDER`, `USAGE`.
 */
export function projectOfFile(
  around: Surroundings,
  configPath: string,
  name: string | undefined,
): { readonly runtimeFolder: string; readonly files: ProjectFiles } {
  checkName(name);
  const runtimeFolder = openRuntimeFolder(around.facts);
  return { runtimeFolder, files: projectFiles(runtimeFolder, idOf(around, configPath, name)) };
}

/**
 * The project a user means who wants to look at it or end it: by its name from anywhere, else by the file of this
 * folder, else by the folder alone if the file is gone. Undefined: there is no such project, nor was there one lately.
 * @throws KfwdError `CONFIG_NOT_FOUND` when there is neither a name nor a file, `RUNTIME_FOLDER`, `USAGE`.
 */
export function findProject(around: Surroundings, choice: ProjectChoice): Project | undefined {
  checkName(choice.name);
  const runtimeFolder = findRuntimeFolder(around.facts);
  const records = runtimeFolder === undefined ? [] : recordsIn(around, runtimeFolder);
  const configPath = configPathOf(around, choice);
  if (choice.name !== undefined) return byName(choice.name, configPath, records);
  if (configPath === undefined) return byFolder(around, choice, records);
  if (runtimeFolder === undefined) return undefined;
  const files = projectFiles(runtimeFolder, idOf(around, configPath, undefined));
  const known = records.find((one) => one.files.id === files.id);
  return { files, shownAs: known?.record.project ?? projectNameOf(dirname(configPath)) };
}

/** Who keeps the project, if anyone. Changes nothing. */
export function lookAt(around: Surroundings, project: Project, signal: AbortSignal): Promise<LockState> {
  return inspect(around.lockDeps, project.files, signal);
}

/** Projects that run from the same file under another name: what a user may have meant. */
export function namesakes(around: Surroundings, configPath: string): readonly string[] {
  const runtimeFolder = findRuntimeFolder(around.facts);
  if (runtimeFolder === undefined) return [];
  const records = recordsIn(around, runtimeFolder);
  return records
    .filter(({ record }) => record.config.path === configPath)
    .map(({ record }) => record.project);
}

interface Known {
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
  name: string,
  configPath: string | undefined,
  records: readonly Known[],
): Project | undefined {
  const bearers = records.filter(({ record }) => record.project === name);
  const here = bearers.filter(({ record }) => record.config.path === configPath);
  const [only, another] = here.length > 0 ? here : bearers;
  if (another !== undefined) {
    const paths = bearers.map(({ record }) => `  ${record.config.path ?? "<stdin>"} (pid ${record.pid})`);
    throw new KfwdError("USAGE", `several projects are called "${name}"`, {
      detail: paths.join("\n"),
      hint: "run this in the folder of the one you mean, or name its file with -f",
    });
  }
  return only && { files: only.files, shownAs: name };
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
    if (known) return { files: known.files, shownAs: known.record.project };
  }
  findConfig({ cwd: around.cwd, home: around.facts.home }, choice.file); // throws: there is none
  return undefined;
}

function configPathOf(around: Surroundings, { file, name }: ProjectChoice): string | undefined {
  if (file === "-") return stdinPath(around.cwd);
  try {
    return findConfig({ cwd: around.cwd, home: around.facts.home }, file);
  } catch (thrown) {
    if (name !== undefined || KfwdError.from(thrown).code === "CONFIG_NOT_FOUND") return undefined;
    throw thrown;
  }
}

/** Stands for the file of a project that came on standard input: one for each folder. */
export function stdinPath(cwd: string): string {
  return `${cwd}/<stdin>`;
}

function idOf(around: Surroundings, configPath: string, name: string | undefined): string {
  return projectId({ configPath, uid: around.facts.uid, explicitName: name ?? "" });
}

function checkName(name: string | undefined): void {
  if (name === undefined || NAME.test(name)) return;
  throw new KfwdError("USAGE", `"${name}" cannot be the name of a project`, {
    hint: "lower-case letters, digits, - and _, at most 63, beginning with a letter or digit",
  });
}
