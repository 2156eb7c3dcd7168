import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { dial, httpGet } from "../rig/client.ts";
import { Project } from "../rig/project.ts";
import { realClock } from "../../src/runtime/clock.ts";

const never = new AbortController().signal;

/** What `kubectl config view` shows of one cluster. */
interface Kubeconfig {
  readonly contexts: readonly { readonly context: { readonly user: string } }[];
  readonly clusters: readonly { readonly cluster: object }[];
  readonly users: readonly { readonly user: object }[];
}

test("a forward follows the current context from one cluster to another, and to no protected one", async () => {
  await using dev = await SandboxWorld.start();
  await using staging = await SandboxWorld.start();
  const namespace = await dev.newNamespace();
  expect(await staging.newNamespace()).toBe(namespace);
  await Promise.all([dev.deploy(namespace, "app"), staging.deploy(namespace, "app")]);
  const podOf = async (world: SandboxWorld): Promise<string> =>
    `hello from ${(await world.podsOf(namespace, "app"))[0]?.name}`;

  const file = {
    version: 1,
    namespace,
    protect: ["*prod*"],
    forwards: { web: { target: "svc/app", port: "http", local: "auto", followContext: true } },
  };
  await using project = await Project.create({ file: JSON.stringify(file) });
  const kubeconfig = join(project.root, "kubeconfig");
  project.env["KUBECONFIG"] = kubeconfig;
  const worlds = { dev, staging, "prod-eu": staging };
  const write = async (current: string): Promise<void> => {
    await writeFile(`${kubeconfig}.new`, kubeconfigOf(worlds, current));
    await rename(`${kubeconfig}.new`, kubeconfig); // as kubectl does
  };
  await write("dev");
  await project.ok("up", "--wait");
  const { localPort } = await project.until("web", ({ state }) => state === "ready");
  const port = localPort ?? 0;
  expect(await httpGet(port)).toContain(await podOf(dev));
  const open = await dial(port);
  const reset = new Promise<string>((resolve) => open.on("error", ({ message }) => resolve(message)));

  await write("staging");
  const moved = await project.until(
    "web",
    ({ context, state }) => context === "staging" && state === "ready",
  );
  expect(moved.localPort).toBe(port);
  expect(await reset).toMatch(/ECONNRESET/);
  expect(await httpGet(port)).toContain(await podOf(staging));
  const note = `the kubeconfig's current context has changed: web moved from "dev" to "staging"`;
  expect((await project.run("status")).stderr).toContain(note);

  await writeFile(kubeconfig, "apiVersion: v1\ncurrent-con"); // somebody writes it in place, and dies
  await realClock.sleep(4_000, never);
  expect(await httpGet(port)).toContain(await podOf(staging));
  expect((await project.run("status")).stderr).toContain("what it said before holds");

  await write("prod-eu");
  await realClock.sleep(4_000, never);
  const { stderr } = await project.run("status");
  expect(stderr).toContain(
    'web stays in context "staging" though "prod-eu" is the current one: it matches protect "*prod*" (hint: kfwd up --allow-context prod-eu)',
  );
  expect(await project.forward("web")).toMatchObject({ context: "staging", state: "ready" });

  await write("dev");
  await project.until("web", ({ context, state }) => context === "dev" && state === "ready");
  expect(await httpGet(port)).toContain(await podOf(dev));
});

/** One context for each name, with the cluster of its world. */
function kubeconfigOf(worlds: Readonly<Record<string, SandboxWorld>>, current: string): string {
  const all = Object.entries(worlds).map(([name, world]) => {
    const { clusters, users } = JSON.parse(world.sandbox.kubeconfig("admin")) as Kubeconfig;
    return { name, cluster: clusters[0]?.cluster, user: users[0]?.user };
  });
  return JSON.stringify({
    "current-context": current,
    contexts: all.map(({ name }) => ({ name, context: { cluster: name, user: name } })),
    clusters: all.map(({ name, cluster }) => ({ name, cluster })),
    users: all.map(({ name, user }) => ({ name, user })),
  });
}
