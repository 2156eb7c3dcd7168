/** Makes folders that only this user can use. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf } from "../../errno.ts";

/**
 * Makes a folder, mode 0700, and the parents it lacks; whatever is there already stays as it is. Not by mkdir's
 * `recursive`: in a file system that takes no folders, such as /proc, Node tries for ever, and on a read-only one it
 * names the wrong cause.
 * @throws what mkdir(2) says.
 */
export function makeFolder(path: string): void {
  if (tryToMake(path) === "made") return;
  makeFolder(dirname(path));
  if (tryToMake(path) === "noParent") mkdirSync(path, { mode: 0o700 }); // says why
}

function tryToMake(path: string): "made" | "noParent" {
  try {
    mkdirSync(path, { mode: 0o700 });
    return "made";
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === "EEXIST") return "made";
    if (errno === "ENOENT" && dirname(path) !== path) return "noParent";
    throw thrown;
  }
}
