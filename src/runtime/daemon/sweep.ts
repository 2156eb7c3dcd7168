/** Removes what dead processes left in a project's folder. */
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "../../errno.ts";
import { sameProcess } from "./identity.ts";
import type { LockDeps } from "./inspect.ts";
import type { ProjectFiles } from "./projectfiles.ts";
import { removeEmptyFolder, removeFile, TEMP_PATTERN } from "./publish.ts";
import { readClaim } from "./readlock.ts";
import { REAP_PATTERN } from "./reap.ts";

const SOCKET_PATTERN = /^[0-9a-f]{8}\.(sock|bind)$/;

/** Files of a folder looked at in one go; the next owner takes the rest. */
const FILES_MAX = 512;

/**
 * To be called by the owner of the lock, right after taking it: as long as it lives, no claim of a reaper can be
 * about the lock that stands, so those of dead reapers may go without further ado. `ownSocket` and sockets that
 * somebody listens at stay.
 */
export async function sweepAsOwner(deps: LockDeps, files: ProjectFiles, ownSocket: string): Promise<void> {
  await sweep(deps, files, ownSocket, (name) => REAP_PATTERN.test(name) || isAnyonesToSweep(name));
}

/** To be called by anyone, with the socket of an owner that is dead: what nobody can need any more. */
export async function sweepAfter(deps: LockDeps, files: ProjectFiles, deadSocket: string): Promise<void> {
  await sweep(deps, files, deadSocket, isAnyonesToSweep);
  for (const folder of foldersOf(files, deadSocket)) removeEmptyFolder(folder);
}

function isAnyonesToSweep(name: string): boolean {
  return TEMP_PATTERN.test(name) || SOCKET_PATTERN.test(name);
}

async function sweep(
  deps: LockDeps,
  files: ProjectFiles,
  socket: string,
  mayGo: (name: string) => boolean,
): Promise<void> {
  for (const folder of foldersOf(files, socket)) {
    for (const name of namesIn(folder).filter(mayGo).slice(0, FILES_MAX)) {
      const path = join(folder, name);
      if (await isLeftOver(deps, path, name)) removeFile(path);
    }
  }
}

/** The project's folder, and that of its socket if there was no room in the first. */
function foldersOf(files: ProjectFiles, socket: string): readonly string[] {
  const other = dirname(socket);
  return other !== files.folder && basename(other) === files.id.slice(0, 8)
    ? [files.folder, other]
    : [files.folder];
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // a pipe's "folder", or no permission: nothing of ours is there
  }
}

async function isLeftOver(deps: LockDeps, path: string, name: string): Promise<boolean> {
  if (SOCKET_PATTERN.test(name)) return isDeserted(path);
  const temp = TEMP_PATTERN.exec(name);
  const reading = readClaim(path, deps.uid);
  // A file cut short tells no more than the pid in its name.
  const author =
    reading.kind === "value" ? reading.value : { ...deps.here, pid: Number(temp?.[1]), startTicks: null };
  const same = sameProcess(author, deps.here);
  return same === "gone" || same === "other";
}

/** Whether a socket has no listener any more. */
function isDeserted(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error) => resolve(errnoOf(error) === "ECONNREFUSED"));
  });
}
