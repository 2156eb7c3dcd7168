import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { within } from "../rig/client.ts";
import { Project } from "../rig/project.ts";
import { lackOfTerminals, onTerminal } from "../rig/terminal.ts";

const LACK = lackOfTerminals();

async function written(project: Project): Promise<string> {
  return readFile(join(project.folder, "forwards.yaml"), "utf8");
}

describe.concurrent("init", () => {
  test("-y writes an example that is right, and touches no .gitignore outside of a repository", async () => {
    await using project = await Project.create();
    expect(await project.run("init", "-y", "-n", "data")).toEqual({
      status: 0,
      signal: null,
      stdout: "",
      stderr: "wrote forwards.yaml\nnext: kfwd check, then kfwd up\n",
    });
    expect(await written(project))
      .toBe(`# yaml-language-server: $schema=./node_modules/kfwd/schema/forwards.v1.json
version: 1
name: "shop"
namespace: "data"

forwards:
  # name: local port, what to forward to, its port. The README of kfwd has all other fields.
  api: "8080:svc/api:http"
`);
    expect(existsSync(join(project.folder, ".gitignore"))).toBe(false);
    expect(await project.run("check", "--strict")).toMatchObject({ status: 0 });
  });

  test.each([["-y"], ["--from-cluster"]])(
    "%s with what can be no namespace: exit 2, and no file",
    async (how) => {
      await using project = await Project.create();
      expect(await project.run("init", how, "-n", "a b")).toMatchObject({
        status: 2,
        stderr: expect.stringMatching(/^error: "a b" cannot be a namespace\n/) as string,
      });
      expect(existsSync(join(project.folder, "forwards.yaml"))).toBe(false);
    },
  );

  test("in a repository forwards.local.yaml is ignored, once", async () => {
    await using project = await Project.create();
    await mkdir(join(project.folder, ".git"));
    const ignored = () => readFile(join(project.folder, ".gitignore"), "utf8");
    expect((await project.ok("init", "-y")).stderr).toContain("added forwards.local.yaml to .gitignore\n");
    expect(await ignored()).toBe("forwards.local.yaml\n");
    await rm(join(project.folder, "forwards.yaml"));
    expect((await project.ok("init", "-y")).stderr).not.toContain(".gitignore");
    expect(await ignored()).toBe("forwards.local.yaml\n");
  });

  test.each(["forwards.yaml", "forwards.yml", "kfwd.yaml", "kfwd.yml"])(
    "never writes where there is a %s",
    async (name) => {
      await using project = await Project.create();
      await project.write("mine", name);
      expect(await project.run("init", "-y")).toMatchObject({
        status: 2,
        stderr: `error: "${name}" is there already, and is left as it is\nhint: kfwd check\n`,
      });
      expect(await readFile(join(project.folder, name), "utf8")).toBe("mine");
      expect(existsSync(join(project.folder, "forwards.yaml"))).toBe(name === "forwards.yaml");
    },
  );

  test("asks nothing where there is no terminal", async () => {
    await using project = await Project.create();
    expect(await project.run("init")).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(
        /^error: init asks questions, and there is no terminal to ask them on\nhint: kfwd init -y/,
      ) as string,
    });
    expect(existsSync(join(project.folder, "forwards.yaml"))).toBe(false);
  });

  test.skipIf(LACK)(`on a terminal it asks, and answers that cannot be are asked again${LACK}`, async () => {
    await using project = await Project.create();
    const asked = onTerminal(project, "init");
    const type = async (question: RegExp, answer: string): Promise<void> => {
      await asked.says(question);
      asked.child.stdin?.write(answer);
    };
    await type(/What is the project called\?/, "\r");
    await type(/In which namespace/, "shop\r");
    await type(/What is to be forwarded\?/, "8080:api\r");
    await type(/cannot read|must be/, `${"\u007f".repeat(8)}8080:svc/api:http\r`);
    await type(/Another one\?/, "y");
    await type(/Another one\?[\s\S]*What is to be forwarded\?/, "5432:sts/db:5432\r");
    await type(/Another one\?[\s\S]*Another one\?[\s\S]*Another one\?/, "n");
    expect((await within(asked.ended)).status).toBe(0);
    expect((await written(project)).split("\n").slice(1)).toEqual([
      "version: 1",
      'name: "shop"',
      'namespace: "shop"',
      "",
      "forwards:",
      expect.stringMatching(/^ {2}# /) as string,
      '  api: "8080:svc/api:http"',
      '  db: "5432:sts/db:5432"',
      "",
    ]);
    expect(await project.run("check", "--strict")).toMatchObject({ status: 0 });
  });

  test.skipIf(LACK)(`Ctrl-C at a question: nothing is written, exit 130${LACK}`, async () => {
    await using project = await Project.create();
    const asked = onTerminal(project, "init");
    await asked.says(/What is the project called\?/);
    asked.child.stdin?.write("\u0003");
    expect((await within(asked.ended)).status).toBe(130);
    expect(existsSync(join(project.folder, "forwards.yaml"))).toBe(false);
  });
});

describe.concurrent("what a command loads", () => {
  const LOADS = fileURLToPath(new URL("../rig/loads.cjs", import.meta.url));

  test.each([
    [["check"], ["cli"]],
    [["config", "--origin"], ["cli"]],
    [["env", "--shell", "bash"], ["cli"]],
    [["port", "api", "--static"], ["cli"]],
    [["url", "api", "--static"], ["cli"]],
    [["schema"], ["cli"]],
    [["status"], ["cli"]],
    [
      ["import", "list.txt"],
      ["cli", "importers"],
    ],
    [
      ["check", "--cluster"],
      ["cli", "survey"],
    ],
    [["init", "-y"], ["cli"]],
  ])("%j", async (args, bundles) => {
    await using project = await Project.create();
    if (args[0] !== "init") await project.write('forwards: { api: "8080:svc/api:http" }\n');
    await writeFile(join(project.folder, "list.txt"), "svc/api 8080:80\n");
    const list = join(project.root, "loads");
    await project.start(args, { env: { NODE_OPTIONS: `--require ${LOADS}`, KFWD_TEST_LOADS: list } }).ended;
    const loaded = (await readFile(list, "utf8")).trimEnd().split("\n");
    expect([...new Set(loaded)]).toEqual(bundles.map((name) => `${name}.cjs`));
  });
});
