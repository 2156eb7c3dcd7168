/** Takes a project's lock: one owner at any time, however many try, whoever is killed at whatever step. */
import { encodeLock, type LockedRelay, type LockRecord } from "../wire/lockrecord.ts";
import { KfwdError } from "../../errors.ts";
import { inspect, type LockDeps, type LockState } from "./inspect.ts";
import { OwnedLock } from "./ownedlock.ts";
import { makePrivateFolder } from "./place.ts";
import type { ProjectFiles } from "./projectfiles.ts";
import { publishNew } from "./publish.ts";
import { reap } from "./reap.ts";
import { sweepAsOwner } from "./sweep.ts";

/** Whoever finds the lock free, and another one faster, tries again this often, and no longer than this. */
const ROUNDS_MAX = 60;
const ACQUIRE_MS = 10_000;

/** Between rounds, in milliseconds: the first is short, because one reaper's work takes less than a millisecond. */
const ROUND_MS = 2;
const ROUND_MAX_MS = 50;

/** The owner whom {@link acquire} found: everything but a free or a dead lock. */
export type Holder = Exclude<LockState, { readonly kind: "none" | "dead" }>;

/** `held`: nothing was changed, and nobody was signalled. `left`: relay pods that dead owners may have left. */
export type Acquired =
  | { readonly kind: "owned"; readonly lock: OwnedLock; readonly left: readonly LockedRelay[] }
  | { readonly kind: "held"; readonly holder: Holder };

/**
 * Takes the lock, removing that of a dead owner. The socket of `record` must be served already, because it is what
 * others judge the owner by. Whoever asked disposes the lock.
 * @throws KfwdError `RUNTIME_FOLDER`, with nothing half done; `LOCK_TAKEN` when others kept being faster for 10 s; the
 * signal's reason.
 */
export async function acquire(
  deps: LockDeps,
  files: ProjectFiles,
  record: LockRecord,
  signal: AbortSignal,
): Promise<Acquired> {
  const left: LockedRelay[] = [];
  const deadlineMs = deps.clock.now() + ACQUIRE_MS;
  for (let round = 1; round <= ROUNDS_MAX && deps.clock.now() <= deadlineMs; round++) {
    const state = await inspect(deps, files, signal);
    switch (state.kind) {
      case "none": {
        makePrivateFolder(files.folder, deps.uid);
        // They stay written down until somebody has deleted them.
        const own = { ...record, relays: left };
        if (publishNew(files.lock, encodeLock(own)) !== "published") break;
        await sweepAsOwner(deps, files, record.socket);
        return { kind: "owned", lock: new OwnedLock(deps, files, own), left };
      }
      case "dead":
        left.push(...state.record.relays.filter(({ uid }) => left.every((known) => known.uid !== uid)));
        if (reap(deps, files, state.record.instance) === "done") continue;
        break;
      case "alive":
      case "unresponsive":
      case "elsewhere":
      case "damaged":
        return { kind: "held", holder: state };
    }
    await deps.clock.sleep(Math.min(round * ROUND_MS, ROUND_MAX_MS), signal);
  }
  throw new KfwdError("LOCK_TAKEN", `cannot take lock "${files.lock}": others took it first, for 10 s`);
}
