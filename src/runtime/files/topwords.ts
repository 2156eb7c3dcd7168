/** What the files of a project say at their top, whatever else is wrong in them: which project it is. */
import { KfwdError } from "../../errors.ts";
import { ENVIRONMENT_NAME } from "../../schema/fields.ts";
import { interpolateText } from "../../schema/interpolation.ts";
import { projectNameIn, topTextsIn } from "../../schema/parse.ts";
import { localPathOf, readConfig, type ConfigText } from "./configfile.ts";
import { VariableSource } from "./variablefiles.ts";

/** Files as a command line names them, the base first. */
export interface NamedFiles {
  readonly base: string;
  /** Further `-f`. */
  readonly overrides: readonly string[];
  /** Whether `forwards.local.yaml` beside the base counts if it is there. */
  readonly localFile: "read" | "ignore";
  /** `--dotenv`. */
  readonly dotenvs: readonly string[];
}

/** The files that are there, in the order in which they are laid over each other; `local` is not among `files`. */
export interface TopFiles {
  readonly files: readonly ConfigText[];
  readonly local: ConfigText | undefined;
}

/** @throws KfwdError `CONFIG_UNREADABLE`. */
export function readTops({ base, overrides, localFile }: NamedFiles, cwd: string): TopFiles {
  const files = [base, ...overrides].flatMap((path) => configIfThere(path, cwd) ?? []);
  const [first] = files;
  const local = first && localFile === "read" ? localPathOf(first, cwd) : undefined;
  return { files, local: local === undefined ? undefined : configIfThere(local, cwd) };
}

/** The last `name:` of the files; undefined where none has one that may be used. */
export function nameIn({ files }: TopFiles): string | undefined {
  return files.map(({ text }) => projectNameIn(text)).findLast((name) => name !== undefined);
}

/** The environment in force without `-e`. */
export function defaultEnvironmentIn(
  { files, local }: TopFiles,
  dotenvs: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): string | undefined {
  const all = local === undefined ? files : [...files, local];
  const speaking = all.filter(({ text }) => text.includes("defaultEnvironment")); // spares most files a second reading
  const last = speaking
    .map(({ text, folder }) => ({
      folder,
      word: topTextsIn(text, ["defaultEnvironment"])["defaultEnvironment"],
    }))
    .findLast(({ word }) => word !== undefined);
  if (last?.word === undefined) return undefined;
  const variables = new VariableSource(env, dotenvs, cwd).of(last.folder);
  const { text: name, unfit } = interpolateText(last.word, variables);
  return unfit.length === 0 && ENVIRONMENT_NAME.test(name) ? name : undefined;
}

function configIfThere(path: string, cwd: string): ConfigText | undefined {
  try {
    return readConfig(path, cwd);
  } catch (thrown) {
    if (KfwdError.from(thrown).code === "CONFIG_NOT_FOUND") return undefined;
    throw thrown;
  }
}
