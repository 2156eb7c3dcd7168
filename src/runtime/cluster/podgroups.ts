/** Forwards of one entry lead to one pod: what the first of them has chosen, the others take as long as it serves. */
import type { Pod } from "./objects.ts";

/** The choice of one entry. */
export interface PodGroup extends Disposable {
  /** UID of the pod; undefined until one was chosen. */
  readonly lead: string | undefined;
  /** One of them leads to this pod now. `serves`: whether a pod may still be had. */
  chose(uid: string, serves: (uid: string) => boolean): void;
}

/** Groups live as long as they have members. */
export class PodGroups {
  readonly #groups = new Map<string, { lead: string | undefined; members: number }>();

  join(key: string): PodGroup {
    const group = this.#groups.get(key) ?? { lead: undefined, members: 0 };
    this.#groups.set(key, group);
    group.members++;
    return {
      get lead() {
        return group.lead;
      },
      chose: (uid, serves) => {
        // A pod that only this one can use, as its port is not in the other, is not forced upon the rest.
        if (group.lead === uid) return;
        if (group.lead === undefined || !serves(group.lead)) group.lead = uid;
      },
      [Symbol.dispose]: () => {
        if (--group.members === 0) this.#groups.delete(key);
      },
    };
  }
}

/** Whether a pod of this UID is among them and ready. */
export function isReadyIn(pods: Iterable<Pod>, uid: string): boolean {
  for (const pod of pods) if (pod.uid === uid) return pod.stage === "ready";
  return false;
}
