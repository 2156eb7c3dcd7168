import { mkdir, writeFile } from "node:fs/promises";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, projectOf } from "../behaviour/stage.ts";
import { KfwdError } from "../../src/errors.ts";
import { idleControl } from "../puppets/idlecontrol.ts";
import { within } from "../rig/client.ts";
import { freePort } from "../rig/freeport.ts";
import { ownerOf } from "../rig/owner.ts";
import { CLI, type Project, type Running } from "../rig/project.ts";
import { lackOfTerminals, onTerminal } from "../rig/terminal.ts";

/** Says that it runs, and goes on until it is ended. */
const STAYS = `console.log("it runs as " + process.pid); setInterval(() => {}, 60_000);`;

/** Says each signal that it gets, and ends with 9 after the third. */
const COUNTS = `
  let left = 3;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGWINCH"])
    process.on(name, () => { console.log("got " + name); if (--left === 0) process.exit(9); });
  ${STAYS}`;

const node = (script: string): string[] => ["--", process.execPath, "-e", script];

const nameOf = ({ name }: { readonly name: string }): string => name;

async function running(project: Project): Promise<string[]> {
  return (await project.status()).entries.map(nameOf);
}

/** Until the supervisor has noticed. */
async function untilRunning(project: Project, ...names: string[]): Promise<void> {
  await vi.waitFor(async () => expect(await running(project)).toEqual(names), {
    timeout: 20_000,
    interval: 50,
  });
}

async function untilNothingRuns(project: Project): Promise<void> {
  const folder = project.env["KFWD_RUNTIME_DIR"] ?? "";
  await vi.waitFor(() => expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]), {
    timeout: 20_000,
  });
}

/** As the kernel does it to one that has no time to end its command; the command goes on without it. */
async function isKilled(run: Running): Promise<void> {
  run.kill("SIGKILL");
  process.kill(Number(/it runs as (\d+)/.exec(run.stdout)?.[1]));
  await within(run.ended);
}

async function stays(project: Project, ...args: string[]): Promise<Running> {
  const run = project.start(["run", ...args, ...node(STAYS)]);
  await run.says(/it runs/);
  return run;
}

describe.concurrent("kfwd run", () => {
  let world: SandboxWorld;
  let namespace: string;
  const echo = { target: "svc/app", port: 7000, local: "auto" };
  const two = { echo, other: echo };
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("runs the command with the forwards' variables, and leaves nothing but its exit status", async () => {
    await using project = await projectOf(world, namespace, {
      echo,
      named: { ...echo, env: { ECHO_ADDRESS: "{host}:{port}" } },
    });
    const script = `
      const { ECHO_PORT, ECHO_HOST, ECHO_ADDRESS, LANG } = process.env;
      require("net").connect(ECHO_PORT, ECHO_HOST, function () { this.end("hello"); }).on("data", (bytes) => {
        console.log(JSON.stringify({ said: String(bytes), address: ECHO_ADDRESS, LANG }));
        process.exitCode = 42;
      });`;
    const { status, stdout, stderr } = await project.run("run", ...node(script));
    expect(stderr).toMatch(/kfwd: ready 2\/2\n$/);
    expect(status).toBe(42);
    expect(JSON.parse(stdout)).toEqual({
      said: "hello",
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      LANG: "C.UTF-8",
    });
    expect(readdirSync(project.env["KFWD_RUNTIME_DIR"] ?? "")).toEqual([]);
  });

  test("leaves the command's flags alone, and standard output to it", async () => {
    await using project = await projectOf(world, namespace, { echo });
    const script = "console.log(JSON.stringify(process.argv.slice(1)))";
    const flags = ["--json", "-f", "nowhere", "--", "--help"];
    const { status, stdout, stderr } = await project.run(
      "run",
      "echo",
      "--json",
      ...node(script),
      "--",
      ...flags,
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual(flags);
    const lines = stderr.trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toContain("summary");
  });

  test.each([
    { args: ["echo", "--", "sh", "-c", "kill -TERM $$"], status: 143, says: /ready 1\/1\n$/ },
    {
      args: ["--", "ndoe"],
      status: 127,
      says: /^error: command "ndoe" not found\nhint: did you mean .*"node"/m,
    },
    { args: ["--", ""], status: 127, says: /^error: command "" not found$/m },
    { args: ["--", "./nowhere"], status: 127, says: /^error: command "\.\/nowhere" not found$/m },
    { args: ["--", "toolish"], status: 127, says: /in node_modules\/\.bin\nhint: kfwd run -- npx toolish$/m },
    {
      args: ["--", "./forwards.yaml"],
      status: 126,
      says: /^error: cannot run "\.\/forwards\.yaml": .*\nhint: chmod \+x/m,
    },
    {
      args: ["--", "./strange"],
      status: 126,
      says: /the interpreter that its first line names is not there$/m,
    },
    {
      args: ["vite", "--port", "3"],
      status: 125,
      says: /^error: no `--` .*\nhint: kfwd run -- vite --port 3$/m,
    },
    { args: [], status: 125, says: /^hint: kfwd run \[name\.\.\.\] -- npm test$/m },
    { args: ["echo", "--"], status: 125, says: /^error: no command behind `--`$/m },
    { args: ["--wiat-timeout", "3s", "--", "true"], status: 125, says: /did you mean "--wait-timeout"/ },
    { args: ["ecko", "--", "true"], status: 125, says: /no forward named "ecko"\nhint: did you mean "echo"/ },
    { args: ["-e", "nope", "--", "true"], status: 125, says: /^error: /m },
    {
      args: ["none", "--wait-timeout", "1s", "--", "true"],
      status: 125,
      says: /not ready after 1 s: none.*; the command was not run$/m,
    },
  ])("$args ends with $status, and nothing is left", async ({ args, status, says }) => {
    await using project = await projectOf(world, namespace, {
      echo,
      none: { target: "svc/none", port: 80, local: "auto", required: true, profiles: ["broken"] },
    });
    const tools = join(project.folder, "node_modules", ".bin");
    await mkdir(tools, { recursive: true });
    await writeFile(join(tools, "toolish"), "");
    await writeFile(join(project.folder, "strange"), "#!/nowhere/interpreter\n", { mode: 0o755 });
    const { status: got, stderr, stdout } = await project.run("run", ...args);
    expect(stderr).toMatch(says);
    expect(got).toBe(status);
    expect(stdout).toBe("");
    await untilNothingRuns(project);
  });

  test("two at once: each ends what it alone needs, killed or not", async () => {
    await using project = await projectOf(world, namespace, { ...two, third: echo });
    const [a, b] = await Promise.all([stays(project, "echo", "other"), stays(project, "other", "third")]);
    await untilRunning(project, "echo", "other", "third");
    const { owners = [] } = await project.status();
    const claims = owners.map(({ pid, names }) => ({
      pid,
      names: [...names].sort((x, y) => (x < y ? -1 : 1)),
    }));
    expect(claims).toContainEqual({ pid: a.child.pid, names: ["echo", "other"] });
    expect(claims).toContainEqual({ pid: b.child.pid, names: ["other", "third"] });
    await vi.waitFor(
      () => expect(JSON.parse(readFileSync(project.lockPath, "utf8"))).toMatchObject({ owners }),
      { timeout: 15_000 },
    );
    const { stdout } = await project.run("status", "-o", "wide");
    expect(stdout).toMatch(/NEEDED BY/);
    expect(stdout).toMatch(new RegExp(`^echo .* pid ${a.child.pid} `, "m"));

    await isKilled(a);
    await untilRunning(project, "other", "third");
    expect(await project.forward("other")).toMatchObject({ state: "ready", restarts: 0 });
    b.kill("SIGTERM");
    expect((await within(b.ended)).status).toBe(143);
    expect(readdirSync(project.env["KFWD_RUNTIME_DIR"] ?? "")).toEqual([]);
  });

  test("one inside the other: the outer one keeps its forwards", async () => {
    await using project = await projectOf(world, namespace, two);
    const inner = [
      process.execPath,
      CLI,
      "run",
      "echo",
      "other",
      "--",
      process.execPath,
      CLI,
      "status",
      "--names",
    ];
    const script = `
      const { execFileSync } = require("child_process");
      const run = ([command, ...args]) => execFileSync(command, args, { encoding: "utf8", stdio: "pipe" });
      console.log(JSON.stringify([run(${JSON.stringify(inner)}), run(${JSON.stringify(inner.slice(-4))})]));`;
    const { status, stdout } = await project.run("run", "echo", ...node(script));
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual(["echo\nother\n", "echo\n"]);
    await untilNothingRuns(project);
  });

  test("`up -d` keeps what a run has brought up, and a run leaves running what was up", async () => {
    await using project = await projectOf(world, namespace, two);
    const run = await stays(project);
    await project.ok("up", "-d", "echo");
    await isKilled(run);
    await untilRunning(project, "echo");
    const { supervisor } = await project.status();
    const { stderr } = await project.ok("run", "echo", "--", "true");
    expect(stderr).toMatch(/kfwd: ready 1\/1\n$/);
    expect((await project.status()).supervisor).toEqual(supervisor);
    expect(await project.forward("echo")).toMatchObject({ state: "ready", restarts: 0 });
  });

  test("what runs as an older file had it is started anew, and that is said", async () => {
    await using project = await bringUp(world, namespace, two);
    const before = await project.forward("other");
    await project.write(
      readFileSync(join(project.folder, "forwards.yaml"), "utf8").replace(
        '"port": 7000',
        '"port": 7000, "hold": "3s"',
      ),
    );
    const { stderr } = await project.ok("run", "--", "true");
    expect(stderr).toMatch(/^started anew, as the file says something else now: echo$/m);
    expect((await project.forward("other")).since).toBe(before.since);
    expect((await project.run("run", "--", "true")).stderr).not.toContain("started anew");
  });

  test("`down` takes the forwards from a run, both say so, and the command goes on", async () => {
    await using project = await projectOf(world, namespace, two);
    const run = await stays(project);
    const some = await project.ok("down", "other");
    expect(some.stderr).toContain(`took other from a program that still runs (pid ${run.child.pid})`);
    await run.says(/lost forward "other": it was stopped from elsewhere; the command goes on/);
    await project.ok("up", "-d", "--wait", "other");
    await run.says(/forward "other" is back/);
    const all = await project.ok("down");
    expect(all.stderr).toContain(`from a program that still runs (pid ${run.child.pid})`);
    await run.says(/lost all forwards, which were stopped from elsewhere; the command goes on/);
    run.kill("SIGTERM");
    expect((await within(run.ended)).status).toBe(143);
  });

  test("a supervisor that dies is told of; with --on-lost fail the command ends and so does the run, with 1", async () => {
    await using project = await projectOf(world, namespace, two);
    const [warned, failed] = await Promise.all([stays(project), stays(project, "echo", "--on-lost", "fail")]);
    process.kill(project.supervisorPid, "SIGKILL");
    await warned.says(/lost all forwards: .*killed or crashed.*; the command goes on/);
    expect(await within(failed.ended)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/lost all forwards: .*; ending the command/),
    });
    expect(warned.child.exitCode).toBe(null);
    warned.kill("SIGTERM");
    expect((await within(warned.ended)).status).toBe(143);
  });

  test("a forward that is optional may be lost", async () => {
    await using project = await projectOf(world, namespace, {
      echo,
      extra: { ...echo, required: false },
      none: { target: "svc/none", port: 80, local: "auto", required: false },
    });
    const run = await stays(project, "--on-lost", "fail");
    await project.ok("down", "extra");
    await project.ok("down", "echo");
    expect(await within(run.ended)).toMatchObject({
      status: 1,
      stderr: expect.not.stringContaining('"extra":'),
    });
  });

  test("--ttl ends the forwards and tells the command's run, `up --ttl` shows the time left", async () => {
    await using project = await projectOf(world, namespace, two);
    await project.ok("up", "-d", "--wait", "--ttl", "30m", "other");
    const { stdout } = await project.run("status", "other");
    expect(stdout).toMatch(/^other .* ready, \d+m left /m);
    const run = await within(stays(project, "--ttl", "1s", "--on-lost", "fail"));
    expect(await within(run.ended)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/lost forward "echo": its ttl of 1s is over; ending the command/),
    });
    expect(await running(project)).toEqual(["other"]);
    expect((await project.run("up", "--ttl", "5ms")).stderr).toMatch(/--ttl "5ms" is shorter than a second/);
  });

  test("every signal is passed on, again and again, where no terminal does it", async () => {
    await using project = await projectOf(world, namespace, { echo });
    const run = project.start(["run", ...node(COUNTS)]);
    await run.says(/it runs/);
    for (const [count, signal] of (["SIGTERM", "SIGINT", "SIGTERM"] as const).entries()) {
      run.kill(signal);
      await run.says(new RegExp(`(got \\w+\\n){${count + 1}}`));
    }
    const { status, stdout } = await within(run.ended);
    expect(stdout.match(/got .*/g)).toEqual(["got SIGTERM", "got SIGINT", "got SIGTERM"]);
    expect(status).toBe(9);
  });

  test("a supervisor that knows nothing of claims keeps the forwards, and that is said", async () => {
    await using project = await bringUp(world, namespace, { echo: { ...echo, local: await freePort() } });
    const { entries } = await project.status();
    await project.ok("down");
    const owner = await ownerOf(project, {
      ...idleControl,
      apply: async () => ({ changes: [] }),
      follow: async (listener) => {
        for (const status of entries) listener({ type: "forward", status });
        return { [Symbol.asyncDispose]: async () => {} };
      },
      release: () => Promise.reject(new KfwdError("VERSION_SKEW", 'it does not know the request "release"')),
    });
    try {
      const { status, stderr } = await within(project.start(["run", "--", "true"]).ended);
      expect(stderr).toMatch(/^the forwards stay up, `kfwd down` stops them: it does not know/m);
      expect(status).toBe(0);
    } finally {
      await owner[Symbol.asyncDispose]();
    }
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGQUIT", 131],
  ] as const)("%s before the command runs ends the run with %i", async (signal, status) => {
    await using project = await projectOf(world, namespace, {
      none: { target: "svc/none", port: 80, local: "auto" },
    });
    const run = project.start(["run", "--", "true"]);
    await run.says(/none waiting/);
    run.kill(signal);
    expect((await within(run.ended)).status).toBe(status);
    await untilNothingRuns(project);
  });

  test.runIf(lackOfTerminals() === "")(
    `Ctrl-C on a terminal reaches the command once${lackOfTerminals()}`,
    async () => {
      await using project = await projectOf(world, namespace, { echo });
      await writeFile(join(project.folder, "counts.cjs"), COUNTS);
      const shown = onTerminal(project, `run -- "${process.execPath}" counts.cjs`);
      await shown.says(/it runs/);
      for (const count of [1, 2, 3]) {
        shown.child.stdin?.write("\u0003");
        await shown.says(new RegExp(`(got SIGINT[^]*){${count}}`));
      }
      const { status, stdout } = await within(shown.ended);
      expect(stdout.match(/got SIGINT/g)).toHaveLength(3);
      expect(status).toBe(9);
      await untilNothingRuns(project);
    },
  );
});
