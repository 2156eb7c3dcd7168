/** Failures as the API server words them: `Status` objects. */
import type { ApiCall } from "./apicall.ts";
import { qualifiedName } from "./resources.ts";

/** How the API server says that something failed. */
export interface Status {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly metadata: object;
  readonly status: "Failure" | "Success";
  readonly message?: string;
  readonly reason?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly code: number;
}

/** Any failure. */
export function failure(
  code: number,
  reason: string,
  message: string,
  details?: Readonly<Record<string, unknown>>,
): Status {
  const base = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
  } as const;
  return details === undefined ? { ...base, code } : { ...base, details, code };
}

/** 404: no object of that name. */
export function notFound({ group, resource, name }: ApiCall): Status {
  const details = { name, ...(group === "" ? {} : { group }), kind: resource };
  return failure(404, "NotFound", `${qualifiedName(group, resource)} "${name}" not found`, details);
}

/** 404: no resource of that name. */
export function noSuchResource(): Status {
  return failure(404, "NotFound", "the server could not find the requested resource", {});
}

/** 401: nobody knows the token. */
export function unauthorized(): Status {
  return failure(401, "Unauthorized", "Unauthorized");
}

/** 403, with the right that is missing. */
export function forbidden(user: string, call: ApiCall): Status {
  const { group, resource, subresource, namespace, name, verb } = call;
  const subject = `${qualifiedName(group, resource)}${name === undefined ? "" : ` "${name}"`}`;
  const asked = subresource === undefined ? resource : `${resource}/${subresource}`;
  const place = namespace === undefined ? "at the cluster scope" : `in the namespace "${namespace}"`;
  const message = `${subject} is forbidden: User "${user}" cannot ${verb} resource "${asked}" in API group "${group}" ${place}`;
  const details = {
    ...(name === undefined ? {} : { name }),
    ...(group === "" ? {} : { group }),
    kind: resource,
  };
  return failure(403, "Forbidden", message, details);
}

/** 403: nobody's rights stand against it, but a quota, a standard or a policy. */
export function notAdmitted({ resource }: ApiCall, name: string, why: string): Status {
  return failure(403, "Forbidden", `${resource} "${name}" is forbidden: ${why}`, { name, kind: resource });
}

/** 403 of a port-forward by GET without the right to create; the API server gives no reason. */
export function forbiddenUpgrade({ resource, name }: ApiCall): Status {
  return failure(403, "Forbidden", `${resource} "${name}" is forbidden: `, { name, kind: resource });
}

/** 410: the version a watch or a page wants to go on from is no longer known. */
export function expired(version: number, oldest: number): Status {
  return failure(410, "Expired", `too old resource version: ${version} (${oldest})`);
}

/** 400, in words of the caller. */
export function badRequest(message: string): Status {
  return failure(400, "BadRequest", message);
}

/** 415: the body is not JSON. */
export function unsupportedMediaType(): Status {
  return failure(415, "UnsupportedMediaType", "the body of the request was in an unknown format");
}

/** 405: the sandbox does not do this. */
export function methodNotAllowed(): Status {
  return failure(
    405,
    "MethodNotAllowed",
    "the server does not allow this method on the requested resource",
    {},
  );
}

/** 409: the object is not the one that was meant. */
export function conflict({ resource, name }: ApiCall, message: string): Status {
  return failure(409, "Conflict", message, { name, kind: resource });
}
