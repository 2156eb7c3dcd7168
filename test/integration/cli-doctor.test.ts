import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { fileOf } from "../behaviour/stage.ts";
import { freePort } from "../rig/freeport.ts";
import { Project } from "../rig/project.ts";
import type { Finding } from "../../src/runtime/checkup.ts";
import type { Rule } from "../../src/sandbox/accounts.ts";

interface Report {
  readonly schema: string;
  readonly ok: boolean;
  readonly exit: number;
  readonly checks: readonly Finding[];
}

let world: SandboxWorld;
let namespace: string;
beforeAll(async () => {
  world = await SandboxWorld.start();
  namespace = await world.newNamespace();
  await world.deploy(namespace, "app");
});
afterAll(() => world[Symbol.asyncDispose]());

const API = { target: "svc/app", port: "http", local: "auto" };

function projectAs(
  kubeconfig = world.kubeconfig("admin"),
  forwards: object = { api: API },
): Promise<Project> {
  return Project.create({ kubeconfig, file: fileOf(namespace, forwards as { api: typeof API }) });
}

/** What `doctor --json` says, its exit status checked. */
async function reportOf(project: Project, ...args: string[]): Promise<Report> {
  const { status, stdout, stderr } = await project.run("doctor", "--json", ...args);
  const report = JSON.parse(stdout) as Report;
  expect(stderr).toBe("");
  expect(report).toMatchObject({ schema: "kfwd.doctor/1", ok: status === 0, exit: status });
  return report;
}

const of = (report: Report, id: string): readonly Finding[] => report.checks.filter((one) => one.id === id);

/** A kubeconfig of the sandbox's admin with another user or cluster. */
async function kubeconfigIn(project: Project, user: object, cluster: object = {}): Promise<string> {
  const config = JSON.parse(world.sandbox.kubeconfig("admin")) as {
    clusters: { cluster: object }[];
    users: { user: object }[];
  };
  for (const one of config.users) one.user = user;
  for (const one of config.clusters) Object.assign(one.cluster, cluster);
  const path = join(project.root, "kubeconfig");
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
  project.env["KUBECONFIG"] = path;
  return path;
}

async function plugin(project: Project, script: string): Promise<object> {
  const command = join(project.root, "login");
  await writeFile(command, `#!/bin/sh\ntouch "${project.root}/was-run"\n${script}\n`);
  await chmod(command, 0o700);
  return { exec: { apiVersion: "client.authentication.k8s.io/v1", command, interactiveMode: "Never" } };
}

describe.concurrent("doctor", () => {
  test("all is well: exit 0, and a block for a report at the end", async () => {
    await using project = await projectAs();
    await project.ok("up", "--wait");
    const { stdout, stderr } = await project.ok("doctor", "--color", "never");
    for (const line of [
      /^✔ node\s+Node v/m,
      /^✔ file\s+forwards.yaml: 1 forward, nothing wrong$/m,
      /^✔ credentials\s+sandbox: user "admin": token$/m,
      /^✔ server\s+sandbox: Kubernetes v1\./m,
      /^✔ clock\s+sandbox: as that of the server$/m,
      /^✔ transport\s+sandbox: SPDY and SPDY in a WebSocket get through to pod app-/m,
      /^✔ rights\s+api: all that is needed$/m,
      /^✔ target\s+api: pod app-\S+, port 8080$/m,
      /^✔ lock\s+supervisor of kfwd \S+ runs, pid \d+, detached$/m,
      /^✔ leftovers/m,
      /^```\nkfwd .*\nok   node: /m,
    ])
      expect(stdout).toMatch(line);
    expect(stdout).not.toMatch(/[✖⚠]/);
    expect(stdout.trimEnd().endsWith("```")).toBe(true);
    expect(stderr).toContain("0 problems, 0 warnings");
    expect(stdout).not.toContain(world.sandbox.token("admin"));
  });

  test("of many forwards: what is alike is said once, and Node has nothing to warn of", async () => {
    const names = Array.from({ length: 40 }, (_, at) => `api-${at}`);
    await using project = await projectAs(undefined, Object.fromEntries(names.map((name) => [name, API])));
    const { stdout, stderr } = await project.ok("doctor", "--color", "never");
    expect(stdout).toContain(`${names.join(", ")}: all that is needed\n`);
    expect(stderr).not.toContain("Warning");
  });

  test("without a file, a kubeconfig and a cluster: an honest line for each, exit 4", async () => {
    await using project = await Project.create();
    const report = await reportOf(project);
    expect(of(report, "file")).toMatchObject([{ state: "warn", hint: "kfwd init" }]);
    expect(of(report, "kubeconfig")).toMatchObject([
      { state: "unknown", says: "~/.kube/config does not exist" },
    ]);
    expect(of(report, "context")).toMatchObject([{ state: "bad", exit: 4 }]);
    expect(report.exit).toBe(4);
  });

  test("a file with mistakes: the first of them, exit 2, and the kubeconfig is looked at", async () => {
    await using project = await projectAs();
    await project.write("version: 1\nforwards: { a: { prot: 1 } }\n");
    const report = await reportOf(project);
    expect(of(report, "file")).toMatchObject([{ state: "bad", exit: 2, hint: "kfwd check" }]);
    expect(of(report, "file")[0]?.says).toMatch(/forwards.yaml:2:\d+/);
    expect(of(report, "server")).toMatchObject([{ state: "good" }]);
    expect(report.exit).toBe(2);
  });

  test("a name that is none of the file, and a file that is not there: exit 2", async () => {
    await using project = await projectAs();
    expect((await project.run("doctor", "apii")).status).toBe(2);
    expect((await project.run("doctor", "-f", "nowhere.yaml")).status).toBe(2);
  });

  test("a port of somebody else: who has it, exit 5; one of our own is fine", async () => {
    const [own, other] = [await freePort(), await freePort()];
    const forwards = { api: { ...API, local: own }, db: { ...API, local: other } };
    await using project = await projectAs(undefined, forwards);
    await project.ok("up", "-d", "api");
    const taken = createServer().listen(other, "127.0.0.1");
    await once(taken, "listening");
    const report = await reportOf(project);
    taken.close();
    expect(of(report, "port")).toMatchObject([
      { about: "api", state: "good", says: "held by the supervisor of this project" },
      { about: "db", state: "bad", exit: 5 },
    ]);
    expect(of(report, "port")[1]?.says).toContain(`pid ${process.pid}`);
    expect(report.exit).toBe(5);
  });

  test("a context that the file protects, and one that is another than that of what runs", async () => {
    await using project = await projectAs();
    await project.ok("up", "--wait");
    const config = JSON.parse(world.sandbox.kubeconfig("admin")) as { contexts: { name: string }[] };
    const contexts = config.contexts.map((one) => ({ ...one, name: "prod-eu" }));
    const path = join(project.root, "other");
    await writeFile(path, JSON.stringify({ ...config, contexts, "current-context": "prod-eu" }), {
      mode: 0o600,
    });
    const file = JSON.parse(fileOf(namespace, { api: API })) as object;
    await project.write(JSON.stringify({ ...file, protect: ["*prod*"] }));
    project.env["KUBECONFIG"] = path;
    const report = await reportOf(project);
    expect(of(report, "protect")).toMatchObject([{ about: "prod-eu", state: "warn" }]);
    expect(of(report, "protect")[0]?.hint).toContain("--allow-context prod-eu");
    const [, moved] = of(report, "context");
    expect(moved).toMatchObject({ about: "api", state: "warn" });
    expect(moved?.says).toContain('runs in context "sandbox"');
    expect(of(await reportOf(project, "--allow-context", "prod-eu"), "protect")).toEqual([]);
  });

  test("a kubeconfig that others may read, and a folder that is not ours alone", async () => {
    await using project = await projectAs();
    const path = await kubeconfigIn(project, { token: world.sandbox.token("admin") });
    await chmod(path, 0o644);
    const run = project.env["KFWD_RUNTIME_DIR"] ?? "";
    await mkdir(run);
    await chmod(run, 0o755);
    const report = await reportOf(project);
    await chmod(run, 0o700);
    expect(of(report, "kubeconfig")).toMatchObject([{ state: "warn", hint: `chmod 600 ${path}` }]);
    expect(of(report, "folder")).toContainEqual(
      expect.objectContaining({ about: "runtime", state: "bad", exit: 5 }) as Finding,
    );
    expect(report.exit).toBe(5);
  });

  test("a supervisor that was killed: its lock is spoken of", async () => {
    await using project = await projectAs();
    await project.ok("up", "-d");
    process.kill(project.supervisorPid, "SIGKILL");
    await project.run("status");
    const report = await reportOf(project);
    expect(of(report, "lock")).toMatchObject([{ state: "warn" }]);
    expect(of(report, "leftovers")).toMatchObject([{ state: "warn", hint: "kfwd prune" }]);
    expect(report.exit).toBe(0);
  });
});

describe.concurrent("doctor on rights", () => {
  const answer = async (user: string, rules: readonly Rule[], forward: object = API): Promise<Report> => {
    world.sandbox.setUser(user, rules);
    await using project = await projectAs(undefined, { api: forward });
    const path = join(project.root, "kubeconfig");
    await world.sandbox.writeKubeconfig(path, user);
    return await reportOf(project, "--kubeconfig", path);
  };
  const LOOK: Rule = { verbs: ["list", "watch"], resources: ["*"] };

  test("what is lacking is named, exit 4, and `kfwd rbac` with it", async () => {
    const report = await answer("lookers", [LOOK]);
    const [rights] = of(report, "rights");
    expect(rights).toMatchObject({ about: "api", state: "bad", exit: 4 });
    expect(rights?.says).toContain("may not create pods/portforward");
    expect(rights?.hint).toContain("kfwd rbac");
    expect(report.exit).toBe(4);
  });

  test("`get` alone is named with the version since which it is too little", async () => {
    const [rights] = of(await answer("getters", [LOOK, { verbs: ["get"], resources: ["*"] }]), "rights");
    expect(rights?.says).toContain("1.35");
  });

  test("what works without a right that is only useful is a warning", async () => {
    const rules = [
      { verbs: ["list"], resources: ["*"] },
      { verbs: ["create"], resources: ["pods/portforward"] },
    ];
    const report = await answer("listers", rules);
    expect(of(report, "rights")).toMatchObject([{ state: "warn" }]);
    expect(report.exit).toBe(0);
  });

  test("a target that is not there: exit 1, but for one that is not required", async () => {
    const all = [{ verbs: ["*"], resources: ["*"] }];
    const nowhere = { ...API, target: "svc/nowhere" };
    expect(await answer("all", all, nowhere)).toMatchObject({ exit: 1 });
    expect(await answer("all", all, { ...nowhere, required: false })).toMatchObject({ exit: 0 });
  });
});

describe.concurrent("doctor on logins", () => {
  test("a plugin that fails: its own words, without its secrets", async () => {
    await using project = await projectAs();
    await kubeconfigIn(
      project,
      await plugin(project, 'echo "SSO session expired" >&2; echo "token=hunter22" >&2; exit 1'),
    );
    const report = await reportOf(project);
    const [login] = of(report, "credentials");
    expect(login).toMatchObject({ state: "bad", exit: 4 });
    expect([login?.says, ...(login?.detail ?? [])].join("\n")).toContain("SSO session expired");
    expect(JSON.stringify(report)).not.toContain("hunter22");
    expect(of(report, "server")).toMatchObject([{ state: "unknown" }]);
    expect(of(report, "leftovers")).toMatchObject([
      { state: "unknown", says: expect.stringContaining("cannot be looked for") as string },
    ]);
  });

  test("a plugin that hangs: it is ended, and what else there is is said", async () => {
    await using project = await projectAs();
    await kubeconfigIn(project, await plugin(project, "exec sleep 600"));
    const report = await reportOf(project);
    expect(of(report, "credentials")).toMatchObject([
      { state: "bad", exit: 4, says: "gave no answer within 18 s" },
    ]);
    expect(of(report, "context")).toMatchObject([{ state: "good" }]);
    expect(of(report, "port")).toMatchObject([{ state: "good" }]);
  });

  test("a plugin that is not installed", async () => {
    await using project = await projectAs();
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "kfwd-no-such-plugin",
      interactiveMode: "Never",
    };
    await kubeconfigIn(project, { exec });
    const [login] = of(await reportOf(project), "credentials");
    expect(login).toMatchObject({ state: "bad", exit: 4 });
    expect(login?.detail).toContain('"kfwd-no-such-plugin" is not on PATH');
  });

  test("a plugin of a file that is not trusted is not run, until it is allowed", async () => {
    await using project = await projectAs();
    const user = await plugin(project, "exit 1");
    const path = await kubeconfigIn(project, user);
    await mkdir(join(project.folder, ".git"));
    const { readFile } = await import("node:fs/promises");
    await writeFile(join(project.folder, "kubeconfig"), await readFile(path), { mode: 0o600 });
    await project.write(
      JSON.stringify({ version: 1, namespace, kubeconfig: "./kubeconfig", forwards: { api: API } }),
    );
    project.env["KFWD_TRUST"] = undefined;
    project.env["KUBECONFIG"] = undefined;
    const report = await reportOf(project);
    expect(of(report, "trust")).toMatchObject([{ state: "bad", exit: 2 }]);
    expect(of(report, "credentials")).toMatchObject([{ state: "unknown" }]);
    expect(existsSync(join(project.root, "was-run"))).toBe(false);
    expect(report.exit).toBe(2);
    await project.ok("allow");
    expect(of(await reportOf(project), "credentials")).toMatchObject([{ state: "bad" }]);
    expect(existsSync(join(project.root, "was-run"))).toBe(true);
  });

  test("credentials that the server refuses, and a token that has expired", async () => {
    await using project = await projectAs();
    const claims = Buffer.from(JSON.stringify({ exp: 1 })).toString("base64url");
    await kubeconfigIn(project, { token: `eyJhbGciOiJub25lIn0.${claims}.x` });
    const refused = await reportOf(project);
    expect(of(refused, "credentials")).toMatchObject([{ state: "bad", exit: 4 }]);
    expect(of(refused, "server")).toMatchObject([{ state: "warn" }]);
    expect(refused.exit).toBe(4);
  });
});

describe.concurrent("doctor on the way to the server", () => {
  const listening = async <S extends Server>(
    server: S,
  ): Promise<{ readonly server: S; readonly port: number }> => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return { server, port: (server.address() as AddressInfo).port };
  };

  test("nobody there: exit 4, and rights are not asked for", async () => {
    await using project = await projectAs();
    await kubeconfigIn(project, { token: "x" }, { server: `http://127.0.0.1:${await freePort()}` });
    const report = await reportOf(project);
    expect(of(report, "server")).toMatchObject([{ state: "bad", exit: 4 }]);
    expect(of(report, "rights")).toMatchObject([{ state: "unknown" }]);
  });

  test("a clock that differs is a warning with how much", async () => {
    const { server, port } = await listening(
      createHttpServer((_, response) => {
        response.setHeader("Date", new Date(Date.now() - 3_600_000).toUTCString());
        response.end('{"gitVersion":"v1.30.0","minor":"30"}');
      }),
    );
    await using project = await projectAs();
    await kubeconfigIn(project, { token: "x" }, { server: `http://127.0.0.1:${port}` });
    const report = await reportOf(project);
    server.close();
    server.closeAllConnections();
    const [clock] = of(report, "clock");
    expect(clock).toMatchObject({ state: "warn", hint: "set the clock of this machine" });
    expect(clock?.says).toMatch(/^3[56]\d\d s ahead of that of the server$/);
  });

  test("a proxy of the environment is named without its password, and NO_PROXY is obeyed", async () => {
    await using project = await projectAs();
    const proxy = `http://ann:hunter22@127.0.0.1:${await freePort()}`;
    const server = "https://api.corp.test:6443";
    await kubeconfigIn(project, { token: "x" }, { server });
    project.env["HTTPS_PROXY"] = proxy;
    const report = await reportOf(project, "--redact");
    const [through] = of(report, "proxy");
    expect(through?.says).toMatch(/^http proxy \[host \d\]:\d+ \(HTTPS_PROXY, with a login\)$/);
    expect(JSON.stringify(report)).not.toMatch(/hunter22|corp\.test|"sandbox"|\badmin\b/);
    project.env["NO_PROXY"] = ".corp.test";
    const [direct] = of(await reportOf(project), "proxy");
    expect(direct?.says).toBe("none: HTTPS_PROXY is set, but NO_PROXY has the server");
  });

  test("a server that says nothing: Ctrl-C ends it, with 130", async () => {
    const sockets = new Set<Socket>();
    const { server, port } = await listening(createServer((socket) => void sockets.add(socket)));
    await using project = await projectAs();
    await kubeconfigIn(project, { token: "x" }, { server: `http://127.0.0.1:${port}` });
    const connected = once(server, "connection");
    const running = project.start(["doctor"]);
    await connected;
    running.kill("SIGINT");
    const { status, stdout } = await running.ended;
    for (const socket of sockets) socket.destroy();
    server.close();
    expect({ status, stdout }).toEqual({ status: 130, stdout: "" });
  });
});
