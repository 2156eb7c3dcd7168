import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Project } from "../rig/project.ts";

/** Nobody listens there; a forward waits, and the supervisor lives. */
const KUBECONFIG = JSON.stringify({
  "current-context": "nowhere",
  contexts: [{ name: "nowhere", context: { cluster: "nowhere", user: "ann" } }],
  clusters: [{ name: "nowhere", cluster: { server: "http://127.0.0.1:9" } }],
  users: [{ name: "ann", user: { token: "t" } }],
});

/** Loaded before kfwd: a bug that shows itself when the test says so. */
const BUG = `process.on("SIGUSR2", () => { throw new Error("out of order"); });`;

test("a supervisor in the foreground that crashes leaves its last words where status finds them", async () => {
  await using project = await Project.create({
    file: `forwards: { api: { target: svc/api, port: 80, local: auto } }\n`,
  });
  const kubeconfig = join(project.root, "kubeconfig");
  const bug = join(project.root, "bug.cjs");
  await Promise.all([writeFile(kubeconfig, KUBECONFIG), writeFile(bug, BUG)]);
  const up = project.start(["up"], {
    env: { KUBECONFIG: kubeconfig, NODE_OPTIONS: `--require ${bug}` },
  });
  await up.says(/degraded|waiting|Unreachable|cannot reach/);
  up.kill("SIGUSR2");
  expect(await up.ended).toMatchObject({
    status: 70,
    stderr: expect.stringContaining("out of order") as string,
  });
  const status = await project.run("status");
  expect(status.status).toBe(3);
  expect(status.stdout + status.stderr).toContain("it said: Error: out of order");
});
