import { chmod, mkdir, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { freePort } from "../rig/freeport.ts";
import { commandNames, examplesOf } from "../rig/helptext.ts";
import { Project, type Ended, type Running } from "../rig/project.ts";
import { isThere, pathWithKfwd } from "../rig/shell.ts";
import { untilItListens } from "../rig/signals.ts";

const EXAMPLES = commandNames().flatMap((name) => examplesOf(name));

/** What an example needs besides a project whose forwards run, and what it comes to. */
interface Case {
  /** Where it runs; `empty`: a folder without a forwards.yaml. */
  readonly folder?: "shop" | "empty";
  readonly shell?: "bash" | "fish";
  /** It goes on until then: what it must have said, or null where it says nothing, and how it is ended. */
  readonly until?: RegExp | null;
  readonly endedBy?: "SIGINT" | "kfwd down";
  /** Nothing runs before. */
  readonly stopped?: true;
  readonly status?: number;
  readonly says?: RegExp;
}

/** Examples that are not simply run to their end with status 0. */
const CASES: Readonly<Record<string, Case>> = {
  "kfwd up": { stopped: true, until: /^kfwd: ready 3\/3$/m, endedBy: "SIGINT" },
  "kfwd logs -f db": { until: /ready/, endedBy: "SIGINT", status: 130 },
  "kfwd events | jq -r 'select(.state == \"waiting\") | .forward'": { until: null, endedBy: "SIGINT" },
  "kfwd events --since 1h db": { until: /"forward":"db"/, endedBy: "SIGINT", status: 130 },
  "kfwd attach": { until: /^kfwd: ready (\d)\/\1$/m, endedBy: "SIGINT" },
  "kfwd attach -p shop db": { until: /^kfwd: ready 1\/1$/m, endedBy: "SIGINT" },
  "kfwd wait --for down": { until: null, endedBy: "kfwd down" },
  "kfwd import configs.json -o forwards.yaml": { folder: "empty" },
  "grep port-forward Makefile | kfwd import -": { folder: "empty", says: /svc\/api:80/ },
  "kfwd init --from-cluster -n shop": { folder: "empty" },
  // It asks questions on a terminal; test/integration/cli-init.test.ts answers them.
  "kfwd init": { folder: "empty", status: 2, says: /there is no terminal to ask them on/ },
  "source <(kfwd completion bash)": { shell: "bash" },
  "kfwd completion fish | source": { shell: "fish" },
};

/** Programs that are not here, or must not do what they do: they say what they were given. */
const STAND_INS = ["nc", "curl", "psql", "npm", "vitest", "kubectl", "sudo", "open", "xdg-open"];

let world: SandboxWorld;
let project: Project;
let path: string;

beforeAll(async () => {
  world = await SandboxWorld.start();
  world.sandbox.cluster.createNamespace("shop");
  await Promise.all([world.deploy("shop", "api"), world.deploy("shop", "db"), world.deploy("shop", "cache")]);
  world.sandbox.cluster.createService("shop", {
    name: "annotated",
    selector: { app: "api" },
    ports: [{ name: "http", port: 80 }],
    annotations: { "kftray.app/enabled": "true", "kftray.app/configs": "annotated-8090-http" },
  });
  project = await Project.create({ kubeconfig: world.kubeconfig("admin") });
  const [api, db, cache] = await Promise.all([freePort(), freePort(), freePort()]);
  const file = {
    version: 1,
    name: "shop",
    namespace: "shop",
    forwards: {
      api: { target: "svc/api", port: 7000, local: api, url: "http://{host}:{port}/" },
      db: { target: "svc/db", port: 7001, local: db, url: "postgres://app@{host}:{port}/" },
      cache: { target: "svc/cache", port: 7000, local: cache },
    },
    environments: { staging: { portOffset: 1000 } },
  };
  await project.write("#!/bin/sh\n", "smoke.sh");
  await chmod(join(project.folder, "smoke.sh"), 0o755);
  await project.write(JSON.stringify(file));
  await mkdir(join(project.folder, "team"));
  await project.write(JSON.stringify({ ...file, name: "team" }), "team/forwards.yaml");
  await mkdir(join(project.root, "empty"));
  path = await pathWithKfwd(project);
  for (const name of STAND_INS) {
    const program = join(project.root, "bin", name);
    await writeFile(program, '#!/bin/sh\necho "$0 $*"\n[ -p /dev/stdin ] && cat > /dev/null\nexit 0\n');
    await chmod(program, 0o755);
  }
});
afterAll(async () => {
  await project[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

test.each(commandNames().map((name) => [name]))("kfwd help %s has two examples or more", (name) => {
  const examples = examplesOf(name);
  expect(examples.length).toBeGreaterThanOrEqual(2);
  for (const { line } of examples) expect(line).toMatch(/\bkfwd /);
});

test("what is said of examples is said of one that is there", () => {
  const lines = EXAMPLES.map(({ line }) => line);
  expect(Object.keys(CASES).filter((line) => !lines.includes(line))).toEqual([]);
});

describe("the example", () => {
  test.each(EXAMPLES.map(({ line, command }) => ({ line, command })))("$line", async ({ line, command }) => {
    const { shell = "bash", status = 0, says = /(?:)/, stopped } = CASES[line] ?? {};
    if (!isThere(shell)) return;
    if (stopped) await project.run("down");
    else await project.ok("up", "-d", "--wait");
    const running = await start(line, shell);
    const ended = await finished(running, line, command);
    expect({ line, ...ended, status: ended.status ?? ended.signal }).toMatchObject({
      line,
      status,
      signal: null,
    });
    expect(`${ended.stdout}${ended.stderr}`).toMatch(says);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });
});

async function start(line: string, shell: string): Promise<Running> {
  const { folder = "shop" } = CASES[line] ?? {};
  const cwd = join(project.root, folder);
  if (folder === "empty") await furnish(cwd);
  const flags = shell === "fish" ? ["--no-config"] : ["--norc"];
  const env = { PATH: path, SHELL: "/bin/bash", GITHUB_ENV: join(project.root, "github-env") };
  return project.exec(shell, [...flags, "-c", line], { cwd, env });
}

/** What other tools' files examples speak of, and no forwards.yaml. */
async function furnish(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  await writeFile(
    join(folder, "configs.json"),
    '[{"service":"api","namespace":"shop","local_port":8080,"remote_port":80,"protocol":"tcp","workload_type":"service"}]',
  );
  await writeFile(join(folder, "Makefile"), "dev:\n\tkubectl -n shop port-forward svc/api 8080:80\n");
}

async function finished(running: Running, line: string, command: string): Promise<Ended> {
  const { until, endedBy } = CASES[line] ?? {};
  if (until !== undefined && until !== null) await running.says(until);
  if (until === null) await atWork(command);
  if (endedBy === "kfwd down") await project.ok("down");
  if (endedBy === "SIGINT") {
    for (const pid of await pidsOf(command)) {
      await untilItListens({ child: { pid } });
      process.kill(pid, "SIGINT");
    }
  }
  const timer = setTimeout(() => running.kill("SIGKILL"), 40_000);
  const ended = await running.ended;
  clearTimeout(timer);
  return ended;
}

/** Standard output and standard error are sockets, too. */
const OWN_SOCKETS = 2;

/** Resolves once the command runs and, if it asks the supervisor, is connected; each look is a whole command. */
async function atWork(command: string): Promise<void> {
  for (;;) {
    await project.status();
    const [pid] = await pidsOf(command);
    if (pid === undefined) continue;
    if (command !== "wait") return;
    const folder = `/proc/${pid}/fd`;
    const ends = await Promise.all(
      (await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => "")),
    );
    if (ends.filter((end) => end.startsWith("socket:")).length > OWN_SOCKETS) return;
  }
}

/** The processes that run this command. */
async function pidsOf(command: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const pid of project.processes()) {
    const words = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (words[1]?.endsWith("kfwd.js") && words[2] === command) found.push(pid);
  }
  return found;
}
