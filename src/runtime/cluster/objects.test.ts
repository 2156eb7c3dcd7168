import { describe, expect, test } from "vitest";
import { podJson, serviceJson, workloadJson, type PodWish } from "../../../test/fakes/kubeobjects.ts";
import { PODS, SERVICES, WORKLOADS, readMeta } from "./objects.ts";

describe("pods", () => {
  test("keep what resolving needs and nothing else", () => {
    const json = podJson("web-0", {
      restarts: 2,
      owner: "rs-1",
      ips: ["10.0.0.7", "fd00::7"],
      sidecarPorts: [{ name: "admin", containerPort: 15000 }],
    });
    expect(PODS.read(json)).toEqual({
      name: "web-0",
      uid: "uid-web-0",
      labels: { app: "web" },
      owner: "rs-1",
      stage: "ready",
      trouble: "",
      readySince: "2026-11-01T00:00:05Z",
      createdAt: "2026-11-01T00:00:00Z",
      restarts: 2,
      ports: [
        { name: "http", port: 8080, protocol: "TCP", container: "main" },
        { name: "admin", port: 15000, protocol: "TCP", container: "proxy" },
      ],
      ips: ["10.0.0.7", "fd00::7"],
    });
  });

  test.each<{ name: string; wish: PodWish; stage: string; trouble: string }>([
    { name: "ready", wish: {}, stage: "ready", trouble: "" },
    { name: "not ready", wish: { ready: false }, stage: "unready", trouble: "not ready" },
    { name: "deleted", wish: { deleting: true }, stage: "terminating", trouble: "Terminating" },
    {
      name: "completed",
      wish: { phase: "Succeeded", ready: false },
      stage: "finished",
      trouble: "Succeeded",
    },
    {
      name: "deleted and stopped",
      wish: { deleting: true, phase: "Failed", ready: false },
      stage: "terminating",
      trouble: "Terminating",
    },
    {
      name: "crashing",
      wish: { ready: false, waiting: "CrashLoopBackOff", lastExit: { exitCode: 137, reason: "OOMKilled" } },
      stage: "unready",
      trouble: "CrashLoopBackOff (last exit 137 OOMKilled)",
    },
    {
      name: "crashing without more than a number",
      wish: { ready: false, waiting: "CrashLoopBackOff", lastExit: { exitCode: 1, reason: "Error" } },
      stage: "unready",
      trouble: "CrashLoopBackOff (last exit 1)",
    },
    {
      name: "without its image",
      wish: { ready: false, phase: "Pending", waiting: "ImagePullBackOff" },
      stage: "unready",
      trouble: "ImagePullBackOff",
    },
    {
      name: "on its way up",
      wish: { ready: false, phase: "Pending", waiting: "ContainerCreating" },
      stage: "unready",
      trouble: "Pending (ContainerCreating)",
    },
    {
      name: "without a node",
      wish: {
        ready: false,
        phase: "Pending",
        unschedulable: "0/1 nodes are available: 1 Insufficient memory.",
      },
      stage: "unready",
      trouble: "Pending (Unschedulable: 0/1 nodes are available: 1 Insufficient memory.)",
    },
    { name: "lost with its node", wish: { phase: "Unknown" }, stage: "unready", trouble: "Unknown" },
  ])("$name", ({ wish, stage, trouble }) => {
    expect(PODS.read(podJson("web-0", wish))).toMatchObject({ stage, trouble });
  });

  test("evicted ones say so", () => {
    const json = { ...podJson("web-0"), status: { phase: "Failed", reason: "Evicted" } };
    expect(PODS.read(json)).toMatchObject({ stage: "finished", trouble: "Failed (Evicted)" });
  });

  test("without any status are not broken", () => {
    const json = { metadata: { name: "a", uid: "u", labels: null }, spec: { containers: null } };
    expect(PODS.read(json)).toMatchObject({ stage: "unready", labels: {}, ports: [] });
  });
});

describe("services", () => {
  test("a port without a target goes to the same port", () => {
    const json = serviceJson("api", { ports: [{ port: 80 }, { name: "", port: 81, targetPort: 0 }] });
    expect(SERVICES.read(json)?.ports).toEqual([
      { name: undefined, port: 80, protocol: "TCP", targetPort: 80 },
      { name: undefined, port: 81, protocol: "TCP", targetPort: 81 },
    ]);
  });

  test("may have neither selector nor ports", () => {
    expect(
      SERVICES.read(
        serviceJson("x", { type: "ExternalName", externalName: "a.b", selector: null, ports: null }),
      ),
    ).toEqual({
      name: "x",
      type: "ExternalName",
      externalName: "a.b",
      selector: {},
      takesUnready: false,
      ports: [],
    });
  });
});

test("workloads keep their selector", () => {
  const selector = { matchLabels: { app: "x" }, matchExpressions: [{ key: "a", operator: "Exists" }] };
  expect(WORKLOADS.deploy.read(workloadJson("api", { replicas: 0, selector }))).toEqual({
    name: "api",
    uid: "uid-api",
    replicas: 0,
    trouble: undefined,
    selector: { matchLabels: { app: "x" }, matchExpressions: [{ key: "a", operator: "Exists", values: [] }] },
  });
});

test.each([
  ["ReplicaFailure", "True", { reason: "FailedCreate", message: "exceeded quota" }, "exceeded quota"],
  ["ReplicaFailure", "False", { message: "exceeded quota" }, undefined],
  ["Available", "True", { message: "has minimum availability" }, undefined],
  ["Failed", "True", { reason: "BackoffLimitExceeded", message: null }, "BackoffLimitExceeded"],
  ["Suspended", "True", {}, "Suspended"],
])("workloads tell why they have no pods: %s %s", (type, status, words, trouble) => {
  const conditions = [
    { type: "Progressing", status: "True", message: "m" },
    { type, status, ...words },
  ];
  expect(WORKLOADS.rs.read(workloadJson("api", { status: { conditions } }))).toMatchObject({ trouble });
});

test.each([null, 1, "x", [], {}, { metadata: null }, { metadata: { name: 1 } }])(
  "broken objects are not read: %j",
  (json) => {
    expect(PODS.read(json)).toBeUndefined();
    expect(SERVICES.read(json)).toBeUndefined();
    expect(WORKLOADS.job.read(json)).toBeUndefined();
    expect(readMeta(json)).toBeUndefined();
  },
);

test("a bookmark has a version and no name", () => {
  expect(readMeta({ metadata: { resourceVersion: "7" } })).toEqual({ name: "", resourceVersion: "7" });
});
