/** The runtime folder: where running projects are found, and how it is made sure that nobody else can write there. */
import { lstatSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { KfwdError } from "../../errors.ts";
import { errnoOf, fileTrouble } from "../../errno.ts";
import { statIfThere } from "../../readfile.ts";
import { shellWord } from "../../shellword.ts";
import { makeFolder } from "./makefolder.ts";

/** What the places depend on. The macOS and Windows ways are written from documentation and were never run. */
export interface PlaceFacts {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Effective user id; undefined on Windows. */
  readonly uid: number | undefined;
  readonly platform: NodeJS.Platform;
  readonly home: string;
}

/** Who chose a folder: what a user names may be anything, `/tmp` too, and no hint may have it changed or removed. */
type ChosenBy = "us" | "user";

/** A folder that may serve as the runtime folder: with a parent of this user's only, or with any. */
export interface Candidate {
  readonly path: string;
  readonly parent: "own" | "any";
  readonly chosenBy: ChosenBy;
}

/**
 * The runtime folder, made if need be: 0700, ours, and no symlink. A folder that exists and is not so is never
 * repaired, because somebody may have made it to be followed into.
 * @throws KfwdError `RUNTIME_FOLDER` with the command that mends it.
 */
export function openRuntimeFolder(facts: PlaceFacts): string {
  const { path, chosenBy } = chooseFolder(facts);
  makePrivateFolder(path, facts.uid, chosenBy);
  return path;
}

/** Where the runtime folder is or would be, for commands that only look. @throws as {@link openRuntimeFolder}. */
export function findRuntimeFolder(facts: PlaceFacts): string {
  const { path, chosenBy } = chooseFolder(facts);
  checkPrivateFolder(path, facts.uid, chosenBy);
  return path;
}

/** The folders that may serve, in the order of preference. @throws KfwdError `RUNTIME_FOLDER` for a relative path. */
export function runtimeCandidates(facts: PlaceFacts): readonly Candidate[] {
  const { env, uid, platform } = facts;
  const named = env["KFWD_RUNTIME_DIR"];
  if (named !== undefined && named !== "") {
    if (isAbsolute(named)) return [{ path: named, parent: "any", chosenBy: "user" }];
    throw new KfwdError(
      "RUNTIME_FOLDER",
      `cannot use KFWD_RUNTIME_DIR "${named}": it is not an absolute path`,
      {
        hint: `export KFWD_RUNTIME_DIR=${shellWord(resolve(named))}`,
      },
    );
  }
  if (platform === "win32") {
    const base = env["LOCALAPPDATA"] ?? join(facts.home, "AppData", "Local");
    return [{ path: join(base, "kfwd"), parent: "any", chosenBy: "us" }];
  }
  const found: (string | undefined)[] = [env["XDG_RUNTIME_DIR"] && join(env["XDG_RUNTIME_DIR"], "kfwd")];
  // A shell without XDG_RUNTIME_DIR (cron, su, an editor's) must find the same supervisors as one with it.
  if (platform === "linux") found.push(`/run/user/${uid}/kfwd`);
  if (platform === "darwin") found.push(env["TMPDIR"] && join(env["TMPDIR"], `kfwd-${uid}`));
  return [
    ...found
      .filter((path): path is string => path !== undefined && isAbsolute(path))
      .map((path): Candidate => ({ path, parent: "own", chosenBy: "us" })),
    { path: `/tmp/kfwd-${uid}`, parent: "any", chosenBy: "us" },
  ];
}

function chooseFolder(facts: PlaceFacts): Candidate {
  const candidates = runtimeCandidates(facts);
  const usable = candidates.find(
    ({ path, parent }) => parent === "any" || isOwnFolder(dirname(path), facts.uid),
  );
  if (usable === undefined) throw new KfwdError("RUNTIME_FOLDER", "cannot find a runtime folder");
  return usable;
}

/** After `su`, XDG_RUNTIME_DIR still names the other user's folder: nothing of ours must be left there. */
function isOwnFolder(path: string, uid: number | undefined): boolean {
  try {
    const stat = statIfThere(path);
    return stat !== undefined && stat.isDirectory() && stat.uid === uid;
  } catch {
    return false; // what we may not look at is not ours
  }
}

/** Makes a folder that only we can use, with its parents. @throws KfwdError `RUNTIME_FOLDER`. */
export function makePrivateFolder(path: string, uid: number | undefined, chosenBy: ChosenBy = "us"): void {
  if (checkPrivateFolder(path, uid, chosenBy) === "ok") return;
  try {
    makeFolder(path);
  } catch (thrown) {
    throw new KfwdError("RUNTIME_FOLDER", `cannot make folder "${path}": ${fileTrouble(thrown)}`, {
      cause: thrown,
    });
  }
  checkPrivateFolder(path, uid, chosenBy); // someone may have been faster
}

function checkPrivateFolder(path: string, uid: number | undefined, chosenBy: ChosenBy): "ok" | "absent" {
  const stat = lstatOf(path);
  if (stat === undefined) return "absent";
  const unsafe = (why: string, mend: string): KfwdError => {
    const below = stat.isDirectory() ? `export KFWD_RUNTIME_DIR=${shellWord(join(path, "kfwd"))}` : undefined;
    const hint = chosenBy === "us" ? `${mend} ${shellWord(path)}` : below;
    return new KfwdError("RUNTIME_FOLDER", `cannot use folder "${path}": ${why}`, { hint });
  };
  if (stat.isSymbolicLink()) throw unsafe("it is a symbolic link", "rm");
  if (!stat.isDirectory()) throw unsafe("it is not a folder", "rm");
  if (uid === undefined) return "ok"; // Windows: the user's profile is the wall
  if (stat.uid !== uid) {
    const why = chosenBy === "us" && stat.uid === 0 ? "root: was kfwd run with sudo?" : `uid ${stat.uid}`;
    throw unsafe(`it is owned by ${why}`, "sudo rm -r");
  }
  if ((stat.mode & 0o077) !== 0) {
    const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
    throw unsafe(`others can use it (mode ${mode}, wanted 0700)`, "chmod 700");
  }
  return "ok";
}

function lstatOf(path: string) {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOTDIR") return undefined;
    throw new KfwdError("RUNTIME_FOLDER", `cannot look at folder "${path}": ${fileTrouble(thrown)}`, {
      cause: thrown,
    });
  }
}
