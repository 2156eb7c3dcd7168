import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClusterWorld } from "../behaviour/clusterworld.ts";
import { projectOf } from "../behaviour/stage.ts";
import type { Project } from "../rig/project.ts";

const IMAGE = process.env["KFWD_E2E_IMAGE"] ?? "docker.io/library/node:24-alpine";

/** A pod that cannot serve, by name: what is wrong with it, and what status says of it at some time. */
const TROUBLES: Readonly<
  Record<string, { readonly pod?: object; readonly container: object; readonly says: RegExp }>
> = {
  noimage: {
    container: { image: "registry.invalid/none:1" },
    says: /^0 of 1 pod ready: noimage-\S+ (ErrImagePull|ImagePullBackOff) \(registry\.invalid\/none:1.*\)$/,
  },
  exits: {
    container: { command: ["node", "-e", "process.exit(3)"] },
    says: /^0 of 1 pod ready: exits-\S+ (stopped \(|CrashLoopBackOff \(last )exit 3, \d+ restarts?\)$/,
  },
  hungry: {
    container: {
      command: ["node", "-e", "const kept = []; setInterval(() => kept.push(Buffer.alloc(8e6, 1)), 5)"],
      resources: { limits: { memory: "80Mi" } },
    },
    says: /^0 of 1 pod ready: hungry-\S+ .*exit 137 OOMKilled/,
  },
  homeless: {
    pod: { nodeSelector: { "kfwd-e2e/disk": "gold" } },
    container: {},
    says: /^0 of 1 pod ready: homeless-\S+ Pending \(Unschedulable: 0\/\d+ nodes are available: .*\)$/,
  },
  unready: {
    container: { readinessProbe: { tcpSocket: { port: 9 }, periodSeconds: 1 } },
    says: /^0 of 1 pod ready: unready-\S+ not ready$/,
  },
  nocommand: {
    container: { command: ["/nonexistent"] },
    says: /^0 of 1 pod ready: nocommand-\S+ .*exit 128 StartError, no such file or directory/,
  },
  noconfig: {
    container: { envFrom: [{ configMapRef: { name: "nope" } }] },
    says: /^0 of 1 pod ready: noconfig-\S+ CreateContainerConfigError \(configmap "nope" not found\)$/,
  },
};

function deployment(namespace: string, name: string): object {
  const labels = { app: name };
  const { pod = {}, container } = TROUBLES[name]!;
  const base = { name: "app", image: IMAGE, imagePullPolicy: "IfNotPresent" };
  const sleep = { command: ["node", "-e", "setInterval(() => {}, 1000)"] };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          dnsPolicy: "Default",
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 1,
          ...pod,
          containers: [{ ...base, ...sleep, ...container }],
        },
      },
    },
  };
}

describe("status has the cluster's own words for", () => {
  let world: ClusterWorld;
  let project: Project;
  beforeAll(async () => {
    world = await ClusterWorld.start();
    const namespace = await world.newNamespace();
    const names = Object.keys(TROUBLES);
    const items = names.map((name) => deployment(namespace, name));
    const args = ["--kubeconfig", world.kubeconfig("admin"), "apply", "-f", "-"];
    execFileSync("kubectl", args, { input: JSON.stringify({ apiVersion: "v1", kind: "List", items }) });
    const forwards = names.map((name) => [name, { target: `deploy/${name}`, port: 9, local: "auto" }]);
    project = await projectOf(world, namespace, Object.fromEntries(forwards));
    await project.ok("up", "-d");
  });
  afterAll(async () => {
    await project[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test.each(Object.entries(TROUBLES))("%s", async (name, { says }) => {
    const { reason } = await project.until(name, (one) => says.test(one.reason?.message ?? ""), 60_000);
    expect(reason).toMatchObject({ code: "NoReadyPods", kind: "missing" });
    expect(reason?.hint).toMatch(/^kubectl .* (describe pod|logs) /);
  });
});
