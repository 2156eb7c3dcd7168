import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { Project } from "../rig/project.ts";

const FILE = `
version: 1
name: my_shop
forwards:
  api: "8080:svc/api:http"
  on: "8081:shop/deploy/web:80"
  dns: "5353:kube-system/svc/kube-dns:53/udp"
  far: { local: 8082, target: pod/x, port: 1, context: prod, namespace: shop }
`;

/** Names a plugin that must not be run, and a server that nobody has. */
const KUBECONFIG = `
current-context: dev
contexts:
  - { name: dev, context: { cluster: c, user: u, namespace: shop } }
  - { name: prod, context: { cluster: c, user: u } }
clusters: [{ name: c, cluster: { server: "https://192.0.2.1" } }]
users: [{ name: u, user: { exec: { apiVersion: v1, command: /bin/false } } }]
`;

async function projectWith(kubeconfig: string | undefined): Promise<Project> {
  const project = await Project.create({ file: FILE });
  if (kubeconfig === undefined) return project;
  const path = join(project.root, "kubeconfig");
  await writeFile(path, kubeconfig);
  project.env["KUBECONFIG"] = path;
  return project;
}

interface Document {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly subjects?: readonly object[];
}

test("a Role and a RoleBinding for each namespace and context; YAML and JSON say the same", async () => {
  await using project = await projectWith(KUBECONFIG);
  const args = ["--user", "yes", "--group", "sys:devs", "--serviceaccount", "ci:tests"];
  const { stdout, stderr } = await project.ok("rbac", ...args);
  expect(stderr).toBe("");
  const documents = parseAllDocuments(stdout, { version: "1.1" }).map((one) => one.toJS() as Document);
  const { manifests } = JSON.parse((await project.ok("rbac", "--json", ...args)).stdout) as {
    manifests: Document[];
  };
  expect(documents).toEqual(manifests);
  expect(documents.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`)).toEqual([
    "Role shop/kfwd-my-shop",
    "RoleBinding shop/kfwd-my-shop",
    "Role kube-system/kfwd-my-shop",
    "RoleBinding kube-system/kfwd-my-shop",
    "Role shop/kfwd-my-shop",
    "RoleBinding shop/kfwd-my-shop",
  ]);
  expect(stdout).toContain("# For context dev.");
  expect(stdout).toContain("# For context prod.");
  const apiGroup = "rbac.authorization.k8s.io";
  expect(documents[1]?.subjects).toEqual([
    { kind: "User", name: "yes", apiGroup },
    { kind: "Group", name: "sys:devs", apiGroup },
    { kind: "ServiceAccount", name: "tests", namespace: "ci" },
  ]);
});

test("without a kubeconfig the namespace is left out where the file has none, and it is said", async () => {
  await using project = await projectWith(undefined);
  const { stdout, stderr } = await project.ok("rbac", "api");
  expect(stderr).toMatch(
    /^note: the namespace of your context is not known, so it is left out: no kubeconfig/,
  );
  expect(stdout).toContain("kubectl apply -n NAMESPACE");
  expect(stdout).toContain("YOUR-USER-NAME");
  expect(parseAllDocuments(stdout)[0]?.toJS()).toMatchObject({
    kind: "Role",
    metadata: { name: "kfwd-my-shop" },
  });
  expect(stdout).not.toContain("namespace:");
});

test.each<[string, readonly string[], RegExp]>([
  ["a name that is none of the file", ["nobody"], /no forward named "nobody"/],
  [
    "a service account without its namespace",
    ["--serviceaccount", "tests"],
    /"tests" cannot be a service account/,
  ],
  ["an empty user", ["--user", ""], /option "--user <name>" needs a value/],
])("%s: exit 2", async (_, args, words) => {
  await using project = await projectWith(undefined);
  const { status, stderr } = await project.run("rbac", ...args);
  expect(stderr).toMatch(words);
  expect(status).toBe(2);
});
