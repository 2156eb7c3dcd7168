import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { chmod, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { fileOf } from "../behaviour/stage.ts";
import { dial, expectEcho, httpGet } from "../rig/client.ts";
import { Project } from "../rig/project.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";

const FORWARDS = {
  web: { target: "svc/app", port: "http", local: "auto" },
  echo: { target: "deploy/app", port: 7000, local: "auto" },
};

interface Kubeconfig {
  readonly clusters: readonly { cluster: object }[];
  readonly users: readonly { user: object }[];
}

/** A project whose kubeconfig and credential plugin can be changed while it runs. */
class Rig implements AsyncDisposable {
  readonly project: Project;
  readonly path: string;
  readonly #sandbox: Sandbox;

  private constructor(project: Project, sandbox: Sandbox) {
    this.project = project;
    this.#sandbox = sandbox;
    this.path = join(project.root, "kubeconfig");
    project.env["KUBECONFIG"] = this.path;
  }

  static async create(sandbox: Sandbox, namespace: string): Promise<Rig> {
    return new Rig(await Project.create({ file: fileOf(namespace, FORWARDS) }), sandbox);
  }

  /** Writes the kubeconfig as kubectl does: another file that takes its place. */
  async write(user: object, cluster: object = {}): Promise<void> {
    const config = JSON.parse(this.#sandbox.kubeconfig("admin")) as Kubeconfig;
    for (const one of config.users) one.user = user;
    for (const one of config.clusters) Object.assign(one.cluster, cluster);
    await writeFile(`${this.path}.new`, JSON.stringify(config));
    await rename(`${this.path}.new`, this.path);
  }

  /** A plugin that is a shell script; each run is a line in "runs". */
  async plugin(script: string): Promise<object> {
    const command = join(this.project.root, "login");
    await writeFile(`${command}.new`, `#!/bin/sh\necho run >> "${this.#runs}"\n${script}\n`);
    await chmod(`${command}.new`, 0o700);
    await rename(`${command}.new`, command);
    return { exec: { apiVersion: "client.authentication.k8s.io/v1", command, interactiveMode: "Never" } };
  }

  /** A plugin that answers with what is in a file of this name. */
  async pluginOf(file: string): Promise<object> {
    return this.plugin(
      `printf '{"kind":"ExecCredential","status":{"token":"%s"}}' "$(cat "${this.in(file)}")"`,
    );
  }

  in(file: string): string {
    return join(this.project.root, file);
  }

  get runs(): number {
    return existsSync(this.#runs) ? readFileSync(this.#runs, "utf8").split("\n").length - 1 : 0;
  }

  get #runs(): string {
    return this.in("runs");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.project[Symbol.asyncDispose]();
  }
}

describe("credentials", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("a token that the server takes no more: the plugin is run once for all, open connections live on", async () => {
    await using rig = await Rig.create(world.sandbox, namespace);
    const { project } = rig;
    await writeFile(rig.in("token"), world.sandbox.token("admin"));
    await rig.write(await rig.pluginOf("token"));
    await project.ok("up", "--wait");
    expect(rig.runs).toBe(1);
    const port = await project.port("echo");
    const open = await dial(port);
    await expectEcho(open);

    await writeFile(rig.in("token"), world.sandbox.renewToken("admin"));
    world.sandbox.dropWatches("reset");
    const clients = await Promise.all(Array.from({ length: 12 }, () => dial(port)));
    await Promise.all(clients.map((client) => expectEcho(client))); // more than stand ready
    expect(await httpGet(await project.port("web"))).toMatch(/^hello from app-/);
    await expectEcho(open);
    expect(rig.runs).toBe(2);
    for (const client of [open, ...clients]) client.destroy();
  });

  test("a plugin that fails: its words are in status, looking costs no login, and `up` asks again", async () => {
    await using rig = await Rig.create(world.sandbox, namespace);
    const { project } = rig;
    await rig.write(await rig.plugin("echo 'SSO session expired' >&2; exit 1"));
    const { status, stderr } = await project.run("up", "--wait");
    expect(status).toBe(4);
    expect(stderr).toContain("failed: SSO session expired");
    const ran = rig.runs;
    expect(ran).toBeLessThanOrEqual(3);
    expect(await project.forward("web")).toMatchObject({
      state: "waiting",
      reason: {
        code: "Credentials",
        kind: "denied",
        message: expect.stringMatching(/: SSO session expired$/) as string,
      },
    });
    expect((await project.run("status")).stdout).toContain("SSO session expired");
    expect(rig.runs).toBe(ran); // looking costs no login

    await writeFile(rig.in("token"), world.sandbox.token("admin"));
    await rig.pluginOf("token");
    await project.ok("up", "--wait");
    expect(await httpGet(await project.port("web"))).toMatch(/^hello from app-/);
  });

  test("a token file that is renewed, then written in place: the next dial has the new one, nobody notices", async () => {
    await using rig = await Rig.create(world.sandbox, namespace);
    const { project } = rig;
    const tokenFile = rig.in("token");
    await writeFile(tokenFile, world.sandbox.token("admin"));
    await rig.write({ tokenFile });
    await project.ok("up", "--wait");
    await writeFile(tokenFile, world.sandbox.renewToken("admin"));
    world.sandbox.dropWatches("reset");
    world.sandbox.cutUpgrades("reset");
    await project.until("web", ({ state }) => state === "ready");
    expect(await httpGet(await project.port("web"))).toMatch(/^hello from app-/);
  });

  test("a kubeconfig with a new token, then broken, then gone: the last good one holds and status says so", async () => {
    await using rig = await Rig.create(world.sandbox, namespace);
    const { project } = rig;
    await rig.write({ token: world.sandbox.token("admin") });
    await project.ok("up", "--wait");
    await rig.write({ token: world.sandbox.renewToken("admin") });
    world.sandbox.cutUpgrades("reset");
    await project.until("web", ({ state }) => state === "ready");
    await writeFile(rig.path, "apiVersion: v1\nclusters:\n- clu");
    world.sandbox.cutUpgrades("reset");
    await project.until("web", ({ state }) => state === "ready");
    expect(await httpGet(await project.port("web"))).toMatch(/^hello from app-/);
    const { stderr } = await project.run("status");
    expect(stderr).toContain(rig.path);
    expect(stderr).toContain("what it said before holds");
    const { notes } = await project.status();
    expect(notes).toMatchObject([{ code: "KubeconfigStale" }]);
  });
});

describe("certificates", () => {
  test("the server's is another one: closed to all until the kubeconfig has its authority; no variable opens it", async () => {
    await using one = await SandboxWorld.start();
    await using other = await Sandbox.start();
    const namespace = await one.newNamespace();
    await one.deploy(namespace, "app");
    await using rig = await Rig.create(one.sandbox, namespace);
    const { project } = rig;
    project.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    const user = { token: one.sandbox.token("admin") };
    const authority = (ca: string | undefined) => ({
      "certificate-authority-data": Buffer.from(ca ?? "").toString("base64"),
    });
    await rig.write(user, authority(other.ca));
    const { status } = await project.run("up", "--wait", "--wait-timeout", "2s");
    expect(status).toBe(4);
    expect((await project.forward("web")).reason?.message).toMatch(
      /: its certificate is signed by an authority that the kubeconfig does not trust$/,
    );
    await rig.write(user, authority(one.sandbox.ca));
    await project.until("web", ({ state }) => state === "ready");

    await rig.write(user, { "insecure-skip-tls-verify": true, "certificate-authority-data": undefined });
    await project.ok("down");
    await project.ok("up", "--wait");
    expect((await project.run("status")).stderr).toContain(
      'context "sandbox" does not check the certificate of its cluster (insecure-skip-tls-verify)',
    );
  });
});

describe("secrets", () => {
  test("no token, no password and nothing a plugin printed stands in a file or an output", async () => {
    await using world = await SandboxWorld.start();
    const namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
    await using rig = await Rig.create(world.sandbox, namespace);
    const { project } = rig;
    const good = world.sandbox.token("admin");
    const canaries = [good, "canary-wrong-token", "canary-password", "canary-printed"];
    const said: string[] = [];
    const run = async (...args: string[]): Promise<void> => {
      const { stdout, stderr } = await project.run(...args);
      said.push(stdout, stderr);
    };
    const kubeconfigs: readonly object[] = [
      { token: "canary-wrong-token" },
      { username: "ann", password: "canary-password" },
      await rig.plugin("echo canary-printed; exit 0"),
      { token: good },
    ];
    for (const user of kubeconfigs) {
      await rig.write(user);
      await run("up", "--wait", "--wait-timeout", "2s");
      await run("status");
      await run("status", "--json");
    }
    expect((await project.forward("web")).state).toBe("ready");
    for (const folder of ["run", "state"]) {
      for (const name of readdirSync(rig.in(folder), { recursive: true, encoding: "utf8" })) {
        const path = join(rig.in(folder), name);
        if (statSync(path).isFile()) said.push(readFileSync(path, "utf8"));
      }
    }
    expect(said.join("").length).toBeGreaterThan(5_000);
    for (const canary of canaries) expect(said.filter((text) => text.includes(canary))).toEqual([]);
  });
});
