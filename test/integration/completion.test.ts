import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project, type Running } from "../rig/project.ts";
import { interactive, isThere, pathWithKfwd } from "../rig/shell.ts";
import { lackOfTerminals } from "../rig/terminal.ts";

const FILE = `
name: shop
namespace: shop
forwards:
  api: { target: svc/api, port: http, local: 8080, description: "the \\"API\\": $$(touch pwned) \`touch pwned\`" }
  api-admin: { target: svc/admin, port: 80, local: 8081, description: "two\\nlines, a \\ttab, 50% off; it's 'quoted' \\\\" }
  db: { target: sts/postgres, port: 5432, profiles: [data], description: Orders database }
  gone: { target: svc/gone, port: 1, local: 9999, enabled: false }
  kafka: { target: svc/kafka, ports: ["9092:kafka", "8082:registry"] }
environments:
  dev: { context: kind-dev }
  staging: { context: stg, namespace: shop-staging }
defaultEnvironment: dev
`;

const HOSTILE = [
  "$(touch pwned)",
  "`touch pwned`",
  "a; touch pwned;",
  "it's",
  'say "hi"',
  "two\nlines",
  "tab\there",
  "\u001b[2Jescape",
  "-x",
  "a b",
  "=touch",
  "\u2018; touch pwned; \u2019",
  "a'$(touch pwned)'b",
  "back\\slash",
  "{a,b}",
  "*",
  "!!",
];

const KUBECONFIG = JSON.stringify({
  apiVersion: "v1",
  kind: "Config",
  "current-context": "kind-dev",
  clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
  users: [{ name: "u", user: { token: "t" } }],
  contexts: [
    { name: "kind-dev", context: { cluster: "c", user: "u", namespace: "shop" } },
    { name: "arn:aws:eks:eu-west-1:1:cluster/dev", context: { cluster: "c", user: "u" } },
    { name: "arn:aws:eks:eu-west-1:1:cluster/prod", context: { cluster: "c", user: "u" } },
    ...HOSTILE.map((name) => ({ name, context: { cluster: "c", user: "u", namespace: name } })),
  ],
});

const FORWARDS = ["api", "api-admin", "db", "kafka:kafka", "kafka:registry"];
const CONTEXTS = ["kind-dev", "arn:aws:eks:eu-west-1:1:cluster/dev", "arn:aws:eks:eu-west-1:1:cluster/prod"];

let project: Project;
let path: string;
beforeAll(async () => {
  project = await Project.create({ file: FILE });
  const kubeconfig = join(project.root, "kube config");
  await writeFile(kubeconfig, KUBECONFIG);
  project.env["KUBECONFIG"] = kubeconfig;
  await project.write("forwards: { other: '7000:svc/other:80' }", "an other.yaml");
  await project.write("forwards: { broken: ", "broken.yaml");
  path = await pathWithKfwd(project);
});
afterAll(async () => {
  expect(existsSync(join(project.folder, "pwned"))).toBe(false);
  await project[Symbol.asyncDispose]();
});

interface Offered {
  readonly values: readonly string[];
  readonly about: ReadonlyMap<string, string>;
  readonly directive: string;
}

async function offered(...words: string[]): Promise<Offered> {
  const { status, stdout, stderr } = await project.run("complete", "--", ...words);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const lines = stdout.trimEnd().split("\n");
  const directive = lines.pop() ?? "";
  const pairs = lines.map((line) => line.split("\t") as [string, string]);
  return { values: pairs.map(([value]) => value), about: new Map(pairs), directive };
}

/** What stands behind `kfwd`, and what is offered for the last word. */
const CASES: readonly (readonly [words: readonly string[], values: readonly string[]])[] = [
  [["dow"], ["down"]],
  [["complet"], ["completion"]],
  [["down", ""], FORWARDS],
  [
    ["down", "api"],
    ["api", "api-admin"],
  ],
  [["down", "api", "api"], ["api-admin"]],
  [["ps", "d"], ["db"]],
  [["logs", "-f", "d"], ["db"]],
  [["logs", "-n", "1", "-f", "d"], ["db"]],
  [["up", "-t", ""], []],
  [["up", "-C", ""], CONTEXTS],
  [["up", "--context=ki"], ["kind-dev"]],
  [["up", "-C", "arn:aws:eks:eu-west-1:1:cluster/p"], ["arn:aws:eks:eu-west-1:1:cluster/prod"]],
  [["up", "--allow-context", "k"], ["kind-dev"]],
  [["up", "-n", ""], ["shop"]],
  [
    ["config", "-e", ""],
    ["dev", "staging"],
  ],
  [["config", "-e", "staging", "--profile", ""], ["data"]],
  [["env", "--shell", "f"], ["fish"]],
  [
    ["status", "-o", ""],
    ["wide", "json"],
  ],
  [
    ["status", "--status=re"],
    ["resolving", "ready"],
  ],
  [["status", "--wat"], ["--watch"]],
  [
    ["completion", ""],
    ["bash", "zsh", "fish", "powershell"],
  ],
  [["help", "ex"], ["exit-codes"]],
  [["help", "dow"], ["down"]],
  [["up", "-f", "an other.yaml", ""], ["other"]],
  [["up", "-f", "'an other.yaml'", ""], ["other"]],
  [["up", "-f", "an\\ other.yaml", ""], ["other"]],
  [["up", "-f", "broken.yaml", ""], []],
  [["up", "-f", "missing.yaml", ""], []],
  [["up", "-f", "-", ""], []],
  [["up", "-e", "no such", ""], []],
  [["up", "-f", "broken.yaml", "--det"], ["--detach"]],
  [["port", "api", ""], []],
  [["nonsense", ""], []],
  [["up", "--nonsense=", ""], FORWARDS],
  [["--vers"], ["--version"]],
];

describe.concurrent("kfwd complete", () => {
  test.each(CASES)("%j offers %j", async (words, values) => {
    expect((await offered(...words)).values).toEqual(values);
  });

  test.each([
    [["up", "-f", ""]],
    [["up", "--kubeconfig="]],
    [["import", ""]],
    [["import", "x", "-o", ""]],
    [["up", "--", ""]],
  ])("%j leaves it to the shell, which offers files", async (words) => {
    expect(await offered(...words)).toMatchObject({ values: [], directive: ":0" });
  });

  test("has each command of the help, with what it does", async () => {
    const { stdout } = await project.ok("help");
    const listed = [...stdout.matchAll(/^ {2}([a-z]+)[ |]/gm)].map(([, name]) => name);
    const { values, about } = await offered("");
    expect(new Set(values)).toEqual(new Set(listed.filter((name) => name !== "kfwd")));
    expect(about.get("down")).toBe("stop the forwards, or some of them");
  });

  test("says of forwards where they are and what they are, in one line without control characters", async () => {
    const { about, directive } = await offered("down", "");
    expect(directive).toBe(":36");
    expect(Object.fromEntries(about)).toEqual({
      api: 'localhost:8080 the "API": $(touch pwned) `touch pwned`',
      "api-admin": "localhost:8081 two lines, a tab, 50% off; it's 'quoted' \\",
      db: "localhost:5432 Orders database",
      "kafka:kafka": "localhost:9092 svc/kafka:kafka",
      "kafka:registry": "localhost:8082 svc/kafka:registry",
    });
  });

  test("knows what runs where the file is broken", async () => {
    await using running = await Project.create({ file: "forwards: { web: 'auto:svc/web:80' }" });
    running.env["KUBECONFIG"] = join(project.root, "kube config");
    await running.run("up", "-d"); // no cluster answers, and its port is bound
    await running.write("forwards: [");
    const { stdout } = await running.ok("complete", "--", "down", "");
    expect(stdout).toMatch(/^web\t127\.0\.0\.1:\d+\n:36\n$/);
    const projects = await running.ok("complete", "--", "down", "-p", "");
    expect(projects.stdout).toMatch(/^shop\t\/.*forwards\.yaml\n:36\n$/);
  });

  test("is silent where nothing can be read", async () => {
    await using nowhere = await Project.create();
    nowhere.env["KFWD_RUNTIME_DIR"] = "relative";
    for (const words of [["down", ""], ["down", "-p", ""], ["up", "-C", ""], []]) {
      const { status, stderr } = await nowhere.run("complete", "--", ...words);
      expect({ words, status, stderr }).toEqual({ words, status: 0, stderr: "" });
    }
  });

  test("without anything offers the commands", async () => {
    const { stdout } = await project.ok("complete");
    expect(stdout).toMatch(/^up\t/);
  });
});

/** Calls the completion function of bash as readline does, and prints what it answers. */
const BASH_DRIVER = `
source <(kfwd completion bash); source <(kfwd completion bash)
COMP_TYPE=$1; shift
COMP_LINE=$1; COMP_POINT=\${#COMP_LINE}; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
__kfwd_complete kfwd
printf '%s\\n' "\${COMPREPLY[@]}"
`;

describe.concurrent("bash", () => {
  async function reply(type: number, line: string, ...split: string[]): Promise<readonly string[]> {
    const env = { PATH: path };
    const args = ["--norc", "-c", BASH_DRIVER, "bash", String(type), line, ...split];
    const { status, stdout, stderr } = await project.exec("bash", args, { env }).ended;
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return stdout.split("\n").slice(0, -1);
  }

  test("puts in one word, and lists several with what they are", async () => {
    expect(await reply(9, "kfwd down d", "kfwd", "down", "d")).toEqual(["db"]);
    expect(await reply(9, "kfwd down api", "kfwd", "down", "api")).toEqual([
      'api        (localhost:8080 the "API": $(touch pwned) `touch pwned`)',
      "api-admin  (localhost:8081 two lines, a tab, 50% off; it's 'quoted' \\)",
    ]);
    expect(await reply(37, "kfwd down api", "kfwd", "down", "api")).toEqual(["api", "api-admin"]);
  });

  test("has the words as they were before they were split at = and :", async () => {
    const arn = "arn:aws:eks:eu-west-1:1:cluster/";
    const split = "arn : aws : eks : eu-west-1 : 1 : cluster/".split(" ");
    expect(
      await reply(9, `kfwd up -C ${arn}p`, "kfwd", "up", "-C", ...split.slice(0, -1), "cluster/p"),
    ).toEqual(["cluster/prod"]);
    expect(await reply(9, "kfwd up --context=ki", "kfwd", "up", "--context", "=", "ki")).toEqual([
      "kind-dev",
    ]);
    expect(await reply(9, "kfwd up --context=", "kfwd", "up", "--context", "=")).toHaveLength(3);
    expect(await reply(9, "kfwd down kafka:r", "kfwd", "down", "kafka", ":", "r")).toEqual(["registry"]);
  });

  test("runs nothing of what is typed or offered", async () => {
    expect(await reply(9, "kfwd up -C ", "kfwd", "up", "-C", "")).toHaveLength(3);
    expect(
      await reply(
        9,
        "kfwd up --context=$(touch pwned)=",
        "kfwd",
        "up",
        "--context",
        "=",
        "$(touch pwned)",
        "=",
      ),
    ).toEqual([""]);
    expect(
      await reply(9, "kfwd up `touch pwned` ; touch pwned; a", "kfwd", "up", "`touch pwned`", "a"),
    ).toBeDefined();
  });
});

describe.skipIf(!isThere("fish")).concurrent("fish", () => {
  async function completed(line: string): Promise<readonly string[]> {
    const env = { PATH: path };
    const code = "kfwd completion fish | source; complete -C $argv[1]";
    const { status, stdout, stderr } = await project.exec("fish", ["--no-config", "-c", code, line], { env })
      .ended;
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return stdout.split("\n").slice(0, -1);
  }

  test("offers names with what they are", async () => {
    expect(await completed("kfwd down ap")).toEqual([
      'api\tlocalhost:8080 the "API": $(touch pwned) `touch pwned`',
      "api-admin\tlocalhost:8081 two lines, a tab, 50% off; it's 'quoted' \\",
    ]);
    expect(await completed("kfwd up --context=ki")).toEqual(["--context=kind-dev\tshop"]);
    expect(await completed("kfwd dow")).toEqual(["down\tstop the forwards, or some of them"]);
  });

  test("runs nothing of what is typed or offered", async () => {
    expect((await completed("kfwd up -C ")).map((line) => line.split("\t")[0])).toEqual(CONTEXTS);
    await completed("kfwd up --context=(touch pwned)= ");
    await completed("kfwd up '(touch pwned)' $(touch pwned) ");
  });
});

/** How a shell is made to complete, and where its words come from. */
const TERMINALS = [
  {
    shell: "bash",
    command: "bash --norc --noprofile -i",
    setUp: "source <(kfwd completion bash)",
    list: "\t\t",
  },
  {
    shell: "zsh",
    command: "zsh -f -i",
    // By itself zsh expands what is under the cursor before it completes: that would be the user's own command.
    setUp: "autoload -U compinit; compinit -u -D; bindkey '^I' complete-word; source <(kfwd completion zsh)",
    list: "\t", // a second one would choose the first
  },
] as const;

const TAB = "\t";
const ERASE_LINE = "\u0015";

describe.skipIf(lackOfTerminals() !== "").each(TERMINALS.filter(({ shell }) => isThere(shell)))(
  "$shell, on a terminal",
  ({ command, setUp, list }) => {
    let terminal: Running;
    let turns = 0;
    beforeAll(async () => {
      terminal = interactive(project, command, path);
      await enter(setUp);
    });
    afterAll(async () => {
      terminal.child.stdin?.write(`${ERASE_LINE}exit\n`);
      terminal.child.stdin?.end();
      await terminal.ended;
    });

    function type(keys: string): void {
      terminal.child.stdin?.write(keys);
    }

    /** Runs a line, and resolves once it has ended. */
    async function enter(line: string): Promise<void> {
      const turn = ++turns;
      type(`${line}\necho turn-''${turn}-ended\n`);
      await terminal.says(new RegExp(`turn-${turn}-ended`));
    }

    test("puts a name in", async () => {
      await enter(`kfwd port d${TAB} --static | sed s/^/seen-/`);
      expect(terminal.stdout).toContain("seen-127.0.0.1:5432");
      await enter(`kfwd url kafka:r${TAB} --static 2>&1 | sed s/^/seen-/`);
      expect(terminal.stdout).toMatch(/seen-error: forward "kafka:registry" has no url/);
      await enter(`kfwd config --env=stag${TAB}--names | sed s/^/named-/`);
      expect(terminal.stdout).toContain("named-api-admin");
    });

    test("lists names with what they are, also hostile ones, and lives on", async () => {
      type(`kfwd down ${list}`);
      await terminal.says(/Orders database/);
      await terminal.says(/two lines, a tab/);
      type(ERASE_LINE);
      type(`kfwd up -C ${list}`);
      await terminal.says(/cluster\/prod/);
      type(ERASE_LINE);
      type(`kfwd up --context=$(touch pwned)=${TAB}${ERASE_LINE}`);
      type(`kfwd up $(touch pwned) \`touch pwned\` ${list}${ERASE_LINE}`);
      await enter("true");
      expect(terminal.stdout).not.toContain("\u001b[2Jescape");
      expect(existsSync(join(project.folder, "pwned"))).toBe(false);
    });
  },
);
