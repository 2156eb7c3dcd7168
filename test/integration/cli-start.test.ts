import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { projectOf } from "../behaviour/stage.ts";
import { within } from "../rig/client.ts";
import type { Ended, Project } from "../rig/project.ts";

/** Forms of output, and the flags that ask for them. */
const FORMS = [
  ["for people", []],
  ["with --json", ["--json"]],
] as const;

/** Starts in the background that go wrong: said once, with what to do, and with the exit status of the cause. */
describe.concurrent("`up -d --wait`", () => {
  let world: SandboxWorld;
  let namespace: string;
  const late = { target: "svc/none", port: 80, local: "auto" };
  const forwards = { echo: { target: "svc/app", port: 7000, local: "auto" }, late };
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** The last error on stderr, whichever form it has. */
  function errorOf({ stderr }: Ended): { readonly message: string; readonly hint: string } {
    const line = stderr.trimEnd().split("\n").at(-1) ?? "";
    if (line.startsWith("{")) return (JSON.parse(line) as { error: { message: string; hint: string } }).error;
    const said = /(?:^|\n)error: (.*)\n(?: {2}.*\n)*hint: (.*)\n$/.exec(stderr);
    return { message: said?.[1] ?? stderr, hint: said?.[2] ?? "" };
  }

  async function expectNothingLeft(project: Project): Promise<void> {
    const run = project.env["KFWD_RUNTIME_DIR"] ?? "";
    expect(existsSync(run) ? readdirSync(run) : []).toEqual([]);
    // A process is there for a moment after its last word.
    await vi.waitFor(() => expect(project.processes()).toEqual([]), { timeout: 5_000 });
  }

  describe.each(FORMS)("%s", (_, form) => {
    test.each([
      [
        "no kubeconfig",
        () => ({ KUBECONFIG: "/nowhere/kubeconfig" }),
        4,
        'no kubeconfig: $KUBECONFIG names "/nowhere/kubeconfig", which does not exist',
        "log in to your cluster, or name a file with --kubeconfig",
      ],
      [
        "a kubeconfig that is no YAML",
        (project: Project) => {
          const path = join(project.folder, "broken");
          writeFileSync(path, "contexts: [");
          return { KUBECONFIG: path };
        },
        4,
        /^kubeconfig "\S+\/broken" is not valid YAML \(line 1, column 12\)$/,
        "correct it, or get the kubeconfig of your cluster anew",
      ],
      [
        "a log that cannot be written",
        () => ({ XDG_STATE_HOME: "/proc/kfwd" }),
        5,
        /^cannot open log "\/proc\/kfwd\/kfwd\/[0-9a-f]{16}\/kfwd\.log": no such file or folder$/,
        "name another folder with XDG_STATE_HOME",
      ],
      [
        "a runtime folder that cannot be made",
        () => ({ KFWD_RUNTIME_DIR: "/proc/kfwd/run" }),
        5,
        'cannot make folder "/proc/kfwd/run": no such file or folder',
        "name another folder with KFWD_RUNTIME_DIR",
      ],
    ] as const)("%s: refused at once, nothing is left", async (_name, envOf, status, message, hint) => {
      await using project = await projectOf(world, namespace, forwards);
      const up = project.start(["up", "-d", "--wait", ...form], { env: envOf(project) });
      const ended = await within(up.ended);
      expect(ended).toMatchObject({ status, stdout: "" });
      expect(ended.stderr.match(/error/g)).toHaveLength(1);
      expect(errorOf(ended)).toMatchObject({
        message: typeof message === "string" ? message : (expect.stringMatching(message) as string),
        hint,
      });
      await expectNothingLeft(project);
    });

    test("a context that is not there: the same, although a supervisor was started to find out", async () => {
      await using project = await projectOf(world, namespace, forwards);
      const ended = await within(project.start(["up", "--wait", ...form, "-C", "nope"]).ended);
      expect(ended).toMatchObject({ status: 4, stdout: "" });
      expect(errorOf(ended)).toMatchObject({
        message: expect.stringMatching(/^context "nope" not found in "\S+"$/) as string,
        hint: "contexts: sandbox",
      });
      await expectNothingLeft(project);
    });

    test("the supervisor is killed meanwhile: exit 3, with its pid and its log", async () => {
      await using project = await projectOf(world, namespace, forwards);
      const up = project.start(["up", "--wait", ...form]);
      await up.says(/late( waiting|","state":"waiting")/);
      const { supervisor } = await project.status();
      process.kill(supervisor.pid, "SIGKILL");
      const ended = await within(up.ended);
      expect(ended.status).toBe(3);
      expect(errorOf(ended)).toMatchObject({
        message: `project "shop" is not running: its supervisor (pid ${supervisor.pid}) was killed or crashed`,
        hint: "`kfwd up` starts it again",
      });
      if (form.length === 0) expect(ended.stderr).toContain(`\n  log: ${supervisor.log}\n`);
      expect(ended.stdout + ended.stderr).not.toMatch(/kfwd: |"summary"/);
    });

    test("the project is stopped meanwhile: exit 3, nothing is left", async () => {
      await using project = await projectOf(world, namespace, forwards);
      const up = project.start(["up", "--wait", ...form]);
      await up.says(/late( waiting|","state":"waiting")/);
      await project.ok("down");
      const ended = await within(up.ended);
      expect(ended.status).toBe(3);
      expect(errorOf(ended)).toMatchObject({
        message: 'project "shop" was stopped from elsewhere while it started',
        hint: "kfwd up",
      });
      expect(ended.stdout + ended.stderr).not.toMatch(/kfwd: |"summary"/);
      await expectNothingLeft(project);
    });

    test("the forward that it waits for is stopped meanwhile: exit 1, the others stay up", async () => {
      await using project = await projectOf(world, namespace, forwards);
      const up = project.start(["up", "--wait", ...form]);
      await up.says(/late( waiting|","state":"waiting")/);
      await project.ok("down", "late");
      const ended = await within(up.ended);
      expect(ended.status).toBe(1);
      expect(errorOf(ended)).toMatchObject({ message: "stopped from elsewhere while it started: late" });
      expect((await project.status()).entries.map(({ name, state }) => [name, state])).toEqual([
        ["echo", "ready"],
      ]);
    });
  });

  test("in the foreground a log that cannot be written keeps nobody from running", async () => {
    await using project = await projectOf(world, namespace, { echo: forwards.echo });
    const up = project.start(["up"], { env: { XDG_STATE_HOME: "/proc/kfwd" } });
    await up.says(/kfwd: ready 1\/1\n/);
    up.kill("SIGINT");
    expect(await within(up.ended)).toMatchObject({ status: 0 });
  });

  test("in the foreground a supervisor that is killed ends what follows it, exit 3", async () => {
    await using project = await projectOf(world, namespace, { echo: forwards.echo });
    await project.ok("up", "--wait");
    const pid = project.supervisorPid;
    const up = project.start(["up"]);
    await up.says(/kfwd: ready 1\/1\n/);
    process.kill(pid, "SIGKILL");
    const ended = await within(up.ended);
    expect(ended.status).toBe(3);
    expect(errorOf(ended).message).toContain(`its supervisor (pid ${pid}) was killed or crashed`);
  });
});
