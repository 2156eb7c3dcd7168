/** What supervisors that died have left: locks on this machine, relay pods in clusters. */
import type { LockState } from "./daemon/inspect.ts";
import { inspect } from "./daemon/inspect.ts";
import { terminate } from "./daemon/terminate.ts";
import { knownProjects, type Surroundings } from "./projects.ts";
import type { LeftRelay, RelayPlace, RelayTools } from "./supervised.ts";
import type { ProjectFiles } from "./daemon/projectfiles.ts";
import type { LockedRelay } from "./wire/lockrecord.ts";

/** The lock of a supervisor that has died. */
export interface DeadLock {
  readonly files: ProjectFiles;
  readonly state: Extract<LockState, { readonly kind: "dead" }>;
}

/** What is left over, and where that could not be found out. */
export interface Leftovers {
  readonly locks: readonly DeadLock[];
  readonly relays: readonly LeftRelay[];
  /** In sentences. */
  readonly failures: readonly string[];
}

/** Looks in the places and wherever locks tell of relays. What belongs to a supervisor that may live is left out. */
export async function findLeftovers(
  around: Surroundings,
  tools: RelayTools,
  places: readonly RelayPlace[],
  signal: AbortSignal,
): Promise<Leftovers> {
  const locks: DeadLock[] = [];
  const recorded: LeftRelay[] = [];
  const livingUids = new Set<string>();
  const livingProjects = new Set<string>();
  const wanted = [...places];
  for (const { files, record } of knownProjects(around)) {
    const state = await inspect(around.lockDeps, files, signal);
    wanted.push(...record.relays.map(placeOf));
    if (state.kind === "dead") {
      locks.push({ files, state });
      const { project } = record;
      recorded.push(
        ...record.relays.map((relay) => ({ ...relay, project, projectId: files.id, createdAt: "" })),
      );
    } else if (state.kind !== "none") {
      livingProjects.add(files.id);
      for (const { uid } of record.relays) livingUids.add(uid);
    }
  }
  const { relays: found, endingUids, failures } = await tools.find(wanted, signal);
  const seenUids = new Set([...endingUids, ...found.map(({ uid }) => uid)]);
  const missed = recorded.filter(({ uid }) => !seenUids.has(uid));
  // A lock may tell of a pod that has gone since; where the cluster could be asked, it is known.
  const relays = [...found, ...(failures.length > 0 ? missed : [])];
  return {
    locks,
    relays: relays.filter(({ uid, projectId }) => !livingUids.has(uid) && !livingProjects.has(projectId)),
    failures,
  };
}

/** Removes a lock that was found dead. @throws as {@link terminate}. */
export async function removeLock(
  around: Surroundings,
  { files, state }: DeadLock,
  signal: AbortSignal,
): Promise<void> {
  await terminate(around.lockDeps, files, state, { drainMs: 0, manner: "ask", onStep: () => {}, signal });
}

function placeOf({ kubeconfig, context, namespace }: LockedRelay): RelayPlace {
  return { kubeconfig: kubeconfig ?? undefined, context, namespace };
}
