import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SandboxWorld } from "../behaviour/sandboxworld.ts";
import { bringUp, projectOf } from "../behaviour/stage.ts";
import { CLI, Project } from "../rig/project.ts";

/** As many of the names that the help lists as a hint has room for. */
const COMMANDS = commandsHint();

function commandsHint(): string {
  const help = execFileSync(process.execPath, [CLI, "help"], { encoding: "utf8" });
  const [, list = ""] = /\n\n(All forwards:\n[\s\S]*?)\n\nTopics:/.exec(help) ?? [];
  const names = [...list.matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name);
  return `commands: ${names.slice(0, 10).join(", ")} and ${names.length - 10} more`;
}

/** Command lines that are wrong whatever there is in the folder: arguments, message, hint. */
const WRONG: readonly (readonly [args: readonly string[], message: string, hint: string])[] = [
  [["xyz"], 'unknown command "xyz"', COMMANDS],
  [["statsu"], 'unknown command "statsu"', `did you mean "status"? ${COMMANDS}`],
  [["a\nb"], 'unknown command "a\\u000ab"', COMMANDS],
  [["help", "dwon"], 'unknown command or topic "dwon"', 'did you mean "down"?'],
  [["help", "exit-code"], 'unknown command or topic "exit-code"', 'did you mean "exit-codes"?'],
  [["help", "nothing-like-it"], 'unknown command or topic "nothing-like-it"', "kfwd help"],
  [["--versoin"], 'unknown option "--versoin"', 'did you mean "--version"?'],
  [["-x"], 'unknown option "-x"', "kfwd help"],
  [["up", "--wiat"], 'unknown option "--wiat"', 'did you mean "--wait"?'],
  [["up", "--wiat=1"], 'unknown option "--wiat=1"', 'did you mean "--wait"?'],
  [["up", "--\u001b[2J"], 'unknown option "--\\u001b[2J"', "kfwd help up"],
  [["ps", "--jsn"], 'unknown option "--jsn"', 'did you mean "--json"?'],
  [
    ["check", "--env-file", "/dev/null"],
    "--env-file is a flag of Node: here it is --dotenv",
    "--dotenv /dev/null",
  ],
  [["config", "--names", "--hash"], "--names cannot go with --hash", "kfwd help config"],
  [["config", "--hash", "--origin"], "--hash cannot go with --origin", "kfwd help config"],
  [["down", "--wait"], 'unknown option "--wait"', "kfwd up has it; kfwd help down lists what is here"],
  [["status", "--detahc"], 'unknown option "--detahc"', "kfwd help status"],
  [["--wait", "up"], 'unknown option "--wait"', "options come after the command: kfwd up --wait"],
  [["-d", "up", "api"], 'unknown option "-d"', "options come after the command: kfwd up -d"],
  [["demo", "-f", "x"], 'unknown option "-f"', "kfwd up has it; kfwd help demo lists what is here"],
  [
    ["up", "--color", "pink"],
    'option "--color <when>" cannot be "pink": it must be auto, always or never',
    "kfwd help up",
  ],
  [
    ["down", "--color=a\nb"],
    'option "--color <when>" cannot be "a\\u000ab": it must be auto, always or never',
    "kfwd help down",
  ],
  [["up", "--wait-timeout"], 'option "--wait-timeout <duration>" needs a value', "kfwd help up"],
  [["up", "-d", "-C", ""], 'option "-C, --context <name>" needs a value', "kfwd help up"],
  [["up", "--kubeconfig="], 'option "--kubeconfig <path>" needs a value', "kfwd help up"],
  [["down", "-f", ""], 'option "-f, --file <path>" needs a value', "kfwd help down"],
  [["ps", "--project="], 'option "-p, --project <name>" needs a value', "kfwd help status"],
  [
    ["up", "-n", "Bad_NS"],
    '"Bad_NS" cannot be a namespace',
    'a namespace is lowercase letters, digits and "-", at most 63',
  ],
  [["status", "-p"], 'option "-p, --project <name>" needs a value', "kfwd help status"],
  [
    ["up", "--wait", "--wait-timeout", "5x"],
    'cannot read the duration "5x" of --wait-timeout',
    "--wait-timeout 60s",
  ],
  [["up", "-d", "--wait-timeout", "5s"], "--wait-timeout says how long --wait waits", "add --wait"],
  [["up", "-t", "-5"], 'cannot read the duration "-5" of --timeout', "--timeout 60s"],
  [["down", "-t", "9999h"], 'the duration "9999h" of --timeout is longer than 24 days', "--timeout 60s"],
  [["logs", "-n", "x"], 'option "-n, --tail" cannot be "x": it must be a number or "all"', "kfwd help logs"],
  [
    ["logs", "--level", "loud"],
    'option "--level <level>" cannot be "loud": it must be debug, info, warn or error',
    "kfwd help logs",
  ],
  [
    ["logs", "--until", "10:02"],
    'cannot read the moment "10:02" of --until',
    "--until 10m, or --until 2026-11-21T10:02",
  ],
  [
    ["events", "--since", "soon"],
    'cannot read the moment "soon" of --since',
    "--since 10m, or --since 2026-11-21T10:02",
  ],
  [["events", "-f"], 'option "-f, --file <path>" needs a value', "kfwd help events"],
  [["check", "x"], 'too many arguments for "kfwd check"', "kfwd help check"],
  [["port"], 'argument "name" is missing', "kfwd help port"],
  [["url", "a", "b"], 'too many arguments for "kfwd url"', "kfwd help url"],
  [
    ["import"],
    "import needs a file, or --from-cluster",
    "kfwd import FILE, or kfwd import --from-cluster -n NAMESPACE",
  ],
  [
    ["import", "a.json", "--from-cluster"],
    "--from-cluster cannot go with a file",
    "kfwd import FILE, or kfwd import --from-cluster -n NAMESPACE",
  ],
  [
    ["import", "a.json", "-A"],
    "--all-namespaces is for --from-cluster",
    "kfwd import FILE, or kfwd import --from-cluster -n NAMESPACE",
  ],
  [["import", "missing.json"], 'cannot read "missing.json": no such file or folder', ""],
  [["import", "."], 'cannot read ".": it is a folder', ""],
  [
    ["import", "-"],
    "cannot tell what standard input was made for",
    "name it: --format kftray, kftray-services, kubectl, compose, skaffold, tilt, devspace, kportal or krelay",
  ],
  [
    ["import", "x", "--format", "kftry"],
    'cannot import the format "kftry"',
    'did you mean "kftray"? formats: kftray, kftray-services, kubectl, compose, skaffold, tilt, devspace, kportal, krelay',
  ],
  [
    ["env", "--shell", "csh"],
    'option "--shell <name>" cannot be "csh": it must be bash, zsh, fish, pwsh, dotenv, json or github',
    "kfwd help env",
  ],
  [
    ["config", "-o", "xml"],
    'option "-o, --output <form>" cannot be "xml": it must be yaml or json',
    "kfwd help config",
  ],
  [["demo", "now"], 'too many arguments for "kfwd demo"', "kfwd help demo"],
  [["help", "up", "down"], 'too many arguments for "kfwd help"', "kfwd help help"],
  [
    ["status", "-p", "../up"],
    '"../up" cannot be the name of a project',
    'a name is lowercase letters, digits, "-" and "_", starting with a letter or digit, at most 63',
  ],
];

describe.concurrent("a command line", () => {
  let nowhere: Project;
  beforeAll(async () => {
    nowhere = await Project.create();
  });
  afterAll(() => nowhere[Symbol.asyncDispose]());

  test.each(WRONG)("%j is refused: %s", async (args, message, hint) => {
    expect(await nowhere.run(...args)).toEqual({
      status: 2,
      signal: null,
      stdout: "",
      stderr: `error: ${message}\n${hint === "" ? "" : `hint: ${hint}\n`}`,
    });
  });

  test.skipIf(!existsSync("/dev/full")).each([
    [
      ["help"],
      "error: cannot write to standard output: the disk is full\nhint: make room where the output goes\n",
    ],
    [
      ["check", "--json", "-f", "-"],
      '{"error":{"code":"KFWD_OUTPUT_LOST","message":"cannot write to standard output: the disk is full","hint":"make room where the output goes"}}\n',
    ],
  ])("%j whose output is lost says so", async (args, stderr) => {
    const stdin = 'forwards: { a: "8080:svc/a:80" }';
    const script = 'exec "$0" "$@" > /dev/full';
    const ended = await nowhere.exec("sh", ["-c", script, process.execPath, CLI, ...args], { stdin }).ended;
    expect(ended).toMatchObject({ status: 1, signal: null, stderr });
  });

  test("that is wrong and asks for JSON gets it, on stderr", async () => {
    const { status, stdout, stderr } = await nowhere.run("up", "--json", "--wiat");
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: "KFWD_USAGE",
        message: 'unknown option "--wiat"',
        hint: 'did you mean "--wait"?',
      },
    });
  });

  test.each([["--version"], ["-V"]])("%s: the version alone", async (flag) => {
    const manifest = await readFile(new URL("../../package.json", import.meta.url), "utf8");
    const { version } = JSON.parse(manifest) as { version: string };
    expect(await nowhere.run(flag)).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: "" });
  });

  test.each([
    [["help"], "Usage: kfwd [options] [command]"],
    [["--help"], "Usage: kfwd [options] [command]"],
    [["help", "up"], "Usage: kfwd up [options] [name...]"],
    [["up", "--help"], "Usage: kfwd up [options] [name...]"],
    [["help", "ps"], "Usage: kfwd status|ps [options] [name...]"],
    [["down", "-h", "--json"], "Usage: kfwd down [options] [name...]"],
    [["help", "demo"], "Usage: kfwd demo [options]"],
    [["help", "exit-codes"], "Exit status:"],
    [["help", "environment"], "In place of flags, which win over them:"],
    [["help", "file"], "forwards.yaml is looked for in this folder and above; so are forwards.yml,"],
  ])("%j: help on stdout", async (args, first) => {
    const { status, stdout, stderr } = await nowhere.run(...args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.split("\n")[0]).toBe(first);
  });

  test("without a command: the help, as what went wrong", async () => {
    const [none, help] = await Promise.all([nowhere.run(), nowhere.run("help")]);
    expect(none).toEqual({ status: 2, signal: null, stdout: "", stderr: help.stdout });
  });

  test("has the exit statuses that the README promises", async () => {
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    const promised = [...readme.matchAll(/^\| ([\d, ]+) \| (.+) \|$/gm)].map(([, numbers]) => numbers);
    const { stdout } = await nowhere.run("help", "exit-codes");
    const listed = [...stdout.matchAll(/^ {2}(\d[\d, ]*?) {2,}\S/gm)].map(([, numbers]) => numbers);
    expect(promised).toEqual(listed);
    expect(listed).toContain("70");
  });
});

describe.concurrent("a name on the command line", () => {
  let world: SandboxWorld;
  let namespace: string;
  const forwards = {
    api: { target: "svc/app", port: 7000, local: "auto" },
    db: { target: "svc/app", port: 7001, local: "auto" },
  };
  beforeAll(async () => {
    world = await SandboxWorld.start();
    namespace = await world.newNamespace();
    await world.deploy(namespace, "app");
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("that is in no file: `up` starts nothing, exit 2", async () => {
    await using project = await projectOf(world, namespace, forwards);
    const { status, stderr } = await project.run("up", "-d", "db", "apii");
    expect(status).toBe(2);
    expect(stderr).toBe('error: no forward named "apii"\nhint: did you mean "api"? known: api, db\n');
    expect(project.processes()).toEqual([]);
  });

  test("that does not run: `status` says so and exits 1, `down` says so, stops the others and exits 0", async () => {
    await using project = await projectOf(world, namespace, forwards);
    await project.ok("up", "--wait", "db");
    const seen = await project.run("status", "db", "api");
    expect(seen).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^api .* not started /m) as string,
    });
    const { status, stdout, stderr } = await project.run("down", "db", "api");
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    expect(stderr).toBe("not running: api\n1 forward stopped\n");
  });

  test("that is mistyped: `down` stops none of them, exit 2", async () => {
    await using project = await projectOf(world, namespace, forwards);
    await project.ok("up", "--wait", "db");
    const { status, stderr } = await project.run("down", "db", "apii");
    expect([status, stderr]).toEqual([
      2,
      'error: no forward named "apii"\nhint: did you mean "api"? known: db, api\n',
    ]);
    expect((await project.forward("db")).state).toBe("ready");
  });

  test("given twice counts once", async () => {
    await using project = await bringUp(world, namespace, forwards);
    expect((await project.ok("status", "db", "db")).stdout.match(/^db /gm)).toHaveLength(1);
    expect((await project.ok("down", "db", "db")).stderr).toBe("1 forward stopped\n");
    expect((await project.status()).entries.map(({ name }) => name)).toEqual(["api"]);
    await project.ok("down", "api"); // the last one: nothing is left to keep
    expect((await project.run("status")).status).toBe(3);
  });
});
