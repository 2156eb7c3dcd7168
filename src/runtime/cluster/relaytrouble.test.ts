import { describe, expect, test } from "vitest";
import { answerFailure, type ApiRefusal } from "./failures.ts";
import { creationTrouble, podTrouble } from "./relaytrouble.ts";

const access = {
  context: "kt",
  user: "ann",
  server: new URL("https://kube.example:6443"),
  loginHint: undefined,
  proxy: undefined,
};

function refusal(status: number, message: string): ApiRefusal {
  const call = { verb: "create", resource: "pods", namespace: "shop" };
  return answerFailure(access, status, JSON.stringify({ kind: "Status", message }), call);
}

describe("a pod that was not made", () => {
  test("PodSecurity is told field by field", () => {
    const said =
      'pods "kfwd-relay-x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false ' +
      '(container "relay" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities ' +
      '(container "relay" must set securityContext.capabilities.drop=["ALL"]), hostPort (container "a" uses hostPorts 1, 2)';
    expect(creationTrouble(refusal(403, said), "shop")).toEqual({
      code: "PodSecurity",
      kind: "denied",
      message:
        'namespace "shop" forbids the relay pod: PodSecurity "restricted:latest": allowPrivilegeEscalation != false ' +
        '(container "relay" must set securityContext.allowPrivilegeEscalation=false); unrestricted capabilities ' +
        '(container "relay" must set securityContext.capabilities.drop=["ALL"]); hostPort (container "a" uses hostPorts 1, 2)',
      hint: "`relay.namespace` names another namespace for it",
    });
  });

  test.each([
    [
      "an exceeded quota",
      'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
      "QuotaExceeded",
      "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1",
    ],
    [
      "a quota that asks for what the pod has not",
      'pods "x" is forbidden: failed quota: q: must specify requests.ephemeral-storage for: relay',
      "QuotaExceeded",
      "failed quota: q: must specify requests.ephemeral-storage for: relay",
    ],
    [
      "a policy of a webhook",
      'admission webhook "validate.kyverno.svc" denied the request: only images of our registry',
      "AdmissionDenied",
      'admission webhook "validate.kyverno.svc" denied the request: only images of our registry',
    ],
    [
      "a missing service account",
      'pods "x" is forbidden: error looking up service account shop/relay: serviceaccount "relay" not found',
      "AdmissionDenied",
      'error looking up service account shop/relay: serviceaccount "relay" not found',
    ],
  ])("%s is told in the server's words", (_name, said, code, words) => {
    const trouble = creationTrouble(refusal(403, said), "shop");
    expect(trouble).toMatchObject({ code, kind: "denied" });
    expect(trouble.message).toBe(`namespace "shop" forbids the relay pod: ${words}`);
  });

  test("a namespace that is not there is named, since no server knows no pods", () => {
    expect(creationTrouble(refusal(404, 'namespaces "tools" not found'), "tools")).toEqual({
      code: "RelayNamespace",
      kind: "denied",
      message: 'there is no namespace "tools" for the relay pod',
      hint: "`relay.namespace` names another namespace for it",
    });
  });

  test("a pod that is not valid is told by its fields, and in the same words for every name", () => {
    const words =
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1';
    const trouble = (name: string) =>
      creationTrouble(refusal(422, `Pod "${name}" is invalid: ${words}`), "shop");
    expect(trouble("kfwd-relay-a")).toEqual({
      code: "RelayInvalid",
      kind: "denied",
      message: `the relay pod is not valid: ${words}`,
      hint: "mend `relay` in the file",
    });
    expect(trouble("kfwd-relay-b")).toEqual(trouble("kfwd-relay-a"));
  });

  test("a missing right is named", () => {
    const said =
      'pods is forbidden: User "ann" cannot create resource "pods" in API group "" in the namespace "shop"';
    expect(creationTrouble(refusal(403, said), "shop")).toMatchObject({
      code: "RelayForbidden",
      message: 'there can be no relay pod: user "ann" may not create pods in namespace "shop" (context "kt")',
    });
  });

  test("anything else is what it always is", () => {
    expect(creationTrouble(refusal(500, "etcd is gone"), "shop")).toMatchObject({
      code: "ClusterAnswer",
      kind: "transient",
    });
  });
});

describe("a pod that does not run", () => {
  const pod = (status: object) => ({
    spec: { containers: [{ name: "istio-proxy" }, { name: "relay", image: "node:24" }] },
    status,
  });
  const waiting = (reason: string, message: string) =>
    pod({ containerStatuses: [{ name: "relay", state: { waiting: { reason, message } } }] });

  test("an image that cannot be pulled", () => {
    expect(
      podTrouble("r", "ImagePullBackOff", waiting("ImagePullBackOff", "Back-off pulling image")),
    ).toMatchObject({
      code: "ImagePullBackOff",
      message: 'relay pod "r" cannot pull node:24: Back-off pulling image (ImagePullBackOff)',
    });
  });

  test("no node for it", () => {
    const conditions = [
      { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes are available" },
    ];
    expect(podTrouble("r", "Pending", pod({ conditions }))).toMatchObject({
      code: "Unschedulable",
      message: 'relay pod "r" finds no node: 0/3 nodes are available',
    });
  });

  test("another trouble, with the kubelet's words if there are any", () => {
    const why = waiting("CreateContainerConfigError", "image has no user");
    expect(podTrouble("r", "CreateContainerConfigError", why).message).toBe(
      'relay pod "r": CreateContainerConfigError: image has no user',
    );
    expect(podTrouble("r", "Failed (exit 1)", undefined).message).toBe('relay pod "r": Failed (exit 1)');
  });
});
