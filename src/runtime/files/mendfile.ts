/** Writes changes into a file of the user: all of them or none, and only if it is still the file that was read. */
import { createHash, randomBytes } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileTrouble } from "../../errno.ts";
import { KfwdError, type ErrorExtras } from "../../errors.ts";
import { shellWord } from "../../shellword.ts";
import { shownPath } from "./configfile.ts";

/** A stretch of the text, without a byte order mark, and what takes its place. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A file before and after; both texts without a byte order mark. */
export interface Mended {
  readonly before: string;
  readonly after: string;
}

const BYTE_ORDER_MARK = "\ufeff";

/** What the edits would make of the file. @throws KfwdError `CONFIG_UNREADABLE` when it is not the one that was read. */
export function mendText(path: string, sha256: string, edits: readonly Edit[], cwd: string): Mended {
  const before = textOf(path, sha256, cwd).replace(BYTE_ORDER_MARK, "");
  let after = before;
  for (const { start, end, text } of edits.toSorted((a, b) => b.start - a.start))
    after = after.slice(0, start) + text + after.slice(end);
  return { before, after };
}

/** Refuses what a rename would get around: a file not to be written, and one that others share. @throws KfwdError `CONFIG_UNREADABLE`. */
export function refuseUnwritable(path: string, cwd: string): void {
  const refusal = (why: string, extras: ErrorExtras): KfwdError =>
    new KfwdError("CONFIG_UNREADABLE", `cannot write "${shownPath(path, cwd)}": ${why}`, extras);
  try {
    const { mode, nlink } = statSync(path);
    // root may write it all the same, so its mode is asked, too
    const isReadOnly = (mode & constants.S_IWUSR) === 0;
    if (isReadOnly)
      throw refusal("it is read-only", { hint: `chmod u+w ${shellWord(shownPath(path, cwd))}` });
    if (nlink > 1)
      throw refusal(`it has ${nlink} hard links, of which this one alone would be mended`, {
        hint: "mend the lines yourself: kfwd check --fix --dry-run",
      });
    accessSync(path, constants.W_OK);
  } catch (thrown) {
    throw thrown instanceof KfwdError ? thrown : refusal(fileTrouble(thrown), { cause: thrown });
  }
}

/** Puts the text in the place of the file, which keeps its mode and byte order mark. @throws KfwdError `CONFIG_UNREADABLE`. */
export function replaceFile(path: string, sha256: string, text: string, cwd: string): void {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}`);
  try {
    const mark = textOf(path, sha256, cwd).startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : "";
    const handle = openSync(temporary, "wx", 0o600);
    try {
      writeFileSync(handle, mark + text); // all of it: `writeSync` says nothing of what a full disk did not take
      fchmodSync(handle, statSync(path).mode & 0o777);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    textOf(path, sha256, cwd); // an editor may have saved it meanwhile
    renameSync(temporary, path);
  } catch (thrown) {
    rmSync(temporary, { force: true });
    if (thrown instanceof KfwdError) throw thrown;
    const message = `cannot write "${shownPath(path, cwd)}": ${fileTrouble(thrown)}`;
    throw new KfwdError("CONFIG_UNREADABLE", message, { cause: thrown });
  }
}

function textOf(path: string, sha256: string, cwd: string): string {
  const bytes = bytesOf(path, cwd);
  if (createHash("sha256").update(bytes).digest("hex") === sha256) return bytes.toString("utf8");
  const message = `"${shownPath(path, cwd)}" has changed since it was read, and is left as it is`;
  throw new KfwdError("CONFIG_UNREADABLE", message, { hint: "kfwd check --fix" });
}

function bytesOf(path: string, cwd: string): Buffer {
  try {
    return readFileSync(path);
  } catch (thrown) {
    const message = `cannot read "${shownPath(path, cwd)}": ${fileTrouble(thrown)}`;
    throw new KfwdError("CONFIG_UNREADABLE", message, { cause: thrown });
  }
}
