/** Reads all files of a project and what stands around them: the I/O that src/schema must not do. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join, relative, resolve } from "node:path";
import { readRegularFile, statIfThere } from "../../readfile.ts";
import type { Facts } from "../../schema/assemble.ts";
import type { ProjectFiles } from "../../schema/compile.ts";
import type { FileText } from "../../schema/layer.ts";
import { parseProject, type ParseResult } from "../../schema/parse.ts";
import type { Overrides } from "../../schema/rawentry.ts";
import { composePorts } from "./composeports.ts";
import {
  configFromText,
  findConfig,
  localPathOf,
  projectNameOf,
  readConfig,
  rivalsOf,
  type ConfigText,
} from "./configfile.ts";
import { isInGitIndex } from "./gitindex.ts";
import { includeReader, projectRoot } from "./includefile.ts";
import { VariableSource } from "./variablefiles.ts";

/** Which files to read, and what of them is meant. */
export interface LoadRequest {
  /** `-f` in their order, `-` for standard input; empty: the project's file is searched for. */
  readonly files: readonly string[];
  /** `-e`; undefined: the file's `defaultEnvironment`. */
  readonly environment?: string | undefined;
  /** `--profile`. */
  readonly profiles?: readonly string[];
  /** Forwards that were named: their profiles do not matter. */
  readonly names?: readonly string[];
  /** `--dotenv` in their order; empty: `.env` beside each file. */
  readonly dotenvs?: readonly string[];
  /** Whether `forwards.local.yaml` beside the file is read if it is there. */
  readonly localFile?: "read" | "ignore";
  /** `--allow-context`. */
  readonly allowContexts?: readonly string[];
  readonly overrides: Overrides;
}

/** The project's files, and what they say or what is wrong with them. */
export interface LoadedConfig {
  /** The project's own file, which the others add to. */
  readonly config: ConfigText;
  readonly parsed: ParseResult;
  /** The project's name unless `-p` says another: the file's `name:`, else its folder's. */
  readonly ownName: string;
  /** The folder that its files must not leave. */
  readonly root: string;
  /** Of every file that was read, for whoever must know whether one was changed since. */
  readonly read: readonly { readonly path: string; readonly sha256: string }[];
}

/** What loading needs of the world. */
export interface LoadWorld {
  readonly cwd: string;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly version: string;
  readonly readStdin: () => Promise<string>;
}

/** Reads and checks the files. @throws KfwdError `CONFIG_NOT_FOUND`, `CONFIG_UNREADABLE`. */
export async function loadProject(world: LoadWorld, request: LoadRequest): Promise<LoadedConfig> {
  const { cwd, home } = world;
  const [first, ...more] = request.files;
  const config = await readBase(world, first);
  const root = projectRoot(config.folder);
  const read = new Map<string, string>();
  const onRead = (path: string, bytes: Buffer): void => {
    read.set(path, createHash("sha256").update(bytes).digest("hex"));
  };
  const variables = new VariableSource(world.env, request.dotenvs ?? [], cwd, onRead);
  const asFile = ({ shownAs, path, folder, text, sha256 }: ConfigText): FileText => {
    if (path !== null) read.set(path, sha256);
    return { name: shownAs, path, folder, home, root, text, variables: variables.of(folder) };
  };
  const files: ProjectFiles["files"][number][] = [{ role: "base", file: asFile(config) }];
  for (const path of more) {
    const override =
      path === "-" ? configFromText(await world.readStdin(), cwd) : readConfig(resolve(cwd, path), cwd);
    files.push({ role: "override", file: asFile(override) });
  }
  const local = request.localFile === "read" ? readLocal(config, cwd) : undefined;
  if (local !== undefined) files.push({ role: "local", file: asFile(local) });
  const include = includeReader({ root, home, cwd, variables }, onRead);
  const { kubeconfig } = request.overrides; // as the user wrote it, relative to the working folder
  const overrides = { ...request.overrides, ...(kubeconfig && { kubeconfig: resolve(cwd, kubeconfig) }) };
  const rivals = first === undefined ? rivalsOf(resolve(cwd, config.shownAs)) : [];
  const facts = { ...factsOf(world, config, root, local), rivals };
  const parsed = parseProject({ files, include }, { ...request, overrides }, facts);
  const named = parsed.kind === "valid" ? parsed.project.name : undefined;
  return {
    config,
    parsed,
    ownName: named ?? projectNameOf(config.folder),
    root,
    read: [...read].map(([path, sha256]) => ({ path, sha256 })),
  };
}

async function readBase(world: LoadWorld, file: string | undefined): Promise<ConfigText> {
  const { cwd, home } = world;
  if (file === "-") return configFromText(await world.readStdin(), cwd);
  return readConfig(findConfig({ cwd, home }, file), cwd);
}

function readLocal(config: ConfigText, cwd: string): ConfigText | undefined {
  const path = localPathOf(config, cwd);
  return path === undefined ? undefined : readConfig(path, cwd);
}

const COMPOSE_NAMES = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
const COMPOSE_MAX_BYTES = 256 * 1024;
const INDEX_MAX_BYTES = 64 * 1024 * 1024;

function factsOf(world: LoadWorld, config: ConfigText, root: string, local: ConfigText | undefined): Facts {
  const tracked = local?.path ? isTracked(root, local.path) : false;
  return {
    version: world.version,
    dockerAddress: world.platform === "linux" ? dockerBridge() : undefined,
    published: publishedBeside(config.folder),
    isLocalTracked: tracked,
  };
}

/** Where containers of a Docker engine on this machine reach it; Docker Desktop needs no such address. */
function dockerBridge(): string | undefined {
  return networkInterfaces()["docker0"]?.find(({ family }) => family === "IPv4")?.address;
}

function publishedBeside(folder: string): ReadonlyMap<number, string> {
  const name = COMPOSE_NAMES.find((one) => existsSync(join(folder, one)));
  if (name === undefined) return new Map();
  try {
    const text = readRegularFile(join(folder, name), COMPOSE_MAX_BYTES).toString("utf8");
    return new Map([...composePorts(text)].map(([port, service]) => [port, `"${service}" of ${name}`]));
  } catch {
    return new Map(); // a hint is lost, nothing else
  }
}

function isTracked(root: string, path: string): boolean {
  try {
    const index = readRegularFile(join(gitFolder(root), "index"), INDEX_MAX_BYTES);
    return isInGitIndex(index, relative(root, path).replaceAll("\\", "/"));
  } catch {
    return false; // no repository, or one that is not ours to read
  }
}

/** In a worktree `.git` is a file that says where the rest is. */
function gitFolder(root: string): string {
  const path = join(root, ".git");
  if (!statIfThere(path)?.isFile()) return path;
  const elsewhere = /^gitdir: (.+)$/m.exec(readFileSync(path, { encoding: "utf8" }))?.[1];
  return elsewhere === undefined ? path : resolve(root, elsewhere);
}
