/** What a client asks before it knows the API: version, groups, resources, health. */
import { RESOURCES, type Resource } from "./resources.ts";

/** The answer to a GET of a path that names no resource; undefined: there is none. A text is sent as text. */
export function discover(path: string, serverAddress: string, minor: number): object | string | undefined {
  if (path === "/version") return versionOf(minor);
  if (/^\/(healthz|livez|readyz)(\/|$)/.test(path)) return "ok";
  const serverAddressByClientCIDRs = [{ clientCIDR: "0.0.0.0/0", serverAddress }];
  if (path === "/api") return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs };
  if (path === "/apis") {
    return { kind: "APIGroupList", apiVersion: "v1", groups: [...NAMED_GROUPS].map(groupOf) };
  }
  if (path === "/api/v1") return resourceList("");
  const [, group, version] = /^\/apis\/([^/]+)(?:\/(v1))?$/.exec(path) ?? [];
  if (group === undefined || !NAMED_GROUPS.has(group)) return undefined;
  return version === undefined
    ? { kind: "APIGroup", apiVersion: "v1", ...groupOf(group) }
    : resourceList(group);
}

function versionOf(minor: number): object {
  return {
    major: "1",
    minor: String(minor),
    gitVersion: `v1.${minor}.3+kfwd-sandbox`,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "2026-01-01T00:00:00Z",
    goVersion: "none",
    compiler: "none",
    platform: "none",
  };
}

const NAMED_GROUPS: ReadonlySet<string> = new Set(
  RESOURCES.map(({ group }) => group).filter((g) => g !== ""),
);

function groupOf(name: string): object {
  const version = { groupVersion: `${name}/v1`, version: "v1" };
  return { name, versions: [version], preferredVersion: version };
}

function resourceList(group: string): object {
  const groupVersion = group === "" ? "v1" : `${group}/v1`;
  const ofGroup = RESOURCES.filter((resource) => resource.group === group);
  const resources: object[] = ofGroup.map(describe);
  if (group === "") {
    const [name, kind, verbs] = ["pods/portforward", "PodPortForwardOptions", ["create", "get"]];
    resources.push({ name, singularName: "", namespaced: true, kind, verbs });
  }
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources };
}

function describe({ plural, singular, kind, shortNames, namespaced }: Resource): object {
  const verbs = [...(kind === "Pod" ? ["create"] : []), "delete", "get", "list", "watch"];
  return { name: plural, singularName: singular, namespaced, kind, shortNames, verbs };
}
