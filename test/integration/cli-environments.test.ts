import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { ask } from "../rig/client.ts";
import { freePort } from "../rig/freeport.ts";
import { Project } from "../rig/project.ts";

/** What one file means in several environments, and what it must be allowed to do. */
describe.concurrent("environments and guards", () => {
  let world: SandboxWorld;
  let namespace: string;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const create = (file: object): Promise<Project> =>
    Project.create({ kubeconfig: world.kubeconfig("admin"), file: JSON.stringify(file) });
  const TARGET = { target: "svc/app", port: 7000 };

  test("two of them run side by side on ports of their own, and are ended one by one", async () => {
    const [local, moved] = [await freePort(), await freePort()].sort((a, b) => a - b);
    if (local === undefined || moved === undefined) throw new Error("no two ports");
    await using project = await create({
      name: "shop",
      namespace,
      forwards: { app: { ...TARGET, local } },
      environments: { dev: {}, staging: { portOffset: moved - local } },
      defaultEnvironment: "dev",
    });
    expect((await project.run("up", "--wait")).status).toBe(0);
    expect((await project.run("up", "--wait", "-e", "staging")).status).toBe(0);
    expect([await ask(local), await ask(moved)]).toEqual(["ping\n", "ping\n"]);
    const report = async (...args: string[]) => {
      const { stdout } = await project.run("status", "--json", ...args);
      return JSON.parse(stdout) as { project: string; supervisor: { pid: number } };
    };
    const names = async (...args: string[]): Promise<string> => (await report(...args)).project;
    const pid = async (...args: string[]): Promise<string> => String((await report(...args)).supervisor.pid);
    expect([await names(), await names("-e", "staging")]).toEqual(["shop@dev", "shop@staging"]);
    expect(await names("-p", "shop@staging")).toBe("shop@staging");
    const logged = async (...args: string[]): Promise<string[]> => {
      const { stdout } = await project.run("logs", "--json", ...args);
      const pids = /"event":"started","pid":(\d+)/g;
      return [...stdout.matchAll(pids)].map(([, pid = ""]) => pid);
    };
    const [ofDev, ofStaging] = [await logged(), await logged("-e", "staging")];
    expect([ofDev, ofStaging]).toEqual([[await pid()], [await pid("-e", "staging")]]);
    expect((await project.run("status", "-p", "shop")).stderr).toContain(
      'several projects are called "shop"',
    );
    expect((await project.run("down", "-e", "staging")).status).toBe(0);
    expect(await ask(local)).toBe("ping\n");
    expect(await names("-p", "shop")).toBe("shop@dev");
    expect((await project.run("down")).stderr).toContain("1 forward stopped");
  });

  test.each([
    ["the local file", "forwards.local.yaml", []],
    ["a further -f", "staging.yaml", ["-f", "forwards.yaml", "-f", "staging.yaml"]],
  ] as const)("what %s says of the default environment holds for every command", async (_, file, flags) => {
    await using project = await create({
      name: "shop",
      namespace,
      forwards: { app: { ...TARGET, local: "auto" } },
      environments: { dev: {}, staging: {} },
      defaultEnvironment: "dev",
    });
    await project.write("defaultEnvironment: $KFWD_TEST_STAGE\n", file);
    await project.write("KFWD_TEST_STAGE=staging\n", ".env");
    expect((await project.run("up", "--wait", ...flags)).status).toBe(0);
    const status = await project.run("status", "--json", ...flags);
    expect([status.status, status.stderr]).toEqual([0, ""]);
    expect(JSON.parse(status.stdout)).toMatchObject({ project: "shop@staging" });
    expect((await project.run("port", "app", ...flags)).status).toBe(0);
    expect((await project.run("down", ...flags)).stderr).toContain("1 forward stopped");
  });

  test("an environment that is not there is refused with those that are", async () => {
    await using project = await create({ namespace, forwards: { app: TARGET }, environments: { dev: {} } });
    const { status, stderr } = await project.run("up", "-e", "prod");
    expect([status, stderr]).toEqual([2, expect.stringContaining('no environment named "prod"') as string]);
    expect(stderr).toContain("hint: known: dev");
  });

  test("a protected context needs --allow-context, before anything starts", async () => {
    await using project = await create({
      namespace,
      protect: ["*"],
      forwards: { app: { ...TARGET, local: "auto" } },
    });
    const refused = await project.run("up", "-d");
    expect(refused.status).toBe(2);
    expect((await project.run("up", "-d", "a*")).stderr).toBe(refused.stderr);
    expect(refused.stderr).toMatch(/^error: context "(.+)" matches protect "\*"$/m);
    const [, context = ""] = /context "(.+)" matches/.exec(refused.stderr) ?? [];
    expect(refused.stderr).toContain(`hint: --allow-context ${context}`);
    expect((await project.run("status")).status).toBe(3);
    expect((await project.run("up", "--wait", "--allow-context", context)).status).toBe(0);
    expect((await project.run("down")).status).toBe(0);
  });

  test("what an untrusted file may not do is refused until it is allowed, and again when it changes", async () => {
    const forwards = { app: { ...TARGET, local: "auto", bind: "0.0.0.0" } };
    await using project = await create({ namespace, forwards });
    const env = { KFWD_TRUST: undefined, XDG_DATA_HOME: `${project.root}/data` };
    const run = (...args: string[]) => project.start(args, { env }).ended;
    const refused = await run("up", "-d");
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('error: "forwards.yaml" is not trusted, and asks for more than it may');
    expect(refused.stderr).toContain('forward "app" listens on 0.0.0.0, where others can connect');
    expect(refused.stderr).toContain("hint: read the file; if you agree with it, run `kfwd allow`");
    expect((await run("allow")).stderr).toContain("allowed forwards.yaml, until it changes");
    expect((await run("up", "--wait")).status).toBe(0);
    await project.write(JSON.stringify({ namespace, forwards, name: "other" }));
    expect((await run("up", "-d")).status).toBe(2);
    expect((await run("up", "-d", "--trust")).status).toBe(0);
    expect((await run("down")).status).toBe(0);
  });

  test("profiles, variables and the local file", async () => {
    await using project = await create({
      namespace: "$NAMESPACE",
      forwards: {
        app: { ...TARGET, local: "auto" },
        extra: { ...TARGET, local: "auto", profiles: ["more"] },
      },
    });
    await project.write(`NAMESPACE=${namespace}\n`, ".env");
    await project.write("forwards: { app: { description: mine } }\n", "forwards.local.yaml");
    const run = (...args: string[]) => project.start(args, { env: { CI: undefined } }).ended;
    const entries = async () => {
      const { stdout } = await run("status", "--json");
      return (JSON.parse(stdout) as { entries: { name: string; description: string | null }[] }).entries;
    };
    expect((await run("up", "--wait")).status).toBe(0);
    expect(await entries()).toMatchObject([{ name: "app", description: "mine" }]);
    expect(await run("up", "-d", "--profile", "mor")).toMatchObject({
      status: 2,
      stderr: 'error: no profile named "mor"\nhint: did you mean "more"? known: more\n',
    });
    expect((await run("up", "--wait", "--no-local", "--profile", "more")).status).toBe(0);
    expect(await entries()).toMatchObject([{ name: "app", description: null }, { name: "extra" }]);
    expect((await run("up", "--wait")).stderr).toContain("removed extra");
    expect((await run("up", "--wait", "extra")).status).toBe(0); // by its name, without its profile
    expect((await entries()).map(({ name }) => name)).toEqual(["app", "extra"]);
    expect((await run("down")).status).toBe(0);
  });
});
