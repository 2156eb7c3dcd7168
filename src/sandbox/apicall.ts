/** What a request to the API server asks for, by its method and URL. */

/** A call on a resource. `name` is undefined for a whole collection, `namespace` for all namespaces. */
export interface ApiCall {
  readonly verb: "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly query: URLSearchParams;
}

/** Undefined when the path names no resource: discovery, health, nonsense. */
export function parseApiCall(method: string, path: string, query: URLSearchParams): ApiCall | undefined {
  const parts = path.split("/").slice(1).map(decodeSegment);
  let [group, version, rest]: [string, string | undefined, string[]] = ["", undefined, []];
  if (parts[0] === "api") [version, rest] = [parts[1], parts.slice(2)];
  else if (parts[0] === "apis") [group, version, rest] = [parts[1] ?? "", parts[2], parts.slice(3)];
  if (version === undefined || rest.length === 0) return undefined;

  // a namespace's own object is /namespaces/NAME; what lives in it is /namespaces/NAME/RESOURCE
  const inNamespace = rest[0] === "namespaces" && rest.length > 2;
  const [resource = "", name, subresource] = inNamespace ? rest.slice(2) : rest;
  const namespace = inNamespace || resource === "namespaces" ? rest[1] : undefined;
  const watching = query.get("watch") === "true" || query.get("watch") === "1";
  const verb = verbOf(method, name === undefined, watching);
  return verb === undefined
    ? undefined
    : { verb, group, version, resource, subresource, namespace, name, query };
}

function verbOf(method: string, collection: boolean, watching: boolean): ApiCall["verb"] | undefined {
  switch (method) {
    case "GET":
    case "HEAD":
      if (!collection) return "get";
      return watching ? "watch" : "list";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return collection ? "deletecollection" : "delete";
    default:
      return undefined;
  }
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
