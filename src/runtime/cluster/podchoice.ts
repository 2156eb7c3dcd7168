/** Which pod of many, and what to say when none will do. Pure. */
import type { Reason } from "../core/status.ts";
import type { Cluster } from "../deps.ts";
import type { Pod } from "./objects.ts";

/** How one of several is chosen. */
export interface Choice {
  /** UID of the pod in use. */
  readonly inUse: string | undefined;
  /** Absent: the one in use as long as it serves. */
  readonly pick: Parameters<Cluster["follow"]>[0]["pick"];
  /** Uniform in [0, 1), for `pick: random`. */
  readonly random: number;
  /** Since when, by UID, of pods that will do only where there is no other, and then the earliest. */
  readonly shunned: Pick<ReadonlyMap<string, number>, "get">;
  /** Pods that are not ready will do where none is, if they have an address. */
  readonly takesUnready: boolean;
}

/**
 * The pods that may take connections, best first: the one in use as long as it is among them, then in kubectl's
 * order (client-go's `ActivePods`): ready for longest, fewest restarts, oldest; by name where all that is equal.
 * `newest` puts the latest made first, whatever is in use; `random` begins anywhere when none is in use.
 */
export function eligible(pods: readonly Pod[], choice: Choice): readonly Pod[] {
  const { inUse, pick, random, takesUnready, shunned } = choice;
  const ready = pods.filter((pod) => pod.stage === "ready");
  const fit =
    ready.length === 0 && takesUnready
      ? pods.filter((pod) => pod.stage === "unready" && pod.ips.length > 0)
      : ready;
  const shunnedMs = ({ uid }: Pod): number => shunned.get(uid) ?? Number.NEGATIVE_INFINITY;
  const leastMs = fit.reduce((least, pod) => Math.min(least, shunnedMs(pod)), Number.POSITIVE_INFINITY);
  const serving = fit.filter((pod) => shunnedMs(pod) === leastMs);
  const isUsed = (pod: Pod): number => (pod.uid === inUse ? 1 : 0);
  if (pick === "newest") {
    return serving.sort(
      (a, b) => compareText(b.createdAt, a.createdAt) || isUsed(b) - isUsed(a) || inOrder(a, b),
    );
  }
  const ordered = serving.sort((a, b) => isUsed(b) - isUsed(a) || inOrder(a, b));
  if (pick !== "random" || ordered[0]?.uid === inUse) return ordered;
  const first = Math.floor(random * ordered.length);
  return [...ordered.slice(first), ...ordered.slice(0, first)];
}

function inOrder(a: Pod, b: Pod): number {
  return (
    compareText(a.readySince, b.readySince) ||
    a.restarts - b.restarts ||
    compareText(a.createdAt, b.createdAt) ||
    compareText(a.name, b.name)
  );
}

const PODS_SHOWN = 2;

/** `0 of 2 pods ready: redis-0 CrashLoopBackOff (last exit 137 OOMKilled)`; `pods` is not empty and none is ready. */
export function noReadyPods(pods: readonly Pod[], kubectl: string): Reason {
  const living = pods.filter((pod) => pod.stage !== "finished");
  const counted = living.length > 0 ? living : pods;
  const byTrouble = [...counted].sort(
    (a, b) => Number(isMild(a)) - Number(isMild(b)) || b.restarts - a.restarts || compareText(a.name, b.name),
  );
  const shown = byTrouble.slice(0, PODS_SHOWN).map((pod) => `${pod.name} ${pod.trouble}`);
  const more = byTrouble.length > PODS_SHOWN ? ` and ${byTrouble.length - PODS_SHOWN} more` : "";
  const [worst] = byTrouble;
  return {
    code: "NoReadyPods",
    kind: "missing",
    message: `0 of ${counted.length} ${counted.length === 1 ? "pod" : "pods"} ready: ${shown.join(", ")}${more}`,
    ...(worst ? { hint: hintFor(worst, kubectl) } : {}),
  };
}

/** What a person does next about a pod that does not serve: the logs of the run that failed, or its events. */
export function hintFor(pod: Pod, kubectl: string): string {
  if (/^CrashLoopBackOff|^stopped/.test(pod.trouble)) return `${kubectl} logs ${pod.name} --previous`;
  return `${kubectl} describe pod ${pod.name}`;
}

/** Not a trouble in itself: it is on its way up or down. */
function isMild({ stage, trouble }: Pod): boolean {
  return stage === "terminating" || trouble === "not ready" || trouble.startsWith("Pending");
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
