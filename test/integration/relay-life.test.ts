import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { udpEchoApp } from "../../src/sandbox/apps.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { within } from "../rig/client.ts";
import { Project } from "../rig/project.ts";
import { lackOfTerminals, onTerminal } from "../rig/terminal.ts";

let sandbox: Sandbox;
let folder: string;
let kubeconfig: string;

beforeAll(async () => {
  sandbox = await Sandbox.start();
  folder = await mkdtemp(join(tmpdir(), "kfwd-relay-life-"));
  kubeconfig = join(folder, "kubeconfig");
  await sandbox.writeKubeconfig(kubeconfig);
});

afterAll(async () => {
  await sandbox[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const relays = (namespace: string) =>
  sandbox.cluster.list(namespace, { "app.kubernetes.io/name": "kfwd-relay" });

/** A project with one UDP forward to a pod that echoes, up and ready. */
async function upWithRelay(namespace: string): Promise<Project> {
  sandbox.cluster.createPod(namespace, { name: "echo", udp: { 5300: udpEchoApp() } });
  const project = await Project.create({
    kubeconfig,
    file: `namespace: ${namespace}\nforwards:\n  dns: { target: pod/echo, port: 5300, protocol: udp, local: auto }\n`,
  });
  const up = await project.run("up", "-d", "--wait");
  expect(up.stderr).toContain("ready 1/1");
  return project;
}

async function echo(port: number): Promise<string> {
  const socket = createSocket("udp4");
  try {
    socket.send("hello", port, "127.0.0.1");
    const [answer] = (await once(socket, "message")) as [Buffer];
    return answer.toString();
  } finally {
    socket.close();
  }
}

/** Kills the supervisor as the system would, and resolves with its relay's UID. */
async function murder(project: Project, namespace: string): Promise<string> {
  const { supervisor, entries } = await project.status();
  expect(await echo(entries[0]!.localPort!)).toBe("hello");
  const [pod] = relays(namespace);
  process.kill(supervisor.pid, "SIGKILL");
  return pod!.metadata.uid;
}

const gone = (namespace: string, uid: string) =>
  sandbox.until(() => relays(namespace).every(({ metadata }) => metadata.uid !== uid), 30_000);

test("the next up deletes the relay of a supervisor that was killed, and has one of its own", async () => {
  await using project = await upWithRelay("next-up");
  const uid = await murder(project, "next-up");
  expect((await project.run("up", "-d", "--wait")).stderr).toContain("ready 1/1");
  await gone("next-up", uid);
  const { entries } = await project.status();
  expect(await echo(entries[0]!.localPort!)).toBe("hello");
  expect((await project.run("down")).status).toBe(0);
  await sandbox.until(() => relays("next-up").length === 0);
});

test("down deletes the relay of a supervisor that was killed", async () => {
  await using project = await upWithRelay("down");
  const uid = await murder(project, "down");
  const down = await project.run("down");
  expect(down).toMatchObject({ status: 0 });
  expect(down.stderr).toMatch(/removed relay pod down\/kfwd-relay-/);
  await gone("down", uid);
});

test("prune shows what is left, asks, and leaves what lives alone", async () => {
  await using living = await upWithRelay("living");
  await using project = await upWithRelay("prune");
  const uid = await murder(project, "prune");
  const unasked = await project.run("prune");
  expect(unasked.status).toBe(2);
  expect(unasked.stderr).toMatch(/relay pod prune\/kfwd-relay-\S+ \(context "sandbox", project /);
  expect(unasked.stderr).toMatch(/lock of project \S+: pid \d+ was killed or crashed/);
  expect(unasked.stderr).toContain("kfwd prune --yes");
  expect(relays("prune")).toHaveLength(1);

  const pruned = await project.run("prune", "--yes");
  expect(pruned).toMatchObject({ status: 0 });
  expect(pruned.stderr).toContain("removed 1 relay pod and 1 lock");
  await gone("prune", uid);
  expect((await project.run("prune", "--yes")).stderr).toContain("nothing is left over");

  const other = await living.run("prune", "--yes", "--json");
  expect(JSON.parse(other.stdout)).toMatchObject({ removed: { locks: [], relays: [] } });
  expect(relays("living")).toHaveLength(1);
  expect((await living.run("down")).status).toBe(0);
});

test("prune does not offer a relay that is being deleted already, though another place cannot be asked", async () => {
  await using project = await upWithRelay("ending");
  const [pod] = relays("ending");
  await murder(project, "ending");
  sandbox.cluster.remove(pod!, { graceMs: 3_600_000 });
  await project.write(
    JSON.stringify({
      "current-context": "far",
      contexts: [{ name: "far", context: { cluster: "far", user: "far" } }],
      clusters: [{ name: "far", cluster: { server: "https://127.0.0.1:1" } }],
      users: [{ name: "far", user: {} }],
    }),
    "far.kubeconfig",
  );
  await project.write(
    "namespace: ending\nforwards:\n  dns: { target: pod/echo, port: 5300, protocol: udp, local: auto }\n" +
      "  far: { target: pod/echo, port: 5300, protocol: udp, local: auto, kubeconfig: far.kubeconfig }\n",
    "far.yaml",
  );
  for (const args of [[], ["-f", "far.yaml"]]) {
    const { stderr } = await project.run("prune", ...args);
    expect(stderr).toMatch(/lock of project \S+: pid \d+ was killed or crashed/);
    expect(stderr).not.toContain("relay pod ending/");
  }
  expect((await project.run("prune", "--yes")).stderr).toContain("removed 0 relay pods and 1 lock");
  sandbox.cluster.remove(pod!, { force: true });
});

test.skipIf(lackOfTerminals())(
  "prune asks on a terminal: a no, or no word, leaves all as it is",
  async () => {
    await using project = await upWithRelay("asked");
    const uid = await murder(project, "asked");
    const answer = async (typed: string) => {
      const prune = onTerminal(project, "prune");
      await prune.says(/remove them\? \[y\/N\] /);
      prune.child.stdin?.write(typed);
      return within(prune.ended, 15_000);
    };
    for (const no of ["n\r", "\r", "maybe\r", "\u0004"]) {
      const { status, stdout } = await answer(no);
      expect([status, stdout.includes("removed")]).toEqual([0, false]);
    }
    expect(relays("asked").some(({ metadata }) => metadata.uid === uid)).toBe(true);
    expect((await project.run("status")).status).toBe(3);
    const { status, stdout } = await answer("y\r");
    expect(status).toBe(0);
    expect(stdout).toContain("removed 1 relay pod and 1 lock");
    await gone("asked", uid);
  },
  60_000,
);

test("a quota that forbids the relay is told with the time of the next try", async () => {
  sandbox.cluster.createPod("full", { name: "echo", udp: { 5300: udpEchoApp() } });
  await using project = await Project.create({
    kubeconfig,
    file: "namespace: full\nforwards:\n  dns: { target: pod/echo, port: 5300, protocol: udp, local: auto }\n",
  });
  sandbox.faults.admission = "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2";
  try {
    await project.ok("up", "-d");
    const dns = await project.until(
      "dns",
      ({ reason, retryAt }) => reason?.code === "QuotaExceeded" && retryAt !== null,
    );
    expect(dns).toMatchObject({ state: "waiting", relay: { state: "waiting" }, attempt: 1 });
    const { stdout } = await project.run("status");
    expect(stdout).toMatch(/exceeded quota: q.*\(next try in \d+s\)/s);
  } finally {
    sandbox.faults.admission = undefined;
  }
  expect((await project.run("down")).status).toBe(0);
});
