/** Relay pods that nobody speaks to any more: found by their user's label, deleted by UID. */
import type { Place } from "../deps.ts";
import { reasonOf } from "./failures.ts";
import type { KubeApi } from "./kubeapi.ts";
import { PROJECT_ANNOTATION, PROJECT_ID_LABEL, USER_LABEL } from "./relaymanifest.ts";
import type { LockedRelay } from "../wire/lockrecord.ts";

/** A relay pod in a cluster. */
export interface FoundRelay extends LockedRelay {
  readonly project: string;
  readonly projectId: string;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** What was found, and where nothing could be. */
export interface RelaySearch {
  readonly relays: readonly FoundRelay[];
  /** UIDs of those that are being deleted already, which are not among them. */
  readonly endingUids: readonly string[];
  /** In sentences. */
  readonly failures: readonly string[];
}

/** Relays of `user` in the places, each looked at once. @throws the signal's reason. */
export async function findRelays(
  api: KubeApi,
  user: string,
  places: readonly Place[],
  signal: AbortSignal,
): Promise<RelaySearch> {
  const once = new Map(places.map((place) => [JSON.stringify(place), place]));
  const results = await Promise.all([...once.values()].map((place) => search(api, user, place, signal)));
  signal.throwIfAborted();
  const failures = results.flatMap((result) => (typeof result === "string" ? [result] : []));
  const found = results.flatMap((result) => (typeof result === "string" ? [] : [result]));
  const relays = found.flatMap((one) => one.relays);
  const byUid = new Map(relays.map((relay) => [relay.uid, relay])); // two kubeconfigs may name one cluster
  return { relays: [...byUid.values()], endingUids: found.flatMap((one) => one.endingUids), failures };
}

/** Whether it was there. @throws KfwdError, or the signal's reason. */
export async function removeRelay(
  api: KubeApi,
  { kubeconfig, context, namespace, pod, uid }: LockedRelay,
  signal: AbortSignal,
): Promise<boolean> {
  const place = { kubeconfig: kubeconfig ?? undefined, context, namespace };
  return api.pods(place).remove({ name: pod, uid }, signal);
}

async function search(
  api: KubeApi,
  user: string,
  place: Place,
  signal: AbortSignal,
): Promise<Omit<RelaySearch, "failures"> | string> {
  const { kubeconfig = null, context, namespace } = place;
  try {
    const pods = await api.pods(place).list(`${USER_LABEL}=${user}`, signal);
    const endingUids = pods.filter(({ deletedAt }) => deletedAt !== "").map(({ uid }) => uid);
    const staying = pods.filter(({ deletedAt }) => deletedAt === "");
    const relays = staying.map(({ name, uid, labels, annotations, createdAt }) => ({
      kubeconfig,
      context,
      namespace,
      pod: name,
      uid,
      project: annotations[PROJECT_ANNOTATION] ?? "",
      projectId: labels[PROJECT_ID_LABEL] ?? "",
      createdAt,
    }));
    return { relays, endingUids };
  } catch (error) {
    return reasonOf(error).message;
  }
}
