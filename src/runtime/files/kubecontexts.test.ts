import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { contextsIn } from "./kubecontexts.ts";

const folder = mkdtempSync(join(tmpdir(), "kfwd-contexts-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function file(text: string): string {
  const path = join(folder, String(files++));
  writeFileSync(path, text);
  return path;
}

const LONG = `apiVersion: v1
clusters:
- cluster: { certificate-authority-data: ${"QUJD".repeat(1000)} }
  name: c
contexts: # of the team
- context:
    cluster: c
    namespace: shop
  name: kind-dev

# the other one
- name: "arn:aws:eks:eu-west-1:1:cluster/x"
  context: { cluster: c }
current-context: kind-dev
users: []
`;

test("are read in their order, with their namespaces", () => {
  expect(contextsIn([file(LONG)])).toEqual([
    { name: "kind-dev", namespace: "shop" },
    { name: "arn:aws:eks:eu-west-1:1:cluster/x", namespace: undefined },
  ]);
});

test.each([
  ["JSON", '{"contexts":[{"name":"a","context":{"namespace":"n"}}],"users":[]}', ["a"]],
  ["indented lists", "contexts:\n    - name: a\n    - name: b\nkind: Config", ["a", "b"]],
  ["Windows' line breaks", "contexts:\r\n- name: a\r\n\r\n- name: b\r\nkind: Config\r\n", ["a", "b"]],
  ["a list at the end", "kind: Config\ncontexts:\n- name: a", ["a"]],
  ["a flow list", "contexts: [{name: a}]\n", ["a"]],
  ["none", "kind: Config\n", []],
  ["an empty one", "", []],
  ["a broken one", "contexts:\n- name: [\n", []],
  ["another shape", "contexts:\n  a: b\n", []],
])("of %s", (_what, text, names) => {
  expect(contextsIn([file(text)]).map(({ name }) => name)).toEqual(names);
});

test("of several files the first wins, and one that is not there has none", () => {
  const one = file("contexts:\n- name: a\n  context: { namespace: first }\n");
  const two = file("contexts:\n- name: a\n  context: { namespace: second }\n- name: b\n");
  expect(contextsIn([one, join(folder, "gone"), folder, two])).toEqual([
    { name: "a", namespace: "first" },
    { name: "b", namespace: undefined },
  ]);
});
