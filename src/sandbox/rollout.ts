/** How a rolling update goes on: one more pod than wanted, never one less that is ready. */

/** A ReplicaSet of the Deployment: pods it is set to, and how many of them are ready. */
export interface SetSize {
  readonly replicas: number;
  readonly ready: number;
}

const SURGE_PODS = 1;

/** New sizes of the set with the current template and of the old ones, as they stand now. */
export function stepRollout(
  wanted: number,
  current: SetSize,
  olds: readonly SetSize[],
): { readonly current: number; readonly olds: readonly number[] } {
  const oldReplicas = olds.map(({ replicas }) => replicas);
  const total = current.replicas + sum(oldReplicas);
  if (sum(oldReplicas) === 0) return { current: wanted, olds: oldReplicas };

  const room = Math.max(0, wanted + SURGE_PODS - total);
  const grown = Math.min(wanted, Math.max(current.replicas, 0) + room);

  // pods of the old sets that are not ready serve nobody, but the new ones that are not ready yet count as lost
  const unavailable = current.replicas - current.ready;
  let idle = Math.max(0, total - wanted - unavailable);
  let spare = Math.max(0, current.ready + sum(olds.map(({ ready }) => ready)) - wanted);
  const shrunk = olds.map(({ replicas, ready }) => {
    const unready = Math.min(replicas - ready, idle);
    idle -= unready;
    const surplus = Math.min(ready, spare);
    spare -= surplus;
    return replicas - unready - surplus;
  });
  return { current: Math.min(grown, wanted), olds: shrunk };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
