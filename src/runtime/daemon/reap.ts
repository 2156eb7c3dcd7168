/**
 * Removes the lock of a dead owner without ever removing a living one's.
 *
 * "Dead, so unlink" is wrong: between the look and the unlink another reaper may have finished and a new owner moved
 * in. So a lock with nonce N is only ever unlinked by the one who holds `reap.N`, made with link(2), and who reads N
 * in the lock again while holding it. A nonce never comes back, so a reaper that wakes up late reads another one and
 * leaves the lock alone. A reaper that died holding `reap.N` is itself removed by the same rule, with its own nonce.
 */
import { dirname, join } from "node:path";
import { encodeClaim } from "../wire/lockrecord.ts";
import type { LockDeps } from "./inspect.ts";
import { sameProcess } from "./identity.ts";
import { newInstance } from "./proof.ts";
import type { ProjectFiles } from "./projectfiles.ts";
import { publishNew, removeFile } from "./publish.ts";
import { readClaim } from "./readlock.ts";

/** What a reaper holds while it works. */
export const REAP_PATTERN = /^reap\.[0-9a-f]{32}$/;

/** Reapers that died in a row; more in one go are left to the next try. */
const DEPTH_MAX = 6;

/**
 * Removes the lock if it still carries this nonce. Its owner must be known to be dead.
 * `busy`: another reaper is at it, or one that had died stood in the way; look again.
 * @throws KfwdError `RUNTIME_FOLDER`.
 */
export function reap(deps: LockDeps, files: ProjectFiles, instance: string): "done" | "busy" {
  return removeClaimed(deps, files.lock, instance, 0);
}

function removeClaimed(deps: LockDeps, target: string, instance: string, depth: number): "done" | "busy" {
  const claim = join(dirname(target), `reap.${instance}`);
  const own = encodeClaim({ schema: 1, instance: newInstance(), ...deps.here });
  switch (publishNew(claim, own)) {
    case "folderGone":
      return "done";
    case "exists":
      removeDeadClaim(deps, claim, depth + 1);
      return "busy";
    case "published":
  }
  const now = readClaim(target, deps.uid);
  if (now.kind === "value" && now.value.instance === instance) removeFile(target);
  removeFile(claim);
  return "done";
}

function removeDeadClaim(deps: LockDeps, claim: string, depth: number): void {
  if (depth > DEPTH_MAX) return;
  const holder = readClaim(claim, deps.uid);
  if (holder.kind !== "value") return;
  const same = sameProcess(holder.value, deps.here);
  if (same === "gone" || same === "other") removeClaimed(deps, claim, holder.value.instance, depth);
}
