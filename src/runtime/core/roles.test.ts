import { describe, expect, test } from "vitest";
import type { Target } from "../../schema/spec.ts";
import { rolesFor, type PlacedForward } from "./roles.ts";

function forward(name: string, target: Target, more: Partial<PlacedForward> = {}): PlacedForward {
  return { name, target, protocol: "tcp", kubeconfig: undefined, context: "dev", namespace: "shop", ...more };
}

const SVC: Target = { kind: "svc", name: "api" };

/** `pods: list watch`, a line a rule. */
function linesOf(forwards: readonly PlacedForward[]) {
  return rolesFor(forwards).map(({ context, namespace, rules }) => ({
    context,
    namespace,
    rules: rules.map(({ resource, verbs }) => `${resource}: ${verbs.join(" ")}`),
  }));
}

describe("rolesFor", () => {
  test.each<[string, Target, readonly string[]]>([
    ["a Service", SVC, ["services: list watch", "endpointslices: list watch", "pods: list watch"]],
    ["a Deployment", { kind: "deploy", name: "a" }, ["deployments: list watch", "pods: list watch"]],
    ["a StatefulSet", { kind: "sts", name: "a" }, ["statefulsets: list watch", "pods: list watch"]],
    ["a DaemonSet", { kind: "ds", name: "a" }, ["daemonsets: list watch", "pods: list watch"]],
    ["a ReplicaSet", { kind: "rs", name: "a" }, ["replicasets: list watch", "pods: list watch"]],
    ["a Job", { kind: "job", name: "a" }, ["jobs: list watch", "pods: list watch"]],
    ["a pod", { kind: "pod", name: "a" }, ["pods: list watch"]],
    ["a selector", { kind: "selector", selector: "a=b" }, ["pods: list watch"]],
    ["a host", { kind: "host", name: "db.test" }, ["pods: create list delete watch get"]],
  ])("of %s", (_, target, rules) => {
    expect(linesOf([forward("a", target)])).toEqual([
      { context: "dev", namespace: "shop", rules: [...rules, "pods/portforward: create get"] },
    ]);
  });

  test("workloads are of their API group", () => {
    const groups = (target: Target) =>
      rolesFor([forward("a", target)])[0]?.rules.map(({ group, resource }) => `${group}/${resource}`);
    expect(groups({ kind: "deploy", name: "a" })).toEqual(["apps/deployments", "/pods", "/pods/portforward"]);
    expect(groups({ kind: "job", name: "a" })).toEqual(["batch/jobs", "/pods", "/pods/portforward"]);
    expect(groups(SVC)).toContain("discovery.k8s.io/endpointslices");
  });

  test("a relay in the target's namespace adds only what is not allowed yet", () => {
    expect(linesOf([forward("dns", SVC, { protocol: "udp" })])).toEqual([
      {
        context: "dev",
        namespace: "shop",
        rules: [
          "services: list watch",
          "endpointslices: list watch",
          "pods: list watch",
          "pods: create delete get",
          "pods/portforward: create get",
        ],
      },
    ]);
  });

  test("a relay elsewhere: connections are opened there alone", () => {
    const relayed = forward(
      "dns",
      { kind: "pod", name: "a" },
      { via: "relay", relay: { namespace: "tools" } },
    );
    expect(linesOf([relayed])).toEqual([
      { context: "dev", namespace: "shop", rules: ["pods: list watch"] },
      {
        context: "dev",
        namespace: "tools",
        rules: ["pods: create list delete watch get", "pods/portforward: create get"],
      },
    ]);
  });

  test("one Role a namespace and context; each rule names the forwards that need it", () => {
    const roles = rolesFor([
      forward("api", SVC),
      forward("web", { kind: "deploy", name: "web" }),
      forward("other", SVC, { namespace: "billing" }),
      forward("far", SVC, { context: "prod" }),
    ]);
    expect(roles.map(({ context, namespace }) => `${context} ${namespace}`)).toEqual([
      "dev shop",
      "dev billing",
      "prod shop",
    ]);
    expect(roles[0]?.rules.map(({ resource, forwards }) => `${resource}: ${forwards.join(" ")}`)).toEqual([
      "services: api",
      "endpointslices: api",
      "pods: api web",
      "deployments: web",
      "pods/portforward: api web",
    ]);
  });

  test("no verb is allowed twice, and each that can be spared is said to", () => {
    const [role] = rolesFor([forward("api", SVC), forward("dns", SVC, { protocol: "udp" })]);
    const all = role?.rules.flatMap(({ group, resource, verbs }) =>
      verbs.map((v) => `${v} ${group}/${resource}`),
    );
    expect(new Set(all).size).toBe(all?.length);
    expect(role?.rules.every(({ verbs, helpful }) => verbs.length > helpful.length)).toBe(true);
  });
});
