import { describe, expect, test } from "vitest";
import { newMetadata, type KubeObject, type Labels } from "./objects.ts";
import { parseSelection } from "./selectors.ts";

function object(labels: Labels, name = "api"): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: newMetadata(name, "shop", { labels }),
    spec: { type: "ClusterIP" },
    status: { loadBalancer: {} },
  };
}

function selects(selector: Record<string, string>, what: KubeObject): boolean {
  const selection = parseSelection(new URLSearchParams(selector));
  if (typeof selection !== "function") throw new Error(selection.message);
  return selection(what);
}

const web = object({ app: "web", tier: "front", "app.kubernetes.io/name": "web" });

describe("a label selector", () => {
  test.each([
    ["", true],
    ["app=web", true],
    ["app==web", true],
    ["app = web", true],
    ["app=db", false],
    ["app!=db", true],
    ["app!=web", false],
    ["other!=x", true],
    ["app=web,tier=front", true],
    ["app=web,tier=back", false],
    ["tier in (front,back)", true],
    ["tier in (back)", false],
    ["tier notin (back, middle)", true],
    ["tier notin (front)", false],
    ["other notin (x)", true],
    ["other in (x)", false],
    ["app", true],
    ["!app", false],
    ["!other", true],
    ["app.kubernetes.io/name=web,tier in (a,front),!other", true],
  ])("%j selects the web pod: %s", (labelSelector, expected) => {
    expect(selects({ labelSelector }, web)).toBe(expected);
  });

  test.each(["a==b=c", "a in b", "(", "a b"])("%j cannot be read", (labelSelector) => {
    expect(parseSelection(new URLSearchParams({ labelSelector }))).toHaveProperty("message");
  });
});

describe("a field selector", () => {
  test.each([
    ["metadata.name=api", true],
    ["metadata.name==db", false],
    ["metadata.name!=db", true],
    ["metadata.namespace=shop,metadata.name=api", true],
  ])("%j selects the object: %s", (fieldSelector, expected) => {
    expect(selects({ fieldSelector }, web)).toBe(expected);
  });

  test("of a field that is not known is refused by its name", () => {
    const problem = parseSelection(new URLSearchParams({ fieldSelector: "spec.clusterIP=None" }));
    expect(problem).toEqual({ message: "field label not supported: spec.clusterIP" });
  });
});
