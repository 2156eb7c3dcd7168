/** Variables for the file: those of the process, then those of `.env` files. */
import { basename, join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { errnoOf, fileTrouble } from "../../errno.ts";
import { KfwdError } from "../../errors.ts";
import { NotAFile, readRegularFile } from "../../readfile.ts";
import type { Variables } from "../../schema/interpolation.ts";

const ENV_FILE_MAX_BYTES = 256 * 1024;

type Environment = Readonly<Record<string, string | undefined>>;

/** Told of each file that is read. */
type OnRead = (path: string, bytes: Buffer) => void;

/** Where the variables of a project come from. */
export class VariableSource {
  readonly #env: Environment;
  readonly #named: readonly Environment[];
  readonly #onRead: OnRead;

  /**
   * `named`: the files of `--dotenv`, which take the place of every `.env`.
   * @throws KfwdError `CONFIG_NOT_FOUND`, `CONFIG_UNREADABLE`.
   */
  constructor(env: Environment, named: readonly string[], cwd: string, onRead: OnRead = () => {}) {
    this.#env = env;
    this.#onRead = onRead;
    this.#named = named.map((path) => readEnvFile(resolve(cwd, path), onRead));
  }

  /** The variables for files of a folder. @throws KfwdError `CONFIG_UNREADABLE`. */
  of(folder: string): Variables {
    const beside = this.#named.length > 0 ? [] : [readIfThere(join(folder, ".env"), this.#onRead)];
    const files = Object.assign(nothing(), ...this.#named, ...beside);
    const env = this.#env;
    return {
      get: (name) => {
        const own = Object.hasOwn(env, name) ? env[name] : undefined;
        if (own !== undefined) return { value: own, from: "process" };
        const value: unknown = files[name];
        return typeof value === "string" ? { value, from: "file" } : undefined;
      },
    };
  }
}

function nothing(): Record<string, unknown> {
  return Object.create(null);
}

function readIfThere(path: string, onRead: OnRead): Environment {
  try {
    return readEnvFile(path, onRead);
  } catch (thrown) {
    if (thrown instanceof KfwdError && thrown.code === "CONFIG_NOT_FOUND") return {};
    throw thrown;
  }
}

function readEnvFile(path: string, onRead: OnRead): Environment {
  let bytes: Buffer;
  try {
    bytes = readRegularFile(path, ENV_FILE_MAX_BYTES + 1);
  } catch (thrown) {
    const isFolder = thrown instanceof NotAFile && basename(path) === ".env";
    const errno = errnoOf(thrown);
    if (isFolder || errno === "ENOENT" || errno === "ENOTDIR") {
      const hint = "name another with --dotenv";
      throw new KfwdError("CONFIG_NOT_FOUND", `there is no file "${path}"`, { hint, cause: thrown });
    }
    const why = thrown instanceof NotAFile ? thrown.message : fileTrouble(thrown);
    throw new KfwdError("CONFIG_UNREADABLE", `cannot read "${path}": ${why}`, { cause: thrown });
  }
  if (bytes.length > ENV_FILE_MAX_BYTES) {
    const most = `${ENV_FILE_MAX_BYTES / 1024} KiB`;
    throw new KfwdError("CONFIG_UNREADABLE", `cannot read "${path}": it is larger than ${most}`);
  }
  onRead(path, bytes);
  return parseEnv(bytes.toString("utf8"));
}
