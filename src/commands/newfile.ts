/** Files that a command is given, and new ones that it writes: what is there already stays as it is. */
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { errnoOf, fileTrouble } from "../errno.ts";
import { KfwdError } from "../errors.ts";
import { INPUT_MAX_BYTES, NotAFile, readRegularFile } from "../readfile.ts";
import type { World } from "./world.ts";

/** More than any tool's configuration has. */

/** The text of a file that was named on the command line. @throws KfwdError `CONFIG_UNREADABLE`. */
export function readNamed({ cwd }: World, path: string): string {
  try {
    return readRegularFile(resolve(cwd, path), INPUT_MAX_BYTES).toString("utf8");
  } catch (thrown) {
    const why = thrown instanceof NotAFile ? thrown.message : fileTrouble(thrown);
    throw new KfwdError("CONFIG_UNREADABLE", `cannot read "${path}": ${why}`, { cause: thrown });
  }
}

/** @throws KfwdError `USAGE` when the file is there, or cannot be written. */
export function writeNew({ cwd }: World, path: string, text: string): void {
  try {
    writeFileSync(resolve(cwd, path), text, { flag: "wx" });
  } catch (thrown) {
    if (errnoOf(thrown) === "EEXIST") {
      throw new KfwdError("USAGE", `"${path}" is there already, and is left as it is`, {
        hint: "name another file, or move that one away",
        cause: thrown,
      });
    }
    const hint = "name a file in a folder that is there and is yours";
    throw new KfwdError("USAGE", `cannot write "${path}": ${fileTrouble(thrown)}`, { hint, cause: thrown });
  }
}
