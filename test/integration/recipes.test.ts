import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { httpGet } from "../rig/client.ts";
import { lackOf, recipe, recipeProject, type RecipeProject } from "../rig/recipes.ts";
import type { Ended } from "../rig/project.ts";

interface Workflow {
  readonly steps: readonly { readonly run: string }[];
}
interface Tasks {
  readonly tasks: readonly {
    readonly command: string;
    readonly problemMatcher: {
      readonly pattern: readonly { readonly regexp: string }[];
      readonly background: { readonly endsPattern: string };
    };
  }[];
}

/** What docs/recipes.md shows, run by the programs that it is for. */
describe("recipes", { timeout: 120_000 }, () => {
  let world: SandboxWorld;
  beforeAll(async () => {
    world = await SandboxWorld.start();
    world.sandbox.cluster.createNamespace("shop");
    await world.deploy("shop", "api");
    await world.statefulSet("shop", "postgres");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  async function withScripts(): Promise<RecipeProject> {
    const at = await recipeProject(world);
    await at.project.write(at.fit(recipe("npm scripts", "json")), "package.json");
    return at;
  }

  const shell = ({ project, env }: RecipeProject, text: string): Promise<Ended> =>
    project.exec("bash", ["-c", text], { env }).ended;

  async function expectDone(ended: Promise<Ended>): Promise<Ended> {
    const { status, stdout, stderr } = await ended;
    if (status !== 0) throw new Error(`exit ${status}\n${stdout}\n${stderr}`);
    return ended;
  }

  test(`npm scripts${lackOf("npm")}`, { skip: lackOf("npm") !== "" }, async () => {
    await using at = await withScripts();
    const { project, env } = at;
    const npm = (...args: string[]): Promise<Ended> => project.exec("npm", args, { env }).ended;
    await expectDone(npm("test"));
    expect(await readFile(join(project.folder, "asked"), "utf8")).toContain(`:${at.apiPort}`);
    const pid = project.supervisorPid;
    const again = await expectDone(npm("run", "forwards"));
    expect(again.stderr).toMatch(/^kfwd: ready 2\/2$/m);
    expect(project.supervisorPid).toBe(pid); // what ran goes on
    await expectDone(npm("run", "test:ci")); // what ran already goes on after it
    expect(project.supervisorPid).toBe(pid);
    await expectDone(npm("run", "forwards:down"));
    expect((await project.run("status")).status).toBe(3);
  });

  test(`kfwd run in an npm script${lackOf("npm")}`, { skip: lackOf("npm") !== "" }, async () => {
    await using at = await withScripts();
    const npm = (script: string): Promise<Ended> =>
      at.project.exec("npm", ["run", script], { env: at.env }).ended;
    expect((await expectDone(npm("start"))).stdout).toContain("served hello from api-");
    expect((await at.project.run("status")).status).toBe(3);
    await expectDone(npm("test:ci"));
    expect(await readFile(join(at.project.folder, "asked"), "utf8")).toContain(`:${at.apiPort}`);
    expect((await at.project.run("status")).status).toBe(3);
  });

  test(`concurrently -k${lackOf("npm", "ps")}`, { skip: lackOf("npm", "ps") !== "" }, async () => {
    await using at = await withScripts();
    const { stdout } = await expectDone(at.project.exec("npm", ["run", "dev"], { env: at.env }).ended);
    expect(stdout).toContain("[web] served hello from api-");
    expect(stdout).toContain("[k8s] 2 forwards stopped"); // in order, and not killed
    expect((await at.project.run("status")).status).toBe(3);
  });

  test(`start-server-and-test${lackOf("npm", "ps")}`, { skip: lackOf("npm", "ps") !== "" }, async () => {
    await using at = await withScripts();
    await expectDone(at.project.exec("npm", ["run", "test:api"], { env: at.env }).ended);
    expect(await readFile(join(at.project.folder, "asked"), "utf8")).toContain(`:${at.apiPort}`);
    expect((await at.project.run("status")).status).toBe(3);
  });

  test(`make${lackOf("make", "curl")}`, { skip: lackOf("make", "curl") !== "" }, async () => {
    await using at = await recipeProject(world);
    const { project } = at;
    await project.write(recipe("Make", "make"), "Makefile");
    await project.write('#!/bin/sh\necho "psql $*"\n', "node_modules/.bin/psql");
    await chmod(join(project.folder, "node_modules/.bin/psql"), 0o755);
    const make = (target: string): Promise<Ended> => expectDone(project.exec("make", [target]).ended); // it finds kfwd itself
    expect((await make("smoke")).stdout).toContain("hello from api-");
    expect((await make("psql")).stdout).toMatch(/^psql postgres:\/\/app@127\.0\.0\.1:\d+\/orders$/m);
    await make("down");
    expect((await project.run("status")).status).toBe(3);
  });

  test(
    `a shell script${lackOf("bash", "curl", "jq")}`,
    { skip: lackOf("bash", "curl", "jq") !== "" },
    async () => {
      await using at = await recipeProject(world);
      const { stdout } = await expectDone(shell(at, recipe("Scripts", "sh")));
      expect(stdout).toMatch(/^true\nhello from api-.*\nhttp:\/\/localhost:\d+\n$/);
    },
  );

  test(
    `the steps of a job of GitHub Actions${lackOf("npm", "npx")}`,
    { skip: lackOf("npm", "npx") !== "" },
    async () => {
      await using at = await withScripts();
      const { steps } = parse(recipe("GitHub Actions", "yaml")) as Workflow;
      const variables = join(at.project.root, "github-env");
      await writeFile(variables, "");
      for (const { run } of steps)
        await expectDone(shell(at, `set -eo pipefail; GITHUB_ENV=${variables}; ${run}`));
      expect(await readFile(variables, "utf8")).toContain(`API_URL=http://localhost:${at.apiPort}\n`);
      expect((await at.project.run("status")).status).toBe(3);
      const [one] = (parse(recipe("GitHub Actions", "yaml", 1)) as Workflow).steps;
      await expectDone(shell(at, one?.run ?? "false"));
      expect((await at.project.run("status")).status).toBe(3);
    },
  );

  test(
    `an .envrc, read by a bash that stands for direnv${lackOf("bash")}`,
    { skip: lackOf("bash") !== "" },
    async () => {
      await using at = await recipeProject(world);
      const envrc = `watch_file() { test -n "$1"; }\n${recipe("direnv and mise", "sh")}`;
      const ended = await expectDone(shell(at, `${envrc}echo "$API_URL $DB_PORT"`));
      expect(ended.stdout).toMatch(new RegExp(`http://localhost:${at.apiPort} \\d+\\n$`));
      expect(recipe("direnv and mise", "toml")).toContain('"kfwd up -d -q"');
      expect(await expectDone(shell(at, "kfwd up -d -q"))).toMatchObject({ stdout: "", stderr: "" });
    },
  );

  test("VS Code's problem matcher fits what `kfwd up` says", async () => {
    await using at = await recipeProject(world);
    const [task] = (JSON.parse(recipe("VS Code tasks", "json")) as Tasks).tasks;
    if (task === undefined) throw new Error("no task");
    const { pattern, background } = task.problemMatcher;
    const up = at.project.exec("bash", ["-c", `exec ${task.command.replace("npx ", "")} 2>&1`], {
      env: at.env,
    });
    await up.says(new RegExp(background.endsPattern, "m"));
    expect(await httpGet(at.apiPort)).toContain("api-");
    up.kill("SIGTERM"); // as VS Code ends a task
    expect((await up.ended).status).toBe(0);
    await at.project.write("forwards: { api: { target: svc/api, prot: 80 } }");
    const { stderr } = await at.project.run("up");
    const lines = stderr.split("\n");
    const found = pattern.map(({ regexp }, line) => new RegExp(regexp).exec(lines[line] ?? ""));
    expect(found.map((match) => match?.slice(1))).toEqual([
      ["error", 'unknown key "prot" in forward "api"'],
      ["forwards.yaml", "1", "37"],
    ]);
  });

  test(`the start of a dev container${lackOf("npx")}`, { skip: lackOf("npx") !== "" }, async () => {
    await using at = await recipeProject(world);
    const { postStartCommand } = JSON.parse(recipe("Dev containers", "json")) as { postStartCommand: string };
    await expectDone(shell(at, postStartCommand));
    expect(await at.project.run("wait")).toMatchObject({ status: 0 });
  });

  test("a port that a compose file publishes, too, is warned of; the local file takes the bridge", async () => {
    await using at = await recipeProject(world);
    const { project } = at;
    await project.write(recipe("Beside docker compose", "yaml"), "forwards.local.yaml");
    const env = { ...at.env, CI: undefined };
    const config = await project.start(["config", "--origin"], { env }).ended;
    expect(config.stdout).toMatch(/bind: .* # forwards\.local\.yaml:2/);
    const compose = recipe("Beside docker compose", "yaml", 1);
    await project.write(`${compose}    ports: ["${at.apiPort}:80"]\n`, "compose.yaml");
    expect((await project.start(["check"], { env }).ended).stderr).toMatch(/compose/);
    await rm(join(project.folder, "forwards.local.yaml"));
  });

  test("process-compose waits for a line that `kfwd up` says", async () => {
    await using at = await recipeProject(world);
    const { processes } = parse(recipe("process-compose", "yaml")) as {
      processes: { forwards: { command: string; ready_log_line: string } };
    };
    const up = at.project.exec("bash", ["-c", `exec ${processes.forwards.command}`], { env: at.env });
    await up.says(new RegExp(processes.forwards.ready_log_line));
    up.kill("SIGTERM");
    expect((await up.ended).status).toBe(0);
  });
});
