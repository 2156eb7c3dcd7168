/** `kfwd prune`: removes what supervisors that died have left, once it was shown and asked about. */
import { KfwdError } from "../errors.ts";
import { visible } from "../printable.ts";
import type { DeadLock, LeftRelay, Leftovers, RelayPlace } from "../runtime/index.ts";
import { deathText } from "../runtime/index.ts";
import { Output } from "./output.ts";
import { loadRequest, refuseUntrusted } from "./plan.ts";
import { countText, durationText } from "./render/forward.ts";
import { INTERRUPTED, type ClusterFlags, type Interrupt, type World } from "./world.ts";

export interface PruneFlags extends ClusterFlags {
  readonly yes?: boolean;
}

/** 0 when nothing is left, or nothing was wanted to be removed; 1 when something could not be removed. */
export async function prune(world: World, flags: PruneFlags): Promise<number> {
  const out = new Output(world, flags);
  const interrupt = new AbortController();
  const listening = world.onInterrupt((signal) => interrupt.abort(signal));
  try {
    return await pruneAll(world, flags, out, interrupt.signal);
  } catch (thrown) {
    if (!interrupt.signal.aborted) throw thrown;
    const signal: Interrupt = interrupt.signal.reason;
    return INTERRUPTED[signal];
  } finally {
    listening[Symbol.dispose]();
  }
}

async function pruneAll(world: World, flags: PruneFlags, out: Output, signal: AbortSignal): Promise<number> {
  await using janitor = await world.runtime.janitor();
  const found = await janitor.find(await placesOf(world, flags), signal);
  for (const failure of found.failures) out.note(`cannot look for relay pods: ${visible(failure)}`);
  if (found.locks.length + found.relays.length === 0) {
    if (flags.json) out.json({ schema: "kfwd.prune/1", removed: { locks: [], relays: [] }, failed: [] });
    else out.note("nothing is left over");
    return 0;
  }
  for (const line of listing(world, found)) out.note(line);
  if (!flags.yes && !(await isWanted(world))) return 0;
  const failed: string[] = [];
  const relays: LeftRelay[] = [];
  for (const relay of found.relays) {
    try {
      await janitor.removeRelay(relay, signal);
      relays.push(relay);
    } catch (thrown) {
      signal.throwIfAborted();
      failed.push(`${relay.namespace}/${relay.pod}: ${KfwdError.from(thrown).message}`);
    }
  }
  for (const lock of found.locks) await janitor.removeLock(lock, signal);
  tell(out, flags, found.locks, relays, failed);
  return failed.length > 0 ? 1 : 0;
}

/** Of the file of this folder, if there is a good one; other places are in the locks. @throws KfwdError `UNTRUSTED`. */
async function placesOf(world: World, flags: PruneFlags): Promise<readonly RelayPlace[]> {
  const { context, namespace, kubeconfig } = flags;
  const here = { context, namespace, kubeconfig };
  try {
    const { parsed, ...loaded } = await world.runtime.load(loadRequest(world, flags));
    if (parsed.kind !== "valid") return [here];
    refuseUntrusted(world, { ...loaded, parsed }, flags, "askCluster");
    return parsed.project.forwards.map((forward) => ({
      kubeconfig: forward.kubeconfig,
      context: forward.context,
      namespace: forward.relay?.namespace ?? forward.namespace,
    }));
  } catch (thrown) {
    if (KfwdError.from(thrown).code === "CONFIG_NOT_FOUND") return [here];
    throw thrown;
  }
}

async function isWanted(world: World): Promise<boolean> {
  const answer = await world.ask("remove them? [y/N] ");
  if (answer !== undefined) return /^y(es)?$/i.test(answer.trim());
  throw new KfwdError("USAGE", "nobody can be asked here whether to remove them", {
    hint: "kfwd prune --yes",
  });
}

function listing(world: World, { locks, relays }: Leftovers): readonly string[] {
  const age = (createdAt: string): string => {
    const bornMs = Date.parse(createdAt);
    return Number.isNaN(bornMs) ? "" : `, ${durationText(Math.max(0, world.clock.wall() - bornMs))} old`;
  };
  return [
    ...relays.map(
      ({ namespace, pod, context, project, createdAt }) =>
        `relay pod ${visible(`${namespace}/${pod} (context "${context}", project ${project}`)}${age(createdAt)})`,
    ),
    ...locks.map(
      ({ state: { record, why } }) =>
        `lock of project ${visible(record.project)}: pid ${record.pid} ${deathText(why)}`,
    ),
  ];
}

function tell(
  out: Output,
  flags: PruneFlags,
  locks: readonly DeadLock[],
  relays: readonly LeftRelay[],
  failed: readonly string[],
): void {
  if (flags.json) {
    const removed = {
      locks: locks.map(({ state: { record } }) => ({ project: record.project, pid: record.pid })),
      relays: relays.map(({ context, namespace, pod, uid }) => ({ context, namespace, pod, uid })),
    };
    out.json({ schema: "kfwd.prune/1", removed, failed });
    return;
  }
  for (const failure of failed) out.note(`cannot remove ${visible(failure)}`);
  out.note(`removed ${countText(relays.length, "relay pod")} and ${countText(locks.length, "lock")}`);
}
