/** The resources a sandbox serves: their names in URLs, in rules and in messages. */
import type { KubeObject } from "./objects.ts";

/** A row of discovery. `group` is empty for the core group. */
export interface Resource {
  readonly group: "" | "apps" | "batch" | "discovery.k8s.io";
  readonly version: "v1";
  readonly plural: string;
  readonly singular: string;
  readonly kind: KubeObject["kind"];
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
}

/** Everything the sandbox serves. */
export const RESOURCES: readonly Resource[] = [
  row("", "namespaces", "Namespace", ["ns"], false),
  row("", "pods", "Pod", ["po"]),
  row("", "services", "Service", ["svc"]),
  row("apps", "deployments", "Deployment", ["deploy"]),
  row("apps", "replicasets", "ReplicaSet", ["rs"]),
  row("apps", "statefulsets", "StatefulSet", ["sts"]),
  row("apps", "daemonsets", "DaemonSet", ["ds"]),
  row("batch", "jobs", "Job", []),
  row("discovery.k8s.io", "endpointslices", "EndpointSlice", []),
];

const BY_KIND = new Map(RESOURCES.map((resource) => [resource.kind, resource]));

/** The resource of a kind. */
export function resourceOf(kind: KubeObject["kind"]): Resource {
  const resource = BY_KIND.get(kind);
  if (resource === undefined) throw new Error(`no resource for kind "${kind}"`);
  return resource;
}

/** Undefined when the sandbox does not serve it. */
export function findResource(group: string, version: string, plural: string): Resource | undefined {
  return RESOURCES.find((r) => r.group === group && r.version === version && r.plural === plural);
}

/** `v1`, `apps/v1` */
export function apiVersionOf({ group, version }: Resource): string {
  return group === "" ? version : `${group}/${version}`;
}

/** As the API server's messages name it: `pods`, `deployments.apps`. */
export function qualifiedName(group: string, plural: string): string {
  return group === "" ? plural : `${plural}.${group}`;
}

function row(
  group: Resource["group"],
  plural: string,
  kind: KubeObject["kind"],
  shortNames: readonly string[],
  namespaced = true,
): Resource {
  return { group, version: "v1", plural, singular: kind.toLowerCase(), kind, shortNames, namespaced };
}
