import { describe, expect, test } from "vitest";
import { parseApiCall } from "./apicall.ts";

function parse(method: string, target: string): Record<string, unknown> | undefined {
  const url = new URL(target, "http://x");
  const call = parseApiCall(method, url.pathname, url.searchParams);
  if (call === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(call).filter(([key, value]) => key !== "query" && value !== undefined),
  );
}

const core = { group: "", version: "v1" };

describe("a request", () => {
  test.each([
    ["GET /api/v1/pods", { ...core, verb: "list", resource: "pods" }],
    ["GET /api/v1/pods?watch=1", { ...core, verb: "watch", resource: "pods" }],
    ["GET /api/v1/namespaces/shop/pods", { ...core, verb: "list", resource: "pods", namespace: "shop" }],
    [
      "GET /api/v1/namespaces/shop/pods?watch=true",
      { ...core, verb: "watch", resource: "pods", namespace: "shop" },
    ],
    [
      "GET /api/v1/namespaces/shop/pods/a",
      { ...core, verb: "get", resource: "pods", namespace: "shop", name: "a" },
    ],
    [
      "POST /api/v1/namespaces/shop/pods/a/portforward",
      { ...core, verb: "create", resource: "pods", namespace: "shop", name: "a", subresource: "portforward" },
    ],
    ["GET /api/v1/namespaces", { ...core, verb: "list", resource: "namespaces" }],
    [
      "GET /api/v1/namespaces/shop",
      { ...core, verb: "get", resource: "namespaces", namespace: "shop", name: "shop" },
    ],
    [
      "DELETE /apis/apps/v1/namespaces/shop/deployments/api",
      {
        group: "apps",
        version: "v1",
        verb: "delete",
        resource: "deployments",
        namespace: "shop",
        name: "api",
      },
    ],
    [
      "DELETE /apis/batch/v1/namespaces/shop/jobs",
      { group: "batch", version: "v1", verb: "deletecollection", resource: "jobs", namespace: "shop" },
    ],
    [
      "PATCH /api/v1/namespaces/a%2Fb/pods/x",
      { ...core, verb: "patch", resource: "pods", namespace: "a/b", name: "x" },
    ],
  ])("%s is a call", (line, expected) => {
    const [method = "", target = ""] = line.split(" ");
    expect(parse(method, target)).toEqual(expected);
  });

  test.each(["/", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/version", "/healthz/x"])(
    "for %s is none",
    (path) => {
      expect(parse("GET", path)).toBeUndefined();
    },
  );
});
