import { afterAll, beforeAll, expect, test } from "vitest";
import { join } from "node:path";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { fileOf } from "../behaviour/stage.ts";
import { Project } from "../rig/project.ts";
import type { Rule } from "../../src/sandbox/accounts.ts";

const FORWARD: Rule = { verbs: ["create"], resources: ["pods/portforward"] };

let world: SandboxWorld;
let namespace: string;
beforeAll(async () => {
  world = await SandboxWorld.start();
  namespace = await world.newNamespace();
  await world.deploy(namespace, "app");
});
afterAll(() => world[Symbol.asyncDispose]());

/** What `check --cluster` answers a user who may do this. */
async function answer(user: string, rules: readonly Rule[], forward: object) {
  world.sandbox.setUser(user, rules);
  await using project = await Project.create({ file: fileOf(namespace, { api: { ...forward } }) });
  const kubeconfig = join(project.root, "kubeconfig");
  await world.sandbox.writeKubeconfig(kubeconfig, user);
  const { status, stdout } = await project.run("check", "--cluster", "--kubeconfig", kubeconfig);
  return { status, stdout };
}

test("a user who may not watch: it works, and what is lacking is said", async () => {
  const rules = [{ verbs: ["get", "list"], resources: ["*"] }, FORWARD];
  const { status, stdout } = await answer("lister", rules, { target: "svc/app", port: "http", local: 8080 });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^✔ api {2}app-\S+:8080 .*\n {4}though it may not watch services, watch pods\n$/);
});

test("UDP asks for the rights of the relay, in the namespace where it runs", async () => {
  const rules = [{ verbs: ["get", "list", "watch"], resources: ["*"] }, FORWARD];
  const forward = {
    target: "svc/app",
    port: 53,
    protocol: "udp",
    local: 5353,
    relay: { namespace: "tools" },
  };
  const { status, stdout } = await answer("noRelay".toLowerCase(), rules, forward);
  expect(status).toBe(4);
  expect(stdout).toContain('create pods in namespace "tools", delete pods in namespace "tools"');
});

test("a host is the relay's to reach: rights are all that can be asked for", async () => {
  const rules = [{ verbs: ["*"], resources: ["*"] }];
  const { status, stdout } = await answer("all", rules, {
    target: "host/db.example.com",
    port: 5432,
    local: 5433,
  });
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: expect.stringMatching(/^✔ api {2}through the relay/) as string,
  });
});
