import { describe, expect, test } from "vitest";
import type { RelayPatch } from "../../schema/spec.ts";
import { relayManifest } from "./relaymanifest.ts";

const owner = { project: "Shop", projectId: "00ff", run: "aa", user: "bb" };
const text = { text: "program", key: "KEY" };

test.each([
  ["Shop", "kfwd-relay-shop-"],
  ["My_Shop (staging)", "kfwd-relay-my-shop-staging-"],
  ["ünïcode", "kfwd-relay-n-code-"],
  ["???", "kfwd-relay-"],
  ["x".repeat(300), `kfwd-relay-${"x".repeat(30)}-`],
])("the name of project %j begins with %s", (project, generateName) => {
  expect(relayManifest({ ...owner, project }, "shop", {}, text)).toMatchObject({
    metadata: { generateName },
  });
});

test("holds the public half of the key, and what the file wishes", () => {
  const wishes = {
    image: "registry.example/node@sha256:00",
    imagePullSecrets: ["pull"],
    serviceAccount: "relay",
    resources: { limits: { memory: "256Mi" } },
    nodeSelector: { pool: "a" },
    tolerations: [{ key: "k", operator: "Exists" }],
    labels: { team: "a", "kfwd/user": "somebody else" },
    annotations: { note: "n" },
  };
  expect(relayManifest(owner, "shop", wishes, text)).toMatchObject({
    metadata: { namespace: "shop", labels: { team: "a", "kfwd/user": "bb" }, annotations: { note: "n" } },
    spec: {
      serviceAccountName: "relay",
      automountServiceAccountToken: false,
      imagePullSecrets: [{ name: "pull" }],
      nodeSelector: { pool: "a" },
      tolerations: [{ key: "k", operator: "Exists" }],
      containers: [
        {
          image: "registry.example/node@sha256:00",
          command: ["node", "--max-old-space-size=48", "-e", "program"],
          env: [
            { name: "KFWD_RELAY_KEY", value: "KEY" },
            { name: "KFWD_RELAY_PORT", value: "7713" },
            { name: "UV_THREADPOOL_SIZE", value: "16" },
          ],
          resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { cpu: "1", memory: "256Mi" } },
        },
      ],
    },
  });
});

describe("a patch of the file", () => {
  const manifest = (patch: RelayPatch): unknown => relayManifest(owner, "shop", { patch }, text);

  test("adds, changes and takes away, and keeps the relay's program and key", () => {
    const made = manifest({
      spec: {
        priorityClassName: "low",
        securityContext: { runAsUser: null },
        containers: [
          {
            name: "relay",
            image: "mine",
            env: [{ name: "TZ", value: "UTC" }],
            volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
          },
          { name: "proxy", image: "p" },
        ],
        volumes: [{ name: "tmp", emptyDir: {} }],
      },
    });
    expect(made).toMatchObject({
      spec: {
        priorityClassName: "low",
        automountServiceAccountToken: false,
        containers: [
          {
            name: "relay",
            image: "mine",
            command: ["node", "--max-old-space-size=48", "-e", "program"],
            volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
            securityContext: { allowPrivilegeEscalation: false },
          },
          { name: "proxy", image: "p" },
        ],
        volumes: [{ name: "tmp", emptyDir: {} }],
      },
    });
    expect(JSON.stringify(made)).toContain('{"name":"KFWD_RELAY_KEY","value":"KEY"}');
    expect(JSON.stringify(made)).toContain('{"name":"TZ","value":"UTC"}');
    expect(JSON.stringify(made)).not.toContain("runAsUser");
  });

  test("cannot hide the pod from those who look for leftovers", () => {
    const made = manifest({
      metadata: { labels: null, annotations: { "kfwd/project": "other", note: "n" } },
    });
    expect(made).toMatchObject({
      metadata: {
        labels: { "kfwd/user": "bb", "kfwd/run": "aa", "kfwd/project-id": "00ff" },
        annotations: { "kfwd/project": "Shop", note: "n" },
      },
    });
  });

  test("that is none changes nothing", () => {
    expect(manifest({})).toEqual(relayManifest(owner, "shop", {}, text));
  });
});

test("a life and a patience of their own are in the manifest", () => {
  const made = relayManifest(owner, "shop", { ttlMs: 90_500, idleMs: 600_000 }, text);
  expect(made).toMatchObject({ spec: { activeDeadlineSeconds: 91 } });
  expect(JSON.stringify(made)).toContain('{"name":"KFWD_RELAY_IDLE_MS","value":"600000"}');
});
