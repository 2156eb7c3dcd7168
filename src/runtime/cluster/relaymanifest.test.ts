import { expect, test } from "vitest";
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
